"""SQL that people write reads the tables it may, and nothing else: not by the check, and not by DuckDB's lock."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadPipeline
from core.models import Table
from engine.sql import sandbox

KNOWN = {"orders", "customers", "orders_daily"}
RAW = "lake/explore/orders/raw.parquet"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / RAW).parent.mkdir(parents=True)
    for name, secret in {RAW: 1, "orders.parquet": 2, "payroll.parquet": 3}.items():
        pl.DataFrame({"order_id": [1, 2], "total": [10, secret]}).write_parquet(tmp_path / name)
    (tmp_path / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def connection(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Locked, over one table. These tests pass the check by: the lock must hold alone."""
    table = Table("orders", (home / "orders.parquet",), {"order_id": "BIGINT", "total": "BIGINT"})
    with sandbox.connect([table], "Europe/Copenhagen") as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "inputs"),
    [
        ("select * from orders", ("orders",)),
        ("SELECT * FROM Orders o JOIN \"customers\" c ON c.id = o.id", ("orders", "customers")),
        ("from customers", ("customers",)),
        ("select * from navigate.orders_daily", ("orders_daily",)),
        ("with o as (select * from orders) select * from o union all select * from o", ("orders",)),
        ("with orders as (select * from orders where true) select * from orders", ("orders",)),
        ("with recursive n(i) as (select 1 union all select i + 1 from n where i < 3) from n, orders", ("orders",)),
        ("select * from orders o where exists (from customers c where c.id = o.id)", ("orders", "customers")),
        ("select * from orders, (values (1), (2)) as v(n)", ("orders",)),
        ("select * from orders, unnest([1, 2]) as u(n)", ("orders",)),
        ("select o.* from orders o asof join customers c on o.at >= c.at", ("orders", "customers")),
        ("select * from orders pivot (sum(total) for country in ('DK', 'SE'))", ("orders",)),
        ("-- orders by day\nselect 1 from orders; -- the end", ("orders",)),
        ("select 'from read_csv(''x'')' from orders /* attach 'x' */", ("orders",)),
    ],
)  # fmt: skip
def test_a_select_is_kept_as_written_and_its_tables_are_named(sql: str, inputs: tuple[str, ...]) -> None:
    select = sandbox.check_select(sql, KNOWN)
    assert select.inputs == inputs
    assert select.sql == sql


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "select * from orders, read_csv('/etc/passwd')",
        "select * from /**/ read_csv/**/ ('/etc/passwd')",
        "select * from read_csv_auto('/etc/passwd')",
        "select * from read_parquet('lake/explore/**/*.parquet')",
        "select * from parquet_scan('x.parquet')",
        "select * from parquet_metadata('x.parquet')",
        "select * from read_json('x.json')",
        "select * from read_blob('/etc/passwd')",
        "select * from glob('/etc/*')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from sqlite_scan('x.db', 't')",
        "select * from iceberg_scan('x')",
        "select * from query('select 1')",
        "select * from query_table('orders')",
        "select * from duckdb_settings()",
        "select * from duckdb_secrets()",
        "select * from pragma_database_list()",
        "select * from '/etc/passwd'",
        'select * from "/etc/passwd"',
        "select * from 'lake/explore/orders/raw.parquet'",
        "select * from 'https://example.com/x.parquet'",
        "select * from explore.orders",
        "select * from EXPLORE.orders",
        "select * from orders union all select * from explore.orders",
        "select * from memory.main.orders",
        "select * from information_schema.tables",
        "select * from pg_catalog.pg_class",
        "select * from duckdb_views",
        "select * from sqlite_master",
        "select * from payroll",
        'select * from "orders "',
        "select (select count(*) from payroll) from orders",
        "select * from orders where total in (select content from read_text('/etc/passwd'))",
        "select * from orders where total = (from read_text('/etc/passwd'))",
        "select * from (with hidden as (from orders) from hidden) as x, hidden",
        'select * from (with "/etc/passwd" as (from orders) from "/etc/passwd") as x, "/etc/passwd" as y',
        "with a as (from b), b as (from orders) from a",
        "select getenv('HOME') from orders",
        "select 'HOME'.getenv() from orders",
        "select current_setting('allowed_paths') from orders",
        "select current_user from orders",
        "select version() from orders",
        "select getvariable('x') from orders",
        "select nextval('s') from orders",
        "select write_log('x') from orders",
        "select * from orders; select 1",
        "select * from orders;; drop table orders",
        "select * from orders -- \n; attach 'x.db'",
        "attach 'x.db' as y",
        "copy orders to 'x.csv'",
        "copy (select * from orders) to 'x.csv'",
        "install httpfs",
        "load httpfs",
        "pragma database_list",
        "set threads = 1",
        "reset threads",
        "call pragma_version()",
        "create table x as select * from orders",
        "create macro f() as table select 1",
        "insert into orders select * from orders",
        "with x as (insert into orders values (1, 2) returning *) select * from x",
        "with x as (delete from orders returning *) select * from x, orders",
        "delete from orders",
        "update orders set total = 1",
        "drop view orders",
        "export database 'x'",
        "import database 'x'",
        "use memory",
        "begin",
        "prepare x as select * from orders",
        "explain select * from orders",
        "describe orders",
        "summarize orders",
        "show tables",
        "select * into x from orders",
        "select $1 from orders",
        "select ? from orders",
        "values (1)",
        "select 1",
        "select 1 /* from orders */",
        "select from from",
        "select (",
        "",
        "-- nothing",
    ],
)
def test_anything_but_one_select_over_known_tables_is_refused(sql: str) -> None:
    with pytest.raises(BadPipeline):
        sandbox.check_select(sql, KNOWN)


def test_a_refusal_names_the_thing_and_its_line() -> None:
    with pytest.raises(BadPipeline, match="`read_csv` is not allowed"):
        sandbox.check_select("select * from orders, read_csv('x')", KNOWN)
    with pytest.raises(BadPipeline, match=r"`explore\.orders` cannot be read: the raw zone is closed"):
        sandbox.check_select("select * from explore.orders", KNOWN)
    with pytest.raises(BadPipeline, match="Line 3: there is no table `ordrs`") as refused:
        sandbox.check_select("-- ø\nselect *\nfrom ordrs", KNOWN)
    assert refused.value.hint == "Tables: customers, orders, orders_daily."


def test_sql_of_any_depth_is_answered() -> None:
    with pytest.raises(BadPipeline, match="nested too deeply"):
        sandbox.check_select("select " + "(" * 5000 + "1" + ")" * 5000 + " from orders", KNOWN)


@given(st.text(max_size=60))
def test_whatever_people_write_is_answered_with_a_select_or_an_error_of_ours(text: str) -> None:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    with contextlib.suppress(BadPipeline):
        assert set(sandbox.check_select(text, KNOWN).inputs) <= KNOWN


@given(
    st.lists(st.sampled_from("( ) select from with as orders read_csv 'x' \"y\" , ; -- /* */ union x.y 1 = in".split()))
)
def test_words_of_sql_in_any_order_never_reach_a_table_that_is_not_known(words: list[str]) -> None:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    with contextlib.suppress(BadPipeline):
        assert set(sandbox.check_select(" ".join(words), KNOWN).inputs) <= KNOWN


@pytest.mark.parametrize(
    "sql",
    [
        "shipped_at >= ordered_at",
        "abs(total - quantity * unit_price) < 0.01",
        "country in ('Denmark', 'Sweden') and total is not null",
        "case when paid then total > 0 else true end",
        "list_contains(['a', 'b'], country)",
        '"Total" between 0 and 100 -- a comment',
    ],
)
def test_an_expression_over_the_columns_is_kept(sql: str) -> None:
    columns = ["shipped_at", "ordered_at", "total", "quantity", "unit_price", "country", "paid"]
    text = sandbox.check_expression(sql, columns)
    assert "--" not in text  # it stands in brackets later
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (shipped_at DATE, ordered_at DATE, total DECIMAL(18,2), quantity INT, "
                           "unit_price DECIMAL(18,2), country VARCHAR, paid BOOLEAN)")  # fmt: skip
        assert connection.sql(f"SELECT ({text}) FROM t").types[0] == "BOOLEAN"


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "total >",
        "total, total",
        "total as x",
        "total x",
        "*",
        "missing > 1",
        "orders.total > 1",
        "total > (select 1)",
        "total in (select total from payroll)",
        "exists (from payroll)",
        "sum(total) > 1",
        "row_number() over () = 1",
        "total > 1 from orders",
        "total > 1; drop table x",
        "total > 1) or (select 1 = 1",
        "total > 1 union select 1",
        "getenv('HOME') = 'x'",
        "current_setting('threads') = 'x'",
        "read_text('/etc/passwd') is null",
        "distinct total",
        "total > $1",
        "total > ?",
        "total > 1 limit 1",
    ],
)
def test_an_expression_that_is_none_is_refused(sql: str) -> None:
    with pytest.raises(BadPipeline):
        sandbox.check_expression(sql, ["total"])


def test_a_locked_connection_reads_its_tables_under_both_names(connection: duckdb.DuckDBPyConnection) -> None:
    assert connection.execute("SELECT sum(total) FROM orders").fetchall() == [(12,)]
    assert connection.execute("SELECT navigate.orders.total FROM navigate.orders LIMIT 1").fetchall() == [(10,)]
    assert connection.execute("SELECT sum(total) FROM orders").fetchall() == [(12,)]


def test_a_table_without_files_is_empty_and_has_its_columns() -> None:
    table = Table("orders", (), {"order_id": "BIGINT", "total": "DECIMAL(18,2)"})
    with sandbox.connect([table], "UTC") as connection:
        assert [str(kind) for kind in connection.sql("FROM orders").types] == ["BIGINT", "DECIMAL(18,2)"]
        assert connection.sql("FROM orders").fetchall() == []


def test_times_are_of_the_zone_in_cursors_too() -> None:
    with sandbox.connect([], "America/New_York") as connection, connection.cursor() as cursor:
        hour = "SELECT extract('hour' FROM TIMESTAMPTZ '2026-01-01 12:00:00+00')"
        assert connection.execute(hour).fetchall() == cursor.execute(hour).fetchall() == [(7,)]


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT * FROM read_parquet('{{home}}/{RAW}')",
        f"SELECT * FROM '{{home}}/{RAW}'",
        f"SELECT * FROM parquet_metadata('{{home}}/{RAW}')",
        "SELECT * FROM '{home}/payroll.parquet'",
        "SELECT * FROM '{home}/x/../payroll.parquet'",
        "SELECT * FROM read_parquet('{home}/*.parquet')",
        "SELECT * FROM read_csv('{home}/secret.csv')",
        "SELECT * FROM '{home}/secret.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('{home}/*')",
        "SELECT * FROM 'https://example.com/x.parquet'",
        "SELECT * FROM a_frame",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_secrets()",
        "ATTACH '{home}/x.db'",
        "ATTACH '{home}/payroll.parquet' AS y",
        "COPY orders TO '{home}/x.csv'",
        "COPY (SELECT 1) TO '{home}/orders.parquet'",
        "EXPORT DATABASE '{home}/out'",
        "IMPORT DATABASE '{home}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '{home}/x.duckdb_extension'",
        "FORCE INSTALL httpfs FROM 'https://example.com'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET GLOBAL lock_configuration = false",
        "SET allowed_paths = ['/etc/passwd']",
        "SET allowed_directories = ['/etc']",
        "SET autoinstall_known_extensions = true",
        "SET temp_directory = '{home}'",
        "SET TimeZone = 'UTC'",
        "RESET TimeZone",
        "PRAGMA threads = 1",
        "PRAGMA enable_profiling",
        "SET log_query_path = '{home}/log.txt'",
        "SELECT 1; SELECT * FROM read_text('/etc/passwd')",
        "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    ],
)
def test_the_lock_holds_without_the_check(sql: str, home: Path, connection: duckdb.DuckDBPyConnection) -> None:
    a_frame = pl.DataFrame({"secret": [1]})  # DuckDB looks for names of Python's, unless it is told not to
    before = sorted(home.rglob("*"))
    with pytest.raises(duckdb.Error):
        connection.execute(sql.replace("{home}", str(home))).fetchall()
    assert sorted(home.rglob("*")) == before
    assert not a_frame.is_empty()


def test_a_cursor_of_a_locked_connection_is_locked(home: Path, connection: duckdb.DuckDBPyConnection) -> None:
    with connection.cursor() as cursor, pytest.raises(duckdb.PermissionException):
        cursor.execute(f"SELECT * FROM '{home}/payroll.parquet'")


def test_names_of_files_and_columns_may_hold_quotes(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "folder"'
    folder.mkdir()
    pl.DataFrame({"it's": [1]}).write_parquet(folder / "x.parquet")
    with sandbox.connect([Table("orders", (folder / "x.parquet",), {"it's": "BIGINT"})], "UTC") as connection:
        assert connection.execute('SELECT "it\'s" FROM orders').fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 'Karen'::INT", "a value cannot be converted to INT32."),
        ("SELECT 'Karen'::DECIMAL(18,2)", "a value cannot be converted to DECIMAL(18,2)."),
        ("SELECT 'Karen'::DATE", "a value cannot be converted."),
        ("SELECT 'Karen, to INT32 and 8'::DOUBLE", "a value cannot be converted to DOUBLE."),
        ("SELECT 70707070707 * 80808080808", "a number is too big for its type."),
        ("SELECT error('Karen')", "a function was given a value it does not take."),
        ("SELECT strptime('Karen', '%Y')", "a function was given a value it does not take."),
    ],
)
def test_what_goes_wrong_while_rows_are_read_is_told_without_values(sql: str, told: str) -> None:
    with sandbox.open_duckdb("UTC") as connection, pytest.raises(duckdb.Error) as error:
        connection.execute(sql)
    assert sandbox.running_fault(error.value) == told
