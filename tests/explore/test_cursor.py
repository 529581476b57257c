"""How far a source was read."""

from datetime import UTC, datetime

from core.models import ColumnType
from engine.explore.cursor import highest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIME = ColumnType("datetime", format="%Y-%m-%d", zoned=True)


def test_the_highest_value_is_told_as_it_was_written() -> None:
    assert highest(["9", "10", None, "2"], ColumnType("integer"), "UTC", NOW) == "10"
    times = ["2026-02-28T12:00:00+02:00", "2026-02-28T11:30:00Z", "2026-02-28T11:59:00+01:00"]
    assert highest(times, TIME, "UTC", NOW) == "2026-02-28T11:30:00Z"
    assert highest([None], TIME, "UTC", NOW) is None


def test_what_lies_in_the_future_counts_for_nothing() -> None:
    assert highest(["2026-03-01T11:59:59Z", "2026-03-01T12:00:01Z"], TIME, "UTC", NOW) == "2026-03-01T11:59:59Z"
    assert highest(["2126-01-01"], ColumnType("date", format="%Y-%m-%d"), "UTC", NOW) is None


def test_infinity_is_no_time_to_go_on_from() -> None:
    times = ["2026-02-28 12:00:00+00", "infinity", "-infinity", None, "2026-02-28 12:00:01+00"]
    assert highest(times, ColumnType(), "UTC", NOW) == "2026-02-28 12:00:01+00"
    assert highest(["infinity", "-infinity"], ColumnType(), "UTC", NOW) is None
    assert highest(["2026-02-27", "infinity", "2026-02-28"], ColumnType(), "UTC", NOW) == "2026-02-28"


def test_numbers_of_any_length_are_compared_by_their_digits() -> None:
    ids = ["999999999999999999", "1352171357891584011", "1352171357891584012", "-9", "NaN"]
    assert highest(ids, ColumnType(), "UTC", NOW) == "1352171357891584012"
    assert highest(["-10.50", "-9.75", "-9.8"], ColumnType(), "UTC", NOW) == "-9.75"
    assert highest(["9" * 40, "1" + "0" * 40, "10.5"], ColumnType(), "UTC", NOW) == "1" + "0" * 40
