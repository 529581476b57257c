"""Say that an alert is over."""

from bot.alerts import told
from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill(
    "resolve {alert}", right="handle:alerts", help="say that an alert is over; it opens again if it comes back",
    example="resolve 12", holds="counts"
)  # fmt: skip
async def resolve(atlas: Atlas, alert: int) -> Reply:
    return told(await atlas.handle(alert, "resolve"), await atlas.zone())
