"""Cron, held against a walk over every minute; the days the clock changes included."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import cron

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
ZONES = ("Europe/Copenhagen", "UTC", "America/New_York", "Australia/Lord_Howe", "America/Havana")
MINUTE = timedelta(minutes=1)
MINUTES = ("0", "30", "5,45", "*/20", "10-50/20", "*")
HOURS = ("*", "2", "0", "1,2,3", "*/2", "23", "0-5")
DAYS = ("*", "1", "29", "*/2", "24-31")
WEEKDAYS = ("*", "0", "7", "sun", "mon-fri", "sat-sun")


def walked(text: str, start: datetime, zone: ZoneInfo, minutes: int) -> list[datetime]:
    """Every firing after `start`, by looking at the clock on the wall minute by minute."""
    _minute, hour, day, month, weekday = text.split()
    rule = cron.parse(text)
    assert month == "*"
    found = []
    for n in range(1, minutes + 1):
        at = start + n * MINUTE
        there = at.astimezone(zone)

        def matches(wall: datetime) -> bool:
            of_month, of_week = wall.day in rule.days, wall.isoweekday() % 7 in rule.weekdays
            both = day.startswith("*") or weekday.startswith("*")
            on = (of_month and of_week) if both else (of_month or of_week)
            return on and wall.minute in rule.minutes and wall.hour in rule.hours

        wall = there.replace(tzinfo=None)
        fires = matches(wall) and (hour == "*" or there.fold == 0)
        if hour != "*":  # what the clock has just jumped over comes so much later
            earlier = at - timedelta(hours=3)
            jump = (there.utcoffset() or timedelta()) - (earlier.astimezone(zone).utcoffset() or timedelta())
            if jump > timedelta():
                skipped = (wall - jump).replace(tzinfo=zone)
                if skipped.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall and matches(wall - jump):
                    fires = True
        if fires:
            found.append(at)
    return found


def fired(text: str, start: datetime, zone: ZoneInfo, minutes: int) -> list[datetime]:
    rule, found, at = cron.parse(text), [], start
    while (following := rule.after(at, zone)) is not None and following <= start + minutes * MINUTE:
        found.append(following)
        at = following
    return found


@given(
    st.tuples(*map(st.sampled_from, (MINUTES, HOURS, DAYS, ("*",), WEEKDAYS))).map(" ".join),
    st.sampled_from(ZONES),
    st.sampled_from(
        ["2026-03-07T20", "2026-03-28T20", "2026-04-04T09", "2026-10-03T09", "2026-10-24T20", "2026-10-31T20",
         "2026-02-27T12"]
    ),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_it_fires_when_the_clock_on_the_wall_says_so_and_never_else(text: str, zone: str, begin: str) -> None:
    start = datetime.fromisoformat(f"{begin}:00+00:00")
    assert fired(text, start, ZoneInfo(zone), 1500) == walked(text, start, ZoneInfo(zone), 1500)


def local(text: str, day: datetime) -> list[str]:
    return [f"{at.astimezone(COPENHAGEN):%H:%M %Z}" for at in fired(text, day.astimezone(UTC), COPENHAGEN, 25 * 60)]


def test_a_time_that_the_clock_jumps_over_comes_once_and_later() -> None:
    assert local("30 2 * * *", datetime(2026, 3, 28, 22, tzinfo=UTC)) == ["03:30 CEST"]


def test_a_time_that_the_clock_shows_twice_comes_once_the_first() -> None:
    assert local("30 2 * * *", datetime(2026, 10, 24, 21, tzinfo=UTC)) == ["02:30 CEST"]


def test_what_comes_every_hour_goes_on_in_the_doubled_hour() -> None:
    told = local("0 * * * *", datetime(2026, 10, 24, 21, 30, tzinfo=UTC))
    assert told[:5] == ["00:00 CEST", "01:00 CEST", "02:00 CEST", "02:00 CET", "03:00 CET"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("every day", "five fields"), ("0 25 * * *", "`25` is no hour"), ("60 6 * * *", "`60` is no minute"),
        ("0 6 31 2 *", "never comes"), ("0/15 * * * *", "`0/15` is no minute"), ("*/0 * * * *", "`*/0`"),
        ("0 6 * * someday", "no weekday"), ("0 6 * 5-3 *", "ends before it begins"), ("", "five fields"),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_told_by_its_part(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("*", r"\*")):
        cron.parse(text)


def test_29_february_comes_in_the_next_leap_year() -> None:
    assert cron.parse("0 6 29 2 *").after(datetime(2026, 3, 1, tzinfo=UTC), COPENHAGEN) == datetime(
        2028, 2, 29, 5, tzinfo=UTC
    )


def test_the_odd_ones_are_told() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert cron.oddities("0 6 * * *", COPENHAGEN, now) == []
    assert "03:30" in cron.oddities("30 2 * * *", COPENHAGEN, now)[0]
    assert "one of them is enough" in cron.oddities("0 6 1 * mon", COPENHAGEN, now)[0]
    assert "31 are left out" in cron.oddities("0 6 31 * *", COPENHAGEN, now)[0]
