"""A column's type between two versions: the same as long as its values fit, wider if they need it."""

import polars as pl
import pytest

from core.models import ColumnType
from engine.explore.profile import Profile
from engine.explore.settled import settled

INTEGER, TEXT, DATE = ColumnType("integer"), ColumnType(), ColumnType("date", format="%Y-%m-%d")


def decimal(scale: int, form: str | None = None) -> ColumnType:
    return ColumnType("decimal", format=form, scale=scale)


@pytest.mark.parametrize(
    ("before", "values", "now"),
    [
        (INTEGER, ["1", "2"], INTEGER),
        (TEXT, ["1", "2"], TEXT),  # who reads it as text may go on
        (decimal(2), ["1", "2"], decimal(2)),
        (decimal(2), ["1.5"], decimal(2)),
        (decimal(2), [None], decimal(2)),
        (decimal(2), ["1,50", "2,5"], decimal(2, ",")),  # written in another way
        (decimal(1), ["1.25"], decimal(2)),  # wider
        (INTEGER, ["1", "2.50"], decimal(2)),  # wider
        (INTEGER, ["1", "much"], INTEGER),  # and the row is told
        (DATE, ["1"], DATE),
        (DATE, ["31-12-2026"], ColumnType("date", format="%d-%m-%Y")),
    ],
)
def test_a_type_is_kept_widened_or_told(before: ColumnType, values: list[str | None], now: ColumnType) -> None:
    profile = Profile.of(pl.DataFrame({"c": pl.Series(values, dtype=pl.String)}))
    assert settled(profile, {"c": before}, {"c": True}) == {"c": now}


def test_a_column_that_was_empty_or_masked_takes_the_type_of_its_values() -> None:
    profile = Profile.of(pl.DataFrame({"c": ["1", "2"]}))
    assert settled(profile, {"c": TEXT}, {"c": False}) == {"c": INTEGER}
    assert settled(profile, {"c": TEXT}, {}) == {"c": INTEGER}
    assert settled(profile, {}, {}) == {"c": INTEGER}
