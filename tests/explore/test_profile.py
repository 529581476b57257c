"""Which type a column gets, and that counts add up in any order."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SourceUnreadable
from core.models import LINE
from engine.explore import profile
from engine.explore.profile import Profile
from engine.explore.types import parse


def of(values: list[str | None], name: str = "a") -> Profile:
    return Profile.of(pl.DataFrame({name: values, LINE: range(len(values))}, {name: pl.String, LINE: pl.Int64}))


def type_of(*values: str | None) -> str:
    kind = profile.types(of([*values]))["a"]
    more = [kind.format, "zoned" if kind.zoned else "", "wide" if kind.wide and kind.kind == "integer" else ""]
    return " ".join(filter(None, [str(kind), *more]))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", "0", None], "integer"),
        (["999999999999999999"], "integer"),
        (["1352171357891584011"], "integer"),
        (["9223372036854775808"], "integer wide"),
        (["9" * 39], "text"),
        (["0101901234", "2"], "text"),
        (["0171"], "text"),
        (["+4520123456"], "text"),
        (["1 "], "text"),
        (["-0"], "text"),
        (["0.99", "13.86", "7"], "decimal(18,2)"),
        (["1.123456"], "decimal(18,6)"),
        (["55.6760968", "12.56833711"], "decimal(18,8)"),
        (["1.1234567890123456789"], "text"),
        (["123456789012345.12", "1.1"], "decimal(18,2)"),
        (["123456789012345.12", "1.1234"], "decimal(38,4)"),
        (["1e5"], "text"),
        (["2.002,55", "12,5", "3"], "decimal(18,2) ,"),
        (["1.234,567", "0,5"], "decimal(18,3) ,"),
        (["1,234", "5,678"], "text"),
        (["1,234", "5,67"], "decimal(18,3) ,"),
        (["1.234", "5.678"], "text"),
        (["1.234", "0.67"], "decimal(18,3)"),
        (["1.5", "1,5"], "text"),
        (["2024-01-31", "1999-12-01"], "date %Y-%m-%d"),
        ([None, "2024-01-31", None], "date %Y-%m-%d"),
        (["2024-02-30"], "text"),
        (["31-01-2024"], "date %d-%m-%Y"),
        (["11-01-2024"], "text"),
        (["31.01.2024"], "date %d.%m.%Y"),
        (["31/01/2024"], "text"),
        (["2024-01-31 10:00:00", "2024-01-31T10:00"], "datetime %Y-%m-%d"),
        (["2024-01-31T10:00:00Z", "2024-01-31T10:00:00.123+02:00"], "datetime %Y-%m-%d zoned"),
        (["2024-01-31T10:00:00Z", "2024-01-31T10:00:00"], "text"),
        (["2024-01-31", "2024-01-31 10:00"], "text"),
        (["2024-01-31T10:00:00.1234567"], "text"),
        (["true", "false"], "text"),
        (["NULL", "1"], "text"),
        ([None, None], "text"),
        ([], "text"),
    ],
)
def test_a_type_is_given_only_if_every_value_survives(values: list[str | None], kind: str) -> None:
    assert type_of(*values) == kind


def test_one_value_far_behind_decides_too() -> None:
    assert type_of(*["17"] * 5000, "017") == "text"
    assert type_of(*["17"] * 5000, "0.5") == "decimal(18,1)"


def test_counts_are_told_and_values_are_not() -> None:
    found = of(["Anna", None, "Bo", "Åse-Marie"])
    assert (found.rows, found.nulls("a")) == (4, 1)
    assert not any(value in json.dumps(found.to_json(), ensure_ascii=False) for value in ("Anna", "Bo", "Åse"))


def test_a_column_that_a_file_lacks_is_null_there() -> None:
    whole = profile.merge([of(["1", "2"], "a"), of(["x"], "b")])
    assert list(whole.columns) == ["a", "b"]
    assert (whole.rows, whole.nulls("a"), whole.nulls("b")) == (3, 1, 2)
    assert str(profile.types(whole)["a"]) == "integer"


def test_names_that_differ_in_capitals_only_are_refused() -> None:
    with pytest.raises(SourceUnreadable, match="`Email` and `email` differ in capital letters only"):
        profile.merge([of(["x"], "Email"), of(["y"], "email")])


some = st.sampled_from(
    ["1", "-5", "007", "1.5", "1,5", "1.000,25", "1,234", "2024-01-01", "01.01.2024", "2024-01-01 10:00", "x",
     "2024-01-01T10:00Z", "123456789012345678", "98765432109876543210", "13-01-2024", "03-04-2024", "0,5", "0.5", None]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(some, max_size=4), max_size=5), st.randoms(use_true_random=False))
def test_batches_add_up_in_any_order(batches: list[list[str | None]], random: Any) -> None:
    whole = of([value for batch in batches for value in batch])
    parts = [Profile.from_json(json.loads(json.dumps(of(batch).to_json()))) for batch in batches]
    random.shuffle(parts)
    merged = profile.merge(parts)
    assert merged.rows == whole.rows
    assert profile.types(merged) == (profile.types(whole) if batches else {})
    grown = Profile()
    for batch in batches:
        grown = grown.add(pl.DataFrame({"a": batch}, {"a": pl.String}))
    assert grown == (merged if batches else Profile())


@settings(max_examples=150, deadline=None)
@given(st.lists(some, min_size=1, max_size=6))
def test_no_value_is_lost_by_its_type(values: list[str | None]) -> None:
    kind = profile.types(of(values))["a"]
    parsed = pl.DataFrame({"a": values}, {"a": pl.String}).select(parse(pl.col("a"), kind, "UTC"))["a"]
    assert parsed.null_count() == values.count(None)
