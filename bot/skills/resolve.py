"""Mark an alert as solved."""

from bot.alerts import told
from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill(
    "resolve {alert}", right="handle:alerts", help="mark an alert as solved; it reopens if it returns",
    example="resolve 12", holds="counts"
)  # fmt: skip
async def resolve(atlas: Atlas, alert: int) -> Reply:
    return told(await atlas.handle(alert, "resolve"), await atlas.zone())
