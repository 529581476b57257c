"""Schedules in words, as far as they have common ones."""

import re
from zoneinfo import ZoneInfo

from bot.client import Answer
from bot.words import DAYS, when

NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def in_words(cron: str) -> str:
    """`every day at 06:00`; what has no common words stands as it is."""
    minute, hour, day, month, weekday = cron.lower().split()
    at = f"at {int(hour):02}:{int(minute):02}" if minute.isdecimal() and hour.isdecimal() else ""
    if month == "*" and at:
        if day == "*" and weekday == "*":
            return f"every day {at}"
        if day == "*" and weekday in ("1-5", "mon-fri"):
            return f"Monday to Friday {at}"
        if day == "*" and (found := _weekday(weekday)):
            return f"every {found} {at}"
        if day.isdecimal() and weekday == "*":
            return f"on day {int(day)} of every month {at}"
    if (day, month, weekday) == ("*", "*", "*") and hour == "*":
        if minute == "*":
            return "every minute"
        if minute.isdecimal():
            return f"every hour at :{int(minute):02}"
        if (step := re.fullmatch(r"\*/([1-9][0-9]*)", minute)) and 60 % int(step[1]) == 0:
            return "every minute" if int(step[1]) == 1 else f"every {int(step[1])} minutes"
    return f"by `{cron}`"


def next_time(plan: Answer, zone: ZoneInfo) -> str:
    """`tomorrow 06:00`, in the person's zone; a schedule of another zone names it."""
    other = f" ({plan['timezone']} is its zone)" if plan["timezone"] != zone.key else ""
    return when(plan["next_at"], zone) + other


def _weekday(text: str) -> str | None:
    number = NAMES.index(text) if text in NAMES else int(text) % 7 if re.fullmatch("[0-7]", text) else None
    return None if number is None else DAYS[number - 1]
