"""Acknowledge an alert."""

from bot.alerts import told
from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill(
    "ack {alert}",
    right="handle:alerts",
    help="acknowledge an alert",
    example="ack 12",
    holds="counts",
)
async def ack(atlas: Atlas, alert: int) -> Reply:
    return told(await atlas.handle(alert, "ack"), await atlas.zone())
