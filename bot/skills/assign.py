"""Make somebody responsible for an alert."""

from bot.alerts import told
from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill(
    "assign {alert} {user}",
    right="handle:alerts",
    help="make somebody responsible for an alert",
    example="assign 12 @kim",
    holds="counts",
)
async def assign(atlas: Atlas, alert: int, user: str) -> Reply:
    name = user.removeprefix("@")
    if name.casefold() == "me":
        name = (await atlas.me())["user"]
    return told(await atlas.handle(alert, "assign", {"user": name}), await atlas.zone())
