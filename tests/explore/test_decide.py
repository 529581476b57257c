"""A column's type: from its values, its neighbours, the pipeline file and the version before."""

from pathlib import Path

import polars as pl
import pytest

from core.models import ColumnType
from core.pipeline import Declared
from engine.explore import decide
from engine.explore.decide import Decided, Known
from engine.explore.types import parse
from tests.explore.test_truth import decided

INTEGER, TEXT, DATE = ColumnType("integer"), ColumnType(), ColumnType("date", "%Y-%m-%d")
DANISH = ["1.234,50", "12,5", "0,75"]
DAYS = [f"{day:02}-03-2024" for day in range(1, 29)]


def decimal(scale: int, form: str | None = None) -> ColumnType:
    return ColumnType("decimal", format=form, scale=scale)


def of(folder: Path, cells: list[str | None], **known: object) -> tuple[ColumnType, Decided]:
    made = decided(folder, {"c": cells}, Known("a", **known))  # type: ignore[arg-type]  # any of its fields
    return made.types["c"], made


@pytest.mark.parametrize(
    ("before", "cells", "now"),
    [
        (INTEGER, ["1", "2"], INTEGER),
        (TEXT, ["1", "2"], TEXT),  # who reads it as text may go on
        (decimal(2), ["1", "2"], decimal(2)),
        (decimal(2), ["1.5"], decimal(2)),
        (decimal(2), [None], decimal(2)),
        (decimal(2), ["n/a", "-"], decimal(2)),
        (decimal(2), ["1,50", "2,5"], decimal(2, ",")),  # written in another way
        (decimal(1), ["1.25"], decimal(2)),  # wider
        (decimal(2), ["1.234"], decimal(3)),  # read as before
        (INTEGER, ["1", "2.50"], decimal(2)),  # wider
        (INTEGER, ["1", "9223372036854775808"], ColumnType("integer", wide=True)),  # wider
        (ColumnType("integer", wide=True), ["1"], ColumnType("integer", wide=True)),
        (ColumnType("integer", ","), ["1.234"], ColumnType("integer", ",")),
        (INTEGER, ["1", "much"], INTEGER),  # and the row is told
        (DATE, ["1"], DATE),
        (DATE, ["31-12-2026"], ColumnType("date", "%d-%m-%Y")),
        (ColumnType("date", "%m-%d-%Y"), ["03-04-2024"], ColumnType("date", "%m-%d-%Y")),  # no day over 12 this time
        (ColumnType("date", "%d-%m-%Y"), ["03-04-2024"], ColumnType("date", "%d-%m-%Y")),
        (ColumnType("date", "%d/%m/%Y"), ["13/04/2024"], ColumnType("date", "%d/%m/%Y")),
    ],
)
def test_a_type_is_kept_widened_or_its_misfit_told(
    tmp_path: Path, before: ColumnType, cells: list[str | None], now: ColumnType
) -> None:
    assert of(tmp_path, cells, before={"c": before})[0] == now


def test_a_column_that_was_empty_or_masked_takes_the_type_of_its_values(tmp_path: Path) -> None:
    assert of(tmp_path, ["1", "2"])[0] == INTEGER


@pytest.mark.parametrize(
    ("beside", "cells", "kind"),
    [
        (DANISH, ["1.234", "12.000", "950"], ColumnType("integer", ",")),
        (["1.5", "0.25", "7"], ["1.234", "12.000", "950"], decimal(3)),
        (["1.5", "0.25", "7"], ["1,234", "12,000", "950"], ColumnType("integer", ".")),
        (DANISH, ["1,234", "2,500", "3"], decimal(3, ",")),
        (["x", "y", "z"], ["1.234", "12.000", "950"], TEXT),
        (["55.6760968", "12.5683371", "56.1"], ["1.234", "12.000", "950"], TEXT),  # coordinates have points anywhere
        (DANISH, ["03-04-2024", "05-06-2024", None], ColumnType("date", "%d-%m-%Y")),
        (["31/12/2024", "01/01/2024", None], ["03-04-2024", None, None], ColumnType("date", "%d-%m-%Y")),
        (["12-31-2024", "01-01-2024", None], ["03-04-2024 9:05 PM", None, None], ColumnType("datetime", "%m-%d-%Y")),
        (["x", "y", "z"], ["03-04-2024", "05-06-2024", None], TEXT),
        (["x", "y", "z"], ["03.04.2024", "05.06.2024", None], ColumnType("date", "%d.%m.%Y")),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_read_as_its_neighbours_are(
    tmp_path: Path, beside: list[str | None], cells: list[str | None], kind: ColumnType
) -> None:
    made = decided(tmp_path, {"beside": beside, "c": cells})
    assert made.types["c"] == kind
    assert ("c" in made.told) == (kind == TEXT)


def test_neighbours_that_differ_decide_nothing(tmp_path: Path) -> None:
    made = decided(tmp_path, {"one": ["0,5", "1"], "other": ["0.25", "1"], "c": ["1.234", "5.678"]})
    assert made.types["c"] == TEXT
    assert made.told["c"] == (
        "stays text because 1.234 can mean 1234 or a little more than 1. Write which into a.yml: "
        'columns: {c: {type: decimal, decimal: "."}} or {c: {type: integer, decimal: ","}}'
    )


def test_a_source_with_numbers_of_its_own_writes_points(tmp_path: Path) -> None:
    assert of(tmp_path, ["1.234", "5.678"], native=True)[0] == decimal(3)


def test_a_few_mistakes_reject_their_rows(tmp_path: Path) -> None:
    cells: list[str | None] = [*DAYS * 4, "31-02-2021"]
    kind, made = of(tmp_path, cells)
    assert (kind, made.bad) == (ColumnType("date", "%d-%m-%Y"), {"c": 1})
    assert made.told["c"] == "1 of 113 values is not a date; its row is rejected: dead a"


@pytest.mark.parametrize("words", [["n/a"], ["NULL", "-", "  "], ["ukendt"]])
def test_what_says_that_nothing_is_there_is_no_mistake(tmp_path: Path, words: list[str]) -> None:
    kind, made = of(tmp_path, [*DAYS, *words * 20])
    assert (kind, made.bad, made.spoilt) == (ColumnType("date", "%d-%m-%Y"), {}, set())
    assert "such as n/a or - are read as empty" in made.told["c"]


def test_too_many_mistakes_make_a_column_text_and_it_becomes_what_it_was_when_they_are_gone(tmp_path: Path) -> None:
    kind, made = of(tmp_path, [*DAYS, "31-02-2021", "soon"])
    assert (kind, made.spoilt) == (TEXT, {"c"})
    assert made.told["c"] == (
        "stays text because 2 of 30 values are not dates. To reject these rows, write into a.yml: "
        'columns: {c: {type: date, format: "%d-%m-%Y"}}'
    )
    kind, made = of(tmp_path, [*DAYS], before={"c": TEXT}, spoilt=frozenset({"c"}))
    assert (kind, made.spoilt) == (ColumnType("date", "%d-%m-%Y"), set())
    assert made.told["c"] == "holds dates now: what kept it text is gone."


def test_people_may_rather_have_text_than_lose_rows(tmp_path: Path) -> None:
    kind, made = of(tmp_path, [*DAYS * 4, "31-02-2021"], reject=False)
    assert (kind, made.bad, made.spoilt) == (TEXT, {}, {"c"})
    assert "1 of 113 values is not a date, and a.yml says bad_values: text" in made.told["c"]


@pytest.mark.parametrize(
    "cells",
    [
        [*["20304050"] * 300, "+4520304050"],
        [*["2100", "8000"] * 200, "DK-2100"],
        [*["2100", "8000"] * 200, "0800"],
        [*["2100", "8000"] * 200, "elsewhere"],
        [*map(str, range(300)), "12B"],
        [*["10101010", "12345678"] * 200, "hidden"],
        ["12 345 678", "87 654 321"] * 100,
        ["1-2-3", "4-5-6"],
        ["1e5", "12E5", "7e9"],
    ],
)
def test_codes_and_phone_numbers_lose_no_row_and_no_digit(tmp_path: Path, cells: list[str]) -> None:
    kind, made = of(tmp_path, [*cells])
    assert (kind, made.bad) == (TEXT, {})


def test_digits_in_groups_are_numbers_where_some_have_decimals(tmp_path: Path) -> None:
    kind, made = of(tmp_path, ["12 345 678", "1 234"])
    assert (kind, made.told["c"]) == (
        TEXT,
        "stays text because its digits stand in groups, as in a phone number. If it holds numbers, write into a.yml: "
        'columns: {c: {type: integer, decimal: ","}}',
    )
    assert of(tmp_path, ["12 345 678,50", "1\u00a0234,5"])[0] == decimal(2, ", ")
    assert of(tmp_path, ["12'345'678.50", "1'234.5"])[0] == decimal(2, ". ")


def test_years_of_two_digits_are_not_guessed(tmp_path: Path) -> None:
    kind, made = of(tmp_path, ["31-12-45", "01-02-99"] * 10)
    assert kind == TEXT
    assert made.told["c"].endswith('{c: {type: date, format: "%d-%m-%y"}}')


@pytest.mark.parametrize(
    ("declared", "cells", "values", "bad"),
    [
        ("text", ["1", "2"], ["1", "2"], 0),
        ({"type": "decimal", "decimal": ","}, ["1.234", "0,5"], ["1234.0", "0.5"], 0),
        ({"type": "decimal", "decimal": ","}, ["1.234", "2.000"], ["1234.0", "2000.0"], 0),
        ({"type": "decimal", "decimal": "."}, ["1.234", "x"], ["1.234", None], 1),
        ({"type": "integer", "decimal": ","}, ["1.234", "950", "n/a"], ["1234", "950", None], 0),
        ({"type": "integer"}, ["12", "12B", "13C"], ["12", None, None], 2),
        ({"type": "date", "format": "%m-%d-%Y"}, ["03-04-2024", "12-31-2024"], ["2024-03-04", "2024-12-31"], 0),
        ({"type": "date", "format": "%d-%m-%Y"}, ["1-2-2024", "31-12-2024"], ["2024-02-01", "2024-12-31"], 0),
        ({"type": "date", "format": "%d-%m-%y"}, ["31-12-69", "01-01-24"], ["1969-12-31", "2024-01-01"], 0),
        ({"type": "date", "format": "%Y%m%d"}, ["20240131", "20241331"], ["2024-01-31", None], 1),
        ({"type": "date"}, ["2024-01-31", "soon", "later"], ["2024-01-31", None, None], 2),
        (
            {"type": "datetime", "format": "%d/%m/%Y %H:%M"},
            ["03/04/2024 10:00", "x"], ["2024-04-03 08:00:00.000000+00:00", None], 1,
        ),
        ({"type": "decimal"}, ["12,5 kr.", "1.000,00 kr."], ["12.50", "1000.00"], 0),
    ],
)  # fmt: skip
def test_a_declared_type_holds(
    tmp_path: Path, declared: object, cells: list[str | None], values: list[str | None], bad: int
) -> None:
    said = Declared(type=declared) if isinstance(declared, str) else Declared.model_validate(declared)
    kind, made = of(tmp_path, cells, declared={"c": said})
    frame = pl.DataFrame({"c": cells}, {"c": pl.String})
    read = frame.select(parse(pl.col("c"), kind, "Europe/Copenhagen").cast(pl.String)).to_series()
    assert read.to_list() == values
    assert made.bad.get("c", 0) == bad


def test_what_is_told_of_many_columns_stays_short() -> None:
    lines = decide.sentences({f"c{n}": "stays text because …" for n in range(40)})
    assert (len(lines), lines[-1]) == (decide.MOST_TOLD + 1, "There is more to say of 28 other columns.")
