"""Columns of types: what is told of them in the answer, declared in the file, rejected, and healed."""

import asyncio
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.whole import Whole

DAYS = [f"{day:02}-03-2024" for day in range(1, 29)] * 8


class Shop(Whole):
    """An installation of Atlas with pipelines over one CSV file each."""

    def reads(self, name: str, text: str, more: str = "", *, full: bool = False) -> dict[str, Any]:
        """A run over a file of this text."""
        (self.folder / f"{name}.csv").write_text(text, encoding="utf-8")
        self.pipeline(name, f"source: {{connector: csv, path: {name}.csv}}\n{more}\n")
        return self.run(name, full)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("shop"))
    yield made
    made.close()


def csv(*columns: list[str]) -> str:
    names = [f"c{number}" for number in range(len(columns))]
    return "\n".join(";".join(row) for row in [names, *map(list, zip(*columns, strict=True))]) + "\n"


def test_a_few_mistakes_go_to_the_dead_letters_and_the_rest_is_of_its_type(shop: Shop) -> None:
    days, amounts = [*DAYS], ["1.234,50"] * len(DAYS)
    days[7], days[8], amounts[9] = "31-02-2021", "n/a", "1.234,5O"
    answer = shop.reads("mistakes", csv(days, amounts))
    assert (answer["state"], answer["rows_in"], answer["rows_rejected"]) == ("succeeded", 224, 2), answer["error"]
    assert answer["warnings"] == [
        "`c0`: 1 cell such as n/a or - is read as empty. "
        "1 of 223 values is not a date; its row is rejected: dead mistakes",
        "`c1`: 1 of 224 values is not a number; its row is rejected: dead mistakes",
    ]
    rows = shop.rows("mistakes")
    assert (rows["c0"].dtype, rows["c0"].null_count(), rows["c1"].unique().to_list()) == (
        pl.Date,
        1,
        [Decimal("1234.5")],
    )


def test_a_mistake_of_the_first_day_does_not_last(shop: Shop) -> None:
    first = shop.reads("healed", csv([*DAYS[:20], "31-02-2021"]))
    assert first["warnings"] == [
        "`c0` stays text because 1 of 21 values is not a date. To reject these rows, write into healed.yml: "
        'columns: {c0: {type: date, format: "%d-%m-%Y"}}'
    ]
    assert shop.rows("healed")["c0"].dtype == pl.String
    second = shop.reads("healed", csv(DAYS[:20]))
    assert second["warnings"] == ["`c0` holds dates now: what kept it text is gone."]
    assert shop.rows("healed")["c0"].dtype == pl.Date
    assert shop.reads("healed", csv(DAYS[:20]))["warnings"] == []


def test_columns_that_are_gone_or_hold_something_else_are_told_with_what_to_do(shop: Shop) -> None:
    shop.reads("moved", csv(DAYS[:20], ["a"] * 20, ["b"] * 20))
    gone = shop.reads("moved", "c0;new\n01-03-2024;x\n")["error"]
    assert gone["message"] == (
        "The source of `moved` no longer has `c1`, `c2`. New in it: `new`. It has 2 columns instead of 3. "
        "Nothing was published."
    )
    assert gone["hint"] == "If its columns are right now: run moved --full"
    other = shop.reads("moved", csv(["soon"] * 20, ["a"] * 20, ["b"] * 20))["error"]
    assert other["message"] == (
        "`c0` of `moved` was published as date, and too many of its values are not dates now. The first is in line 2."
    )
    assert other["hint"] == "Correct the values and run again. To publish the column as it is now: run moved --full"


def test_declared_types_hold_and_reject_what_does_not_fit(shop: Shop) -> None:
    declared = 'columns: {c0: {type: decimal, decimal: ","}, c1: {type: date, format: "%m-%d-%Y"}, c2: text}'
    text = csv(["1.234", "2.000", "x"], ["03-04-2024", "05-06-2024", "07-08-2024"], ["12", "13", "14"])
    answer = shop.reads("declared", text, declared)
    assert (answer["state"], answer["rows_rejected"]) == ("succeeded", 1)
    assert [(row[0], str(row[1]), row[2]) for row in shop.rows("declared").rows()] == [
        (Decimal(1234), "2024-03-04", "12"), (Decimal(2000), "2024-05-06", "13"),
    ]  # fmt: skip
    assert "as declared.yml declares" in answer["warnings"][0]


def test_the_lines_of_the_how_to_page_hold(shop: Shop) -> None:
    page = (Path(__file__).parent.parent / "docs" / "how-to" / "your-own-pipeline.md").read_text(encoding="utf-8")
    lines = re.findall("(?m)^ {7}((?:columns: {amount|bad_values|max_rejected).*)$", page)
    assert len(lines) == 3
    text = (
        "amount;created;code;day\n1.234,50;31-12-2026;17;01-02-2026\n1.234;1-2-2026;18;soon\n"
        "2;03-04-2026;19;03-02-2026\n"
    )
    answer = shop.reads("page", text, "\n".join(lines))
    assert answer["state"] == "succeeded", answer["error"]
    rows = shop.rows("page").with_columns(pl.col("created").cast(pl.String)).rows()
    assert rows == [
        (Decimal("1234.5"), "2026-12-31", "17", "01-02-2026"), (Decimal(1234), "2026-02-01", "18", "soon"),
        (Decimal(2), "2026-04-03", "19", "03-02-2026"),
    ]  # fmt: skip


def test_a_column_that_is_declared_must_be_there(shop: Shop) -> None:
    answer = shop.reads("missing", "amount,name\n1,x\n", "columns: {amuont: decimal}")
    assert answer["state"] == "failed"
    assert answer["error"]["message"] == "`missing.yml` declares the column `amuont`, which the source does not have."
    assert answer["error"]["hint"] == "Did you mean `amount`?"


@pytest.mark.parametrize("first", [True, False])
def test_a_version_that_loses_its_rows_is_not_published(shop: Shop, first: bool) -> None:
    name = "lost_first" if first else "lost_later"
    if not first:
        assert shop.reads(name, "A,B,C\n1,4,7\n2,5,8\n")["state"] == "succeeded"
    answer = shop.reads(name, "A,B,C\n1,4,7,\n2,5,8,\n3,6,9,8,7\n4,5\n7,8,9\n")
    assert (answer["state"], answer["error"]["code"], answer["version"]) == ("refused", "too_many_rejected", None)
    said = answer["error"]["message"]
    assert said.startswith(f"4 of 5 rows were rejected; {name}.yml allows 50 %. Most often: ")
    assert said.count("(2)") == 1
    assert said.count("(1)") == 2
    if not first:
        assert len(shop.rows(name)) == 2
    assert shop.reads(name, "A,B,C\n1,4,7,\n7,8,9\n", "max_rejected_percent: 50")["state"] == "succeeded"


def test_numbers_of_many_digits_stay_what_they_are_in_json(shop: Shop) -> None:
    (shop.folder / "navigate" / "many.sql").write_text(
        "select *, sum(c0) over () as s, '9999-12-31 23:59:59'::timestamptz as t from digits order by c1",
        encoding="utf-8",
    )
    ids = ["1352171357891584011", "9007199254740993"]
    text = csv(ids, ["12345678901234567890123456789012345678", "7"], ["55.6760968", "12.123456789012345678"])
    answer = shop.reads("digits", text)
    assert (answer["state"], answer["warnings"]) == ("succeeded", [])

    async def shown() -> Any:
        async with shop.atlas.client() as http:
            return (await http.get("/api/v1/models/many/rows")).json()

    rows = asyncio.run(shown())["rows"]
    total = str(sum(map(int, ids)))
    assert rows == [
        ["9007199254740993", 7, "12.123456789012345678", total, "9999-12-31T22:59:59Z"],
        ["1352171357891584011", "12345678901234567890123456789012345678", "55.676096800000000000", total,
         "9999-12-31T22:59:59Z"],
    ]  # fmt: skip
