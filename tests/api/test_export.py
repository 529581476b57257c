"""A table as CSV: RFC 4180, and no cell of it a formula to a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import polars as pl
import pytest

from engine.catalog import pipeline
from engine.home import Home
from engine.runs.course import start
from engine.store import datasets
from tests.api.conftest import Client


def publish(home: Home, table: pl.DataFrame, name: str = "by_country") -> None:
    """A model's table, as a build leaves it, in files of two rows."""
    files = []
    for n, part in enumerate(table.iter_slices(2)):
        path = home.settings.warehouse / f"{name}-{n}.parquet"
        part.write_parquet(path)
        files.append((str(path), part.height))
    with home.database.write() as db:
        run, _ = start(db, pipeline(home.settings.pipelines, "orders"), by="kim")
        columns = dict.fromkeys(table.columns, "VARCHAR")
        datasets.publish(db, datasets.Snapshot(name, "model", "web-team", "", run.id, files, columns))


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "  =cmd|' /C calc'!A0", "\u00a0=1", "\ufeff=1", "＝1+1", "-",
    "--1", '=HYPERLINK("http://evil.example","x")', "-5\n=1", "\tplain",
]  # fmt: skip
HARMLESS = [
    "Denmark", "", "-12.50", "+4512345678", "-1e5", "-,5", "a=b", "1-2", "O'Neil", 'say "hi"', "a;=1", "two\r\nlines",
    "Åse", None,
]  # fmt: skip


@pytest.mark.parametrize("values", [FORMULAS, HARMLESS])
def test_a_cell_is_no_formula_and_plain_text_and_numbers_stay(
    home: Home, client: Client, orders: object, values: Sequence[str | None]
) -> None:
    publish(home, pl.DataFrame({"told": values}))
    answer = client("admin").get("/api/v1/models/by_country/rows", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="by_country.csv"'
    told = [row[0] if row else "" for row in cells(answer.content.decode())[1:]]
    assert told == [f"'{v}" if values is FORMULAS else v or "" for v in values]
    assert answer.content.count(b'"a;=1"') == (values is HARMLESS)  # a spreadsheet that splits at `;` sees one cell


def test_the_name_of_a_column_is_no_formula_either(home: Home, client: Client, orders: object) -> None:
    publish(home, pl.DataFrame({'=cmd"x': ["a"], "b": ["c"]}))
    answer = client("admin").get("/api/v1/models/by_country/rows", headers={"Accept": "text/csv"})
    assert answer.content == b'"\'=cmd""x","b"\r\n"a","c"\r\n'


def test_values_are_written_as_the_api_tells_them(home: Home, client: Client, orders: object) -> None:
    row = {
        "whole": -3, "decimal": Decimal("-20.50"), "real": 1.5, "none": float("nan"), "day": date(2026, 3, 2),
        "at": datetime(2026, 3, 2, 5, 0, 1, 250_000),  # noqa: DTZ001 - a table may hold such times
        "yes": True, "list": ["=1", "b"], "raw": b"\x01\xff", "gone": None,
    }  # fmt: skip
    table = pl.DataFrame([row]).with_columns(zoned=pl.col("at").dt.replace_time_zone("Europe/Copenhagen"))
    publish(home, table)
    answer = client("admin").get("/api/v1/models/by_country/rows", headers={"Accept": "text/csv"})
    assert cells(answer.text)[1] == [
        "-3", "-20.50", "1.5", "", "2026-03-02", "2026-03-02T05:00:01.250", "true", '["=1","b"]', "01ff", "",
        "2026-03-02T04:00:01.250Z",
    ]  # fmt: skip


def test_as_many_rows_come_as_are_asked_for_in_their_order(home: Home, client: Client, orders: object) -> None:
    publish(home, pl.DataFrame({"n": range(1200)}))
    admin = client("admin")
    where, as_csv = "/api/v1/models/by_country/rows", {"Accept": "text/csv"}
    assert [row[0] for row in cells(admin.get(f"{where}?limit=3", headers=as_csv).text)[1:]] == ["0", "1", "2"]
    assert len(cells(admin.get(where, headers=as_csv).text)) == 1201
    assert [len(admin.get(f"{where}{asked}").json()["rows"]) for asked in ("", "?limit=3", "?limit=1200")] == [
        50,
        3,
        1000,
    ]
    assert admin.get(f"{where}?limit=100001").status_code == 422
    assert client("viewer").get(where, headers=as_csv).status_code == 403
