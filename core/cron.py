"""Schedules as cron writes them: five fields, read in a time zone, right on the days the clock changes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
FARTHEST = 41 * 366  # days: even 29 February on one weekday comes within 40 years
JUMP = timedelta(hours=2)  # no clock is changed by more
EXAMPLE = '"0 6 * * *" is every day at 06:00, "30 7 * * mon-fri" on workdays at 07:30.'


@dataclass(frozen=True)
class Cron:
    """When something is to happen. `parse` makes one."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 = Sunday
    either: bool  # day of the month and weekday are both given: one of them is enough, as in cron

    def on(self, day: date) -> bool:
        """Whether it happens on a day."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (of_month or of_week) if self.either else (of_month and of_week)

    def after(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """The first time later than a moment, in UTC; None if there is none.

        A time that the clock jumps over is as much later: 02:30 comes at 03:30. One that it shows twice is the first,
        but what happens in every hour of the day happens in both.
        """
        begin = moment.astimezone(zone).replace(minute=0, second=0, microsecond=0, tzinfo=None) - JUMP
        found: list[datetime] = []
        for wall in self._hours(begin):
            if found and wall > found[0].astimezone(zone).replace(tzinfo=None) + JUMP:
                break  # by the clocks' change a later time can come earlier, but not by so much
            found = sorted({*found, *(at for at in self._times(wall, zone) if at > moment)})
        return found[0] if found else None

    def _hours(self, begin: datetime) -> Iterator[datetime]:
        """Every hour on the wall clock in which it happens, from `begin` on."""
        for day in (begin.date() + timedelta(days=n) for n in range(FARTHEST)):
            if self.on(day):
                yield from (at for hour in sorted(self.hours) if (at := datetime.combine(day, time(hour))) >= begin)

    def _times(self, wall: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        for minute in self.minutes:
            there = wall.replace(minute=minute, tzinfo=zone)
            at = there.astimezone(UTC)
            every_hour = len(self.hours) == 24
            if every_hour and at.astimezone(zone).replace(tzinfo=None) != there.replace(tzinfo=None):
                continue  # jumped over: the next hour has a time of its own
            yield at
            if every_hour:
                yield there.replace(fold=1).astimezone(UTC)


def parse(text: str) -> Cron:
    """What five fields say. Raises ValueError with what is wrong, in words that follow the text."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError("is no schedule; write five fields as cron does: minute hour day month weekday")
    minutes, hours, days, months, weekdays = (_field(n, value.lower()) for n, value in enumerate(fields))
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    cron = Cron(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), either)
    if cron.after(datetime(2000, 1, 1, tzinfo=UTC), ZoneInfo("UTC")) is None:
        raise ValueError("never comes: no such day is in any year")
    return cron


def oddities(text: str, zone: ZoneInfo, now: datetime) -> list[str]:
    """What a person may not expect of a schedule, in sentences."""
    cron, odd = parse(text), []
    if cron.either:
        odd.append("It names days of the month and weekdays: as in cron, one of them is enough.")
    if len(cron.minutes) * len(cron.hours) > 24 * 12:
        odd.append("It starts more often than every five minutes; a run that is still under way is joined.")
    if not cron.either and min(cron.days) > 28:
        odd.append(f"Months without a day {min(cron.days)} are left out.")
    if len(cron.hours) < 24:
        odd += [told for told in (_shift(cron, zone, now)) if told]
    return odd


def _shift(cron: Cron, zone: ZoneInfo, now: datetime) -> Iterator[str]:
    """What becomes of it on the two days of the next year on which the clock changes."""
    days = [now.astimezone(zone).date() + timedelta(days=n) for n in range(367)]
    offsets = [(day, datetime.combine(day, time(), zone).utcoffset()) for day in days]
    for (day, before), (_, after) in pairwise(offsets):
        if before == after or not cron.on(day):
            continue
        for hour in sorted(cron.hours):
            there = datetime.combine(day, time(hour, min(cron.minutes)), zone)
            real = there.astimezone(UTC).astimezone(zone)
            if (real.hour, real.minute) != (there.hour, there.minute):
                yield f"On {day:%Y-%m-%d} the clock jumps over {there:%H:%M}: it starts at {real:%H:%M}."
            elif there.utcoffset() != there.replace(fold=1).utcoffset():
                yield f"On {day:%Y-%m-%d} the clock shows {there:%H:%M} twice: it starts the first time."


def _field(number: int, text: str) -> frozenset[int]:
    name, least, most = FIELDS[number]
    found: set[int] = set()
    for piece in text.split(","):
        match = re.fullmatch(r"(\*|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([0-9]{1,2}))?", piece)
        if match is None or (match[2] and (int(match[2]) == 0 or (match[1] != "*" and "-" not in match[1]))):
            raise ValueError(f"is no schedule: `{piece}` is no {name}; write a number, 1-5, 1,5 or */15")
        first, _, last = match[1].partition("-")
        low = least if first == "*" else _number(number, first, piece)
        high = most if first == "*" else _number(number, last, piece) if last else low
        if number == 4 and last and high == 0:
            high = 7  # sat-sun
        if low > high:
            raise ValueError(f"is no schedule: `{piece}` ends before it begins")
        found.update(range(low, high + 1, int(match[2] or 1)))
    return frozenset(found)


def _number(number: int, text: str, piece: str) -> int:
    name, least, most = FIELDS[number]
    names = {3: MONTHS, 4: DAYS}.get(number, [])
    value = (
        names.index(text) + (number == 3) if text in names else int(text) if re.fullmatch("[0-9]{1,2}", text) else -1
    )
    if not least <= value <= most:
        raise ValueError(f"is no schedule: `{piece}` is no {name}; that is {least} to {most}")
    return value
