"""The last runs."""

from bot.client import Atlas
from bot.reply import Reply, Table
from bot.skill import skill
from bot.words import count, many, took, when


@skill(
    "runs [{pipeline}]", right="read:runs", help="the last runs, newest first", example="runs customers", holds="counts"
)
async def runs(atlas: Atlas, pipeline: str | None = None) -> Reply:
    page, zone = await atlas.runs(pipeline), await atlas.zone()
    items = page["items"]
    whose = f" of {pipeline}" if pipeline else ""
    if not items:
        return Reply(
            f"No run{whose} yet.",
            facts={"items": []},
            next=[f"run {pipeline}" if pipeline else "pipelines"],
            holds="counts",
        )
    rows = [
        [
            f"#{run['run']}",
            run["pipeline"],
            run["state"],
            when(run["created_at"], zone),
            took(run["seconds"]),
            count(run["rows_in"]),
            count(run["rows_out"]),
            count(run["rows_rejected"]),
            run["score"],
        ]
        for run in items
    ]
    told = f"The last {many(len(items), 'run')}{whose}." if page["next"] else f"{many(len(items), 'run')}{whose}."
    bad = next((r for r in items if r["state"] in ("failed", "refused")), None)
    return Reply(
        told,
        table=Table(["run", "pipeline", "state", "when", "took", "in", "out", "rejected", "score"], rows),
        facts={"items": items},
        next=[f"why {bad['run']}"] if bad else [f"status {items[0]['run']}"],
        holds="counts",
    )
