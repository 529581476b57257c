"""A model's table is what its SELECT gives, in its order; a failure names the model and quotes no cell."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from core.errors import BadPipeline
from core.models import Table
from engine.navigate.build import Built, Rows, build, rows
from engine.navigate.models import Model


class Warehouse:
    """Published tables in a folder, and what is built from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables: dict[str, Table] = {}

    def table(self, name: str, *frames: pl.DataFrame, **columns: str) -> None:
        files = tuple(self.folder / f"{name}-{number}.parquet" for number in range(len(frames)))
        for file, frame in zip(files, frames, strict=True):
            frame.write_parquet(file)
        self.tables[name] = Table(name, files, columns or dict.fromkeys(frames[0].columns, "VARCHAR"))

    @property
    def target(self) -> Path:
        return self.folder / "warehouse" / "model" / "1.parquet"

    def build(self, sql: str, timezone: str = "Europe/Copenhagen") -> Built:
        model = Model("model", sql, "", tuple(self.tables))
        return build(model, self.tables, self.target, timezone)

    def rows(self, sql: str, limit: int = 50) -> Rows:
        built = self.build(sql)
        return rows(Table("model", (self.target,), built.columns, rows=built.rows), limit)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    found = Warehouse(tmp_path)
    frame = pl.DataFrame({"id": [3, 1, 2], "town": ["Ærø", "århus", "Øm"], "mail": ["h_a", "open@example.org", None]})
    found.table("orders", frame, frame.with_columns(pl.col("id") + 3))
    return found


def test_the_order_of_the_model_is_kept(warehouse: Warehouse) -> None:
    found = warehouse.rows("select id from orders order by id desc")
    assert [row[0] for row in found.rows] == [6, 5, 4, 3, 2, 1]
    many = warehouse.rows("select unnest(range(200000)) as n from orders where id = 1 order by n desc", limit=3)
    assert many.rows == [[199_999], [199_998], [199_997]]


def test_rows_and_columns_are_counted_and_typed(warehouse: Warehouse) -> None:
    built = warehouse.build('select id, town as "By på dansk", id / 4 as q, sum(id) over () as s from orders')
    assert built.rows == 6
    assert built.columns == {"id": "BIGINT", "By på dansk": "VARCHAR", "q": "DOUBLE", "s": "HUGEINT"}
    assert pq.read_metadata(warehouse.target).num_rows == 6


def test_a_table_has_two_names_and_capital_letters_do_not_matter(warehouse: Warehouse) -> None:
    assert warehouse.build("select id from navigate.ORDERS join orders using (id)").rows == 6


def test_only_the_first_rows_are_read(warehouse: Warehouse) -> None:
    assert len(warehouse.rows("select * from orders", limit=2).rows) == 2
    assert len(warehouse.rows("select * from orders", limit=100).rows) == 6
    assert warehouse.rows("select * from orders", limit=0).rows == []


def test_rows_go_on_into_the_next_file(warehouse: Warehouse) -> None:
    assert [row[0] for row in rows(warehouse.tables["orders"], 4).rows] == [3, 1, 2, 6]


def test_what_json_has_no_word_for_is_written_as_text(warehouse: Warehouse) -> None:
    found = warehouse.rows("""
        select 1.50::decimal(9, 2) as d, timestamptz '2024-01-01 12:00+01' as z, timestamp '2024-01-01 12:00' as t,
               date '2024-02-29' as day, time '10:00' as clock, 'nan'::double as nan, 1e300 as big, true as b,
               sum(id)::hugeint as h, null as n, [1, null] as l, {'a': 1.5::decimal(3, 1)} as s, encode('æ') as raw,
               '00000000-0000-0000-0000-000000000001'::uuid as u, map {'k': 1} as m
        from orders""")
    assert dict(zip(found.columns, found.rows[0], strict=True)) == {
        "d": "1.50", "z": "2024-01-01T11:00:00Z", "t": "2024-01-01T12:00:00", "day": "2024-02-29", "clock": "10:00:00",
        "nan": None, "big": 1e300, "b": True, "h": 21, "n": None, "l": [1, None], "s": {"a": "1.5"}, "raw": "c3a6",
        "u": found.rows[0][13], "m": found.rows[0][14],
    }  # fmt: skip
    json.dumps(found.rows)


def test_naive_and_zoned_times_follow_the_time_zone(warehouse: Warehouse) -> None:
    moment = dt.datetime(2024, 6, 30, 22, 30, tzinfo=dt.UTC)
    warehouse.table("events", pl.DataFrame({"moment": [moment]}))
    sql = "select cast(moment as date) as day from events"
    assert warehouse.rows(sql).rows == [["2024-07-01"]]
    warehouse.build(sql, "UTC")
    assert pl.read_parquet(warehouse.target)["day"].to_list() == [dt.date(2024, 6, 30)]


def test_empty_inputs_make_an_empty_table(warehouse: Warehouse) -> None:
    warehouse.table("none", id="BIGINT", price="DECIMAL(18,2)", moment="TIMESTAMP WITH TIME ZONE")
    built = warehouse.build("select *, price * 2 as twice from none")
    assert built.rows == 0
    assert built.columns["price"] == "DECIMAL(18,2)"
    assert rows(Table("model", (warehouse.target,), built.columns)).rows == []
    assert rows(Table("model", (), built.columns)).columns == ["id", "price", "moment", "twice"]
    assert warehouse.rows("select count(*) as n, sum(price) as s from none").rows == [[0, None]]


@pytest.mark.parametrize(
    "sql",
    [
        "select id, id from orders",
        "select id, town as ID from orders",
        "select * from orders a join orders b on a.id = b.id",
        "select o.*, 1 as town from orders o",
    ],
)
def test_two_columns_of_one_name_are_refused(warehouse: Warehouse, sql: str) -> None:
    with pytest.raises(BadPipeline, match="`model` cannot be built: two of its columns have the same name") as caught:
        warehouse.build(sql)
    assert caught.value.hint == "Name them with AS."
    assert not warehouse.target.exists()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select cast(mail as integer) as n from orders", "a value cannot be converted"),
        ("select cast(mail as date) as n from orders", "a value cannot be converted"),
        ("select strptime(mail, '%Y') as n from orders", "a function was given a value it does not take"),
        ("select error(mail) as n from orders", "a function was given a value it does not take"),
        ("select id // 0 as n from orders", "it divides by zero"),
        ("select id + 9223372036854775807 as n from orders", "a number is too big"),
        ("select (select id from orders) as n from orders", "a query in brackets gives more than one row"),
        ("select cast(mail as decimal(4, 2)) as n from orders where mail like 'o%'", "a value cannot be converted"),
        ("select nothing from orders", 'Referenced column "nothing" not found'),
        ("select * from orders where id = 'x y'", "x y"),
    ],
)
def test_a_failure_names_the_model_and_quotes_no_cell(warehouse: Warehouse, sql: str, said: str) -> None:
    with pytest.raises(BadPipeline, match=r"^`model` cannot be built: ") as caught:
        warehouse.build(sql)
    if said != "x y":  # a value of the person's own SQL may be repeated
        assert said in caught.value.message
    assert "example.org" not in caught.value.message + str(caught.value.hint)
    assert caught.value.__cause__ is None
    assert list(warehouse.target.parent.iterdir()) == []


def test_types_that_a_file_cannot_hold_are_refused_with_what_would_work(warehouse: Warehouse) -> None:
    with pytest.raises(BadPipeline, match="`d` is of the type INTERVAL") as caught:
        warehouse.build("select interval 1 day as d from orders")
    assert caught.value.hint == "CAST(d AS VARCHAR)"
    assert warehouse.rows("select cast(interval 1 day as varchar) as d from orders").rows[0] == ["1 day"]


def test_a_model_reads_no_other_file(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\nopen@example.org\n")
    for sql in (f"select * from '{tmp_path}/secret.csv'", f"select * from read_parquet('{tmp_path}/*.parquet')"):
        with pytest.raises(BadPipeline):
            warehouse.build(sql)


def test_big_whole_numbers_stay_whole(warehouse: Warehouse) -> None:
    found = warehouse.rows("select sum(id * 1000000000000000000::hugeint) as s, null::hugeint as n from orders")
    assert found.rows == [[21 * 10**18, None]]
    assert isinstance(found.rows[0][0], int)


def test_decimals_are_exact(warehouse: Warehouse) -> None:
    prices: list[Any] = [Decimal("0.10")] * 3
    warehouse.table("prices", pl.DataFrame({"p": prices}, {"p": pl.Decimal(18, 2)}))
    assert warehouse.rows("select sum(p) as total from prices").rows == [["0.30"]]
