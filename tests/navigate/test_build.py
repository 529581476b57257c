"""A model becomes one Parquet file in its own order; what cannot be built says why, without values."""

import json
import traceback
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from core.errors import BadPipeline
from core.models import Table
from engine.navigate import build
from engine.navigate.models import Model

COPENHAGEN = "Europe/Copenhagen"


@pytest.fixture
def orders(tmp_path: Path) -> dict[str, Table]:
    """Two files: 200,000 rows, of which the last holds a word where others hold numbers."""
    count = 100_000
    files = (tmp_path / "one.parquet", tmp_path / "two.parquet")
    numbers = pl.DataFrame({"n": range(2 * count)}).with_columns(
        word=pl.when(pl.col("n") < 2 * count - 1).then(pl.col("n").cast(pl.String)).otherwise(pl.lit("Mogens"))
    )
    numbers[:count].write_parquet(files[0])
    numbers[count:].write_parquet(files[1])
    return {"orders": Table("orders", files, {"n": "BIGINT", "word": "VARCHAR"}, rows=2 * count)}


def made(sql: str, tables: dict[str, Table], target: Path) -> Table:
    built = build.build(Model("m", sql, "", tuple(tables)), tables, target, COPENHAGEN)
    return Table("m", (target,), built.columns, rows=built.rows)


def test_a_table_keeps_the_order_of_its_model(orders: dict[str, Table], tmp_path: Path) -> None:
    sql = "select n, n % 7 as rest from orders order by rest desc, n -- the end"
    table = made(sql, orders, tmp_path / "w" / "m.parquet")
    assert table.rows == 200_000
    assert table.columns == {"n": "BIGINT", "rest": "BIGINT"}
    written = pl.read_parquet(tmp_path / "w" / "m.parquet")
    assert written.equals(written.sort(pl.col("rest"), pl.col("n"), descending=[True, False]))
    assert build.rows(table, 3) == build.Rows(["n", "rest"], [[6, 6], [13, 6], [20, 6]])
    assert list((tmp_path / "w").iterdir()) == [tmp_path / "w" / "m.parquet"]  # nothing spilled is left


def test_rows_are_what_json_can_hold(orders: dict[str, Table], tmp_path: Path) -> None:
    sql = """
        select sum(n) as whole, avg(n) as mean, 1.50::decimal(18,2) as price, date '2026-03-29' as day,
            timestamptz '2026-07-01 12:00:00+02' as moment, timestamp '2026-07-01 12:00:00' as local, null as nothing,
            'nan'::double as nan, 'ÆØÅ' as word, true as yes, [1.5::decimal(3,1), 2] as list,
            {'a': date '2026-01-01'} as s,
            'x'::blob as bytes, time '10:30:00' as hour, '7b0cf3d5-9c5e-4c4b-9d53-1a3b0c1f2e11'::uuid as id,
            'b'::enum('a', 'b') as kind
        from orders
    """
    table = made(sql, orders, tmp_path / "m.parquet")
    rows = build.rows(table)
    assert json.loads(json.dumps(rows.rows, allow_nan=False)) == rows.rows
    assert dict(zip(rows.columns, rows.rows[0], strict=True)) == {
        "whole": 19_999_900_000, "mean": 99_999.5, "price": "1.50", "day": "2026-03-29",
        "moment": "2026-07-01T10:00:00Z", "local": "2026-07-01T12:00:00", "nothing": None, "nan": None,
        "word": "ÆØÅ", "yes": True, "list": ["1.5", "2.0"], "s": {"a": "2026-01-01"}, "bytes": "78",
        "hour": "10:30:00", "id": "7b0cf3d5-9c5e-4c4b-9d53-1a3b0c1f2e11", "kind": "b",
    }  # fmt: skip


def test_what_a_model_made_can_be_read_by_the_next(orders: dict[str, Table], tmp_path: Path) -> None:
    first = made("select n % 2 as odd, sum(n) as total, now() as made from orders group by all", orders, tmp_path / "1")
    second = made("select sum(total) as total from m where made < now()", {"m": first}, tmp_path / "2")
    assert build.rows(second).rows == [[19_999_900_000]]


def test_days_are_those_of_the_zone(orders: dict[str, Table], tmp_path: Path) -> None:
    sql = "select date_trunc('day', timestamptz '2026-06-30 23:30:00+00')::date as day from orders limit 1"
    assert build.rows(made(sql, orders, tmp_path / "m.parquet")).rows == [["2026-07-01"]]


def test_an_empty_table_has_columns_and_no_rows(orders: dict[str, Table], tmp_path: Path) -> None:
    table = made("select n, word from orders where n < 0", orders, tmp_path / "m.parquet")
    assert table.rows == 0
    assert build.rows(table) == build.Rows(["n", "word"], [])


def test_no_more_rows_are_read_than_asked_for(orders: dict[str, Table]) -> None:
    assert len(build.rows(orders["orders"]).rows) == 50
    assert build.rows(orders["orders"], 1).rows == [[0, "0"]]
    across_files = build.rows(orders["orders"], 100_001).rows
    assert (len(across_files), across_files[-1]) == (100_001, [100_000, "100000"])


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select word::int as w from orders", "a value cannot be converted to INT32."),
        ("select n from orders where word::int > 5", "a value cannot be converted to INT32."),
        ("select word::int as w from orders order by w", "a value cannot be converted to INT32."),
        ("select sum(word::int) as w from orders", "a value cannot be converted to INT32."),
        ("select error(word) as w from orders where n = 199999", "a function was given a value it does not take."),
        ("select n // 0 as w from orders", "it divides by zero; nullif(x, 0) makes that null."),
        (
            "select (select n from orders) as w from orders",
            "a query in brackets gives more than one row where one value is needed.",
        ),
        ("select n * 9000000000000000 as w from orders", "a number is too big for its type."),
        ("select wrd from orders", "`orders` has no column `wrd`. Did you mean `word`?"),
        ("select nosuch(word) from orders", "there is no function `nosuch`."),
        ("select n, n from orders", "two of its columns have the same name. Name them with AS."),
        ("select n as a, n as A from orders", "two of its columns have the same name. Name them with AS."),
        (
            "select interval 1 day as i from orders",
            "`i` is of the type INTERVAL, which a table cannot hold. Write CAST(i AS VARCHAR).",
        ),
    ],
)
def test_a_model_that_cannot_be_built_says_why_and_quotes_no_value(
    sql: str, told: str, orders: dict[str, Table], tmp_path: Path
) -> None:
    with pytest.raises(BadPipeline) as error:
        made(sql, orders, tmp_path / "w" / "m.parquet")
    assert error.value.message == f"`m` was not built: {told}"
    assert "Mogens" not in "".join(traceback.format_exception(error.value))
    assert list((tmp_path / "w").iterdir()) == []


def test_many_rows_are_written_in_pieces(orders: dict[str, Table], tmp_path: Path) -> None:
    made("select n from orders", orders, tmp_path / "m.parquet")
    assert pq.ParquetFile(tmp_path / "m.parquet").num_row_groups > 1


def test_a_table_has_two_names_and_capital_letters_do_not_matter(orders: dict[str, Table], tmp_path: Path) -> None:
    sql = 'select a.n as "Antal på Ærø" from navigate.ORDERS a join orders b using (n) where n < 3 order by 1'
    assert build.rows(made(sql, orders, tmp_path / "m.parquet")) == build.Rows(["Antal på Ærø"], [[0], [1], [2]])


def test_inputs_without_files_make_an_empty_table(tmp_path: Path) -> None:
    none = Table("none", (), {"n": "BIGINT", "price": "DECIMAL(18,2)", "made": "TIMESTAMP WITH TIME ZONE"})
    table = made("select *, price * 2 as twice from none", {"none": none}, tmp_path / "m.parquet")
    assert (table.rows, table.columns["price"], list(table.columns)[-1]) == (0, "DECIMAL(18,2)", "twice")
    counted = made("select count(*) as n, sum(price) as s from none", {"none": none}, tmp_path / "n.parquet")
    assert build.rows(counted).rows == [[0, None]]


def test_a_model_reads_no_other_file(orders: dict[str, Table], tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\nMogens\n")
    for sql in (f"select * from '{tmp_path}/secret.csv'", f"select * from read_parquet('{tmp_path}/*.parquet')"):
        with pytest.raises(BadPipeline):
            made(sql, orders, tmp_path / "w" / "m.parquet")


ODD = {
    "TIMESTAMPTZ '9999-12-31 23:59:59.999+00'": "9999-12-31T23:59:59.999000Z",
    "TIMESTAMP '12024-01-01 00:00:00'": "12024-01-01T00:00:00", "DATE '0044-03-15 (BC)'": "-0043-03-15",
    "'infinity'::TIMESTAMPTZ": "infinity", "'-infinity'::DATE": "-infinity", "DATE '2024-02-29'": "2024-02-29",
    "TIMESTAMP_NS '2024-01-01 00:00:00.123456789'": "2024-01-01T00:00:00.123456789",
    "[DATE '12024-01-01', NULL]": ["12024-01-01", None], "{'a': [TIMESTAMPTZ '9999-12-31 23:00:00+00']}":
    {"a": ["9999-12-31T23:00:00Z"]}, "MAP {'a': DATE '12024-01-01'}": [["a", "12024-01-01"]],
    "1352171357891584011": "1352171357891584011",
}  # fmt: skip


@pytest.mark.parametrize("sql", ODD)
def test_any_value_is_shown(sql: str, orders: dict[str, Table], tmp_path: Path) -> None:
    table = made(f"select {sql} as x from orders limit 1", orders, tmp_path / "m.parquet")
    assert build.rows(table).rows == [[ODD[sql]]]


@pytest.mark.parametrize("sql", ["'101'::BIT", "340282366920938463463374607431768211455::UHUGEINT"])
def test_a_type_that_files_do_not_hold_is_told(sql: str, orders: dict[str, Table], tmp_path: Path) -> None:
    with pytest.raises(BadPipeline, match="a table cannot hold"):
        made(f"select {sql} as x from orders", orders, tmp_path / "m.parquet")
