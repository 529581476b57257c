"""Silence an alert for a while."""

import re

from bot.alerts import told
from bot.client import Atlas
from bot.grammar import short
from bot.reply import Reply, misread
from bot.skill import skill

MINUTES = {"m": 1, "min": 1, "minute": 1, "h": 60, "hour": 60, "d": 1440, "day": 1440, "w": 10080, "week": 10080}


@skill(
    "snooze {alert} {duration...}", right="handle:alerts", help="silence an alert for a while; then it returns",
    example="snooze 12 2h", holds="counts"
)  # fmt: skip
async def snooze(atlas: Atlas, alert: int, duration: str) -> Reply:
    minutes = in_minutes(duration)
    if minutes is None:
        text = f"`{short(duration)}` is no time to wait: say 30m, 2h or 1d, up to 30 days."
        return misread(text, f"snooze {alert} 2h", f"snooze {alert} 1d")
    return told(await atlas.handle(alert, "snooze", {"minutes": minutes}), await atlas.zone())


def in_minutes(said: str) -> int | None:
    """`2h`, `90 min`, `for 2 hours`; None for what is no duration, or too long."""
    found = re.fullmatch(r"(?:for )?([0-9]{1,5}|an?) ?([a-z]+?)s?", said.strip().casefold())
    if found is None or found[2] not in MINUTES:
        return None
    minutes = (int(found[1]) if found[1].isdecimal() else 1) * MINUTES[found[2]]
    return minutes if 1 <= minutes <= 30 * MINUTES["d"] else None
