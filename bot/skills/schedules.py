"""Which pipelines run by themselves, and when."""

from bot.client import Atlas
from bot.cron import in_words, next_time
from bot.reply import Reply, Table
from bot.skill import skill
from bot.words import many, one_line, when


@skill(
    "schedules",
    right="read:runs",
    help="pipelines that have a schedule, and when they run",
    example="schedules",
    holds="counts",
)
async def schedules(atlas: Atlas) -> Reply:
    answer, zone = await atlas.schedules(), await atlas.zone()
    items = sorted(answer["items"], key=lambda plan: (plan["note"] is None, plan["next_at"]))
    if not items:
        return Reply(
            'No pipeline runs by itself. Say when one should: schedule PIPELINE "0 6 * * *"',
            facts={"items": []}, next=["pipelines"], holds="counts"
        )  # fmt: skip
    told = [f"{many(len(items), 'schedule')}."]
    told += [f"{plan['pipeline']}, {when(plan['last_at'], zone)}: {one_line(plan['note'])}"
             for plan in items if plan["note"]]  # fmt: skip
    rows = [
        [
            plan["pipeline"], in_words(plan["cron"]), next_time(plan, zone),
            f"#{plan['run']} {when(plan['last_at'], zone)}" if plan["run"] else None,
            "its file" if plan["in_file"] else plan["set_by"],
        ]
        for plan in items
    ]  # fmt: skip
    return Reply(
        "\n".join(told),
        table=Table(["pipeline", "runs", "next", "last", "set by"], rows),
        facts={"items": items},
        next=[f"status {items[0]['pipeline']}", "pipelines"],
        holds="counts",
    )
