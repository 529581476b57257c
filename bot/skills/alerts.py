"""The open alerts, or one alert."""

from bot.alerts import heads, summary, told
from bot.client import Atlas
from bot.reply import Reply, Table
from bot.skill import skill
from bot.words import count, when


@skill(
    "alerts",
    "alerts {alert}",
    right="read:quality",
    help="open problems and who is working on them",
    example="alerts",
    holds="counts",
)
async def alerts(atlas: Atlas, alert: int | None = None) -> Reply:
    zone = await atlas.zone()
    if alert is not None:
        return told(await atlas.alert(alert), zone)
    items = await atlas.alerts()
    shown = heads(items)
    if not shown:
        return Reply("No alert is open.", facts={"items": items}, next=["status"], holds="counts")
    # alerts that nobody has seen first, then by severity, then the newest
    shown.sort(key=lambda a: (a["state"] != "open", a["severity"] != "high", -a["alert"]))
    rows = [
        [f"#{a['alert']}", a["title"], a["state"], when(a["opened_at"], zone), count(a["count"]), a["assignee"],
         count(len(a["attached"])) if a["attached"] else None]
        for a in shown
    ]  # fmt: skip
    first = shown[0]
    return Reply(
        summary(shown),
        table=Table(["alert", "what", "state", "since", "seen", "assigned to", "caused"], rows),
        facts={"items": items},
        next=[f"alerts {first['alert']}", f"ack {first['alert']}", *first["next"][:1]],
        holds="counts",
    )
