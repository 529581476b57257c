"""The pipelines, with their last runs."""

from bot.client import Atlas
from bot.reply import Reply, Table
from bot.skill import skill
from bot.words import many, one_line, when

URGENT = ("failed", "refused", "cancelled", "running", "queued", None, "succeeded")


@skill("pipelines", right="read:catalog", help="every pipeline and its last run", example="pipelines", holds="counts")
async def pipelines(atlas: Atlas) -> Reply:
    answer, zone = await atlas.pipelines(), await atlas.zone()
    mistakes = [f"Mistake: {one_line(mistake)}" for mistake in answer.get("mistakes", [])]
    items = sorted(answer["items"], key=lambda p: URGENT.index((p["last_run"] or {}).get("state")))
    if not items:
        return Reply(
            "\n".join(["There is no pipeline yet: one file in the pipelines folder makes one.", *mistakes]),
            facts={"items": []},
            holds="counts",
        )
    rows = []
    for item in items:
        run = item["last_run"]
        last = (
            [f"#{run['run']}", run["state"], when(run["created_at"], zone), run["score"]]
            if run
            else [None, "not run yet", None, None]
        )
        rows.append([item["name"], *last, when(item["next_at"], zone) if item["next_at"] else None, item["owner"]])
    bad = sum((item["last_run"] or {}).get("state") in URGENT[:2] for item in items)
    after = [f"{'why' if bad else 'run'} {items[0]['name']}", "datasets", "runs"]
    told = f"{many(len(items), 'pipeline')}."
    if bad:
        told += f" {many(bad, 'needs', 'need')} a look."
    return Reply(
        "\n".join([told, *mistakes]),
        table=Table(["pipeline", "run", "state", "when", "score", "next", "owner"], rows),
        facts={"items": items},
        next=after,
        holds="counts",
    )
