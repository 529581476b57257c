"""SQL that people write reads its tables and nothing else: the checker says so, and the lock holds without it."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadPipeline
from core.models import Table
from engine.sql import sandbox

KNOWN = {"orders", "customers", "x y", "kunder_på_ærø"}
COLUMNS = ["a", "b", "order", "x y", "ærø"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A charted table beside what must stay closed: a raw file, a text file, a database."""
    found = tmp_path_factory.mktemp("lake")
    (found / "explore").mkdir()
    pl.DataFrame({"id": [1], "email": ["h_aaaaaaaaaaaaaaaaaaaaaaaaaa"]}).write_parquet(found / "orders.parquet")
    pl.DataFrame({"id": [1], "email": ["open@example.org"]}).write_parquet(found / "explore" / "orders.parquet")
    (found / "secret.csv").write_text("a,b\n1,open@example.org\n")
    with duckdb.connect(str(found / "other.duckdb")) as other:
        other.execute("CREATE TABLE t AS SELECT 1 AS a")
    return found


@pytest.fixture
def locked(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    columns = {"id": "BIGINT", "email": "VARCHAR"}
    with sandbox.connect([Table("orders", (folder / "orders.parquet",), columns)], "Europe/Copenhagen") as connection:
        yield connection


# Both the checker and the lock refuse these; {raw}, {dir} and {db} are what must stay closed.
OPENS_SOMETHING = [
    "select * from '{raw}'",
    'select * from "{raw}"',
    "select * from read_parquet('{raw}')",
    "from read_parquet(['{raw}'])",
    "select * from parquet_scan('{raw}')",
    "select * from parquet_metadata('{raw}')",
    "select * from parquet_schema('{raw}')",
    "select * from orders, read_parquet('{dir}/explore/*.parquet')",
    "select * from \"read_parquet\"('{raw}')",
    "select * from READ_TEXT('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_csv('{dir}/secret.csv')",
    "select * from read_csv_auto('{dir}/secret.csv')",
    "select * from '{dir}/secret.csv'",
    "select * from sniff_csv('{dir}/secret.csv')",
    "select * from read_json('/etc/passwd')",
    "select * from read_duckdb('{db}')",
    "select * from glob('{dir}/*')",
    "select * from 'http://127.0.0.1:1/x.parquet'",
    "select * from orders where id in (select count(*) from read_text('/etc/passwd'))",
    "select * from orders /* /* */ */ , read_text('/etc/passwd')",
    "ATTACH '{db}' AS other",
    "/* select */ ATTACH '{db}'",
    "COPY orders TO '{dir}/out.csv'",
    "COPY (select 1) TO '{dir}/out.csv'",
    "select * from orders -- ;\n; COPY orders TO '{dir}/out.csv'",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{dir}/x.duckdb_extension'",
    "EXPORT DATABASE '{dir}/out'",
    "IMPORT DATABASE '{dir}/out'",
    "PRAGMA enable_external_access=true",
    "PRAGMA lock_configuration=false",
    "SET enable_external_access = true",
    "SET GLOBAL lock_configuration = false",
    "SET allowed_paths = ['{raw}']",
    "SET allowed_directories = ['/']",
    "SET autoinstall_known_extensions = true",
    "RESET lock_configuration",
    "RESET allowed_paths",
    "CREATE SECRET s (TYPE S3)",
    "select getenv('HOME') from orders",
    "select explore.orders.email from explore.orders",
    'select * from "explore"."orders"',
]


@pytest.mark.parametrize("sql", OPENS_SOMETHING)
def test_what_opens_another_file_or_setting_is_refused_by_the_checker(sql: str, folder: Path) -> None:
    with pytest.raises(BadPipeline):
        sandbox.check_select(_filled(sql, folder), KNOWN)


@pytest.mark.parametrize("sql", OPENS_SOMETHING)
def test_what_opens_another_file_or_setting_is_refused_by_duckdb_itself(
    sql: str, folder: Path, locked: duckdb.DuckDBPyConnection
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(duckdb.Error):
        locked.cursor().execute(_filled(sql, folder)).fetchall()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_what_must_stay_closed_could_be_read_without_the_lock(folder: Path) -> None:
    with sandbox.open_duckdb("UTC") as connection:
        for sql in ("from '{raw}'", "from read_csv('{dir}/secret.csv')", "from glob('{dir}/*')"):
            assert connection.execute(_filled(sql, folder)).fetchall()


def test_no_variable_of_ours_is_a_table(locked: duckdb.DuckDBPyConnection) -> None:
    secret = pl.DataFrame({"a": ["open@example.org"]})
    with pytest.raises(duckdb.CatalogException):
        locked.execute("from secret")
    assert len(secret) == 1


# Nothing leaves the tables here, but a model has no business with it.
NOT_A_SELECT = [
    "select * from duckdb_settings()",
    "select * from duckdb_views()",
    "select * from duckdb_secrets()",
    "select * from duckdb_views",
    "select * from pg_tables",
    "select * from sqlite_master",
    "select * from information_schema.tables",
    "select * from system.information_schema.tables",
    "select * from memory.main.orders",
    "select * from main.orders",
    "select * from query('from orders')",
    "select * from query_table('orders')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select current_setting('threads') from orders",
    "select main.current_setting('threads') from orders",
    "select 'threads'.current_setting() from orders",
    "select list_transform(['threads'], x -> current_setting(x)) from orders",
    "select \"CURRENT_SETTING\"('threads') from orders",
    "select getvariable('x') from orders",
    "select nextval('s') from orders",
    "select version() from orders",
    "select sleep_ms(100000) from orders",
    "select $1 from orders",
    "select ? from orders",
    "select * from range(1000000000)",
    "select * from test_all_types()",
    "select * into x from orders",
    "CALL duckdb_settings()",
    "PRAGMA database_list",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE orders",
    "SUMMARIZE orders",
    "EXPLAIN select * from orders",
    "PREPARE a AS select * from orders",
    "EXECUTE a",
    "SET VARIABLE x = 1",
    "USE navigate",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "DETACH memory",
    "INSERT INTO orders VALUES (1, 'a')",
    "UPDATE orders SET id = 2",
    "DELETE FROM orders",
    "DROP VIEW orders",
    "ALTER TABLE orders ADD COLUMN x INT",
    "CREATE TABLE x AS select * from orders",
    "CREATE OR REPLACE VIEW orders AS select 1",
    "CREATE MACRO f() AS 1",
    "values (1)",
    "select 1",
    "select 1; select 2",
    "select * from orders; drop view orders",
    "select * from orders;;; drop view orders",
    "select * from orders /* ; */ ; drop view orders",
    "",
    "  \n",
    ";",
    "-- only a comment",
    "select 'x from orders",
    "select * from (select * from orders",
    "selec * from orders",
    "select '\x00' from orders",
    "select '\ud800' from orders",
]


@pytest.mark.parametrize("sql", NOT_A_SELECT)
def test_what_is_not_one_select_over_tables_is_refused(sql: str) -> None:
    with pytest.raises(BadPipeline):
        sandbox.check_select(sql, KNOWN)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from (with secret as (select 1) select * from secret) a, secret",
        "with a as (with secret as (select 1 from orders) select * from secret) select * from secret",
        "with secret as (select * from secret) select * from secret",
        "with a as (select * from secret), secret as (select 1 from orders) select * from a",
        "with a as (select 1 from orders), a as (select * from secret) select * from a",
        "with orders as materialized (select * from secret) select * from orders",
        "with recursive orders as (select * from secret union all select * from orders) select * from orders",
        "with secret as (select 1 from orders) select * from secret, navigate.secret",
        "select * from orders where 1 in (with secret as (select 1) from secret) and 2 in (from secret)",
        "select * from orders union all (with secret as (select 1) from secret) union all from secret",
        "select * from orders union select * from secret",
        "select (select max(email) from secret) from orders",
        "select * from orders order by (select 1 from secret)",
        "select * from orders limit (select 1 from secret)",
        "select * from orders group by (select 1 from secret)",
        "select * from orders having (select true from secret)",
        "select * from orders qualify 1 in (select 1 from secret)",
        "select distinct on ((select 1 from secret)) * from orders",
        "select sum(id) over (order by (select 1 from secret)) from orders",
        "select count(*) filter (where id in (from secret)) from orders",
        "select * replace ((select 1 from secret) as id) from orders",
        "select list_filter([1], x -> (select true from secret)) from orders",
        "select [x for x in [1] if (select true from secret)] from orders",
        "select * from orders join (from secret) s on true",
        "select * from orders, lateral (from secret)",
        "select * from (values ((select email from secret))), orders",
        "select * from (unpivot secret on id)",
        "table secret",
        "select * from orders, unnest((select [1] from secret))",
    ],
)
def test_no_scope_hides_a_table_that_is_not_known(sql: str) -> None:
    with pytest.raises(BadPipeline):
        sandbox.check_select(sql, KNOWN)


@pytest.mark.parametrize(
    ("sql", "inputs"),
    [
        ("select * from orders", ("orders",)),
        ("select * from ORDERS;", ("orders",)),
        ("select * from navigate.orders -- done", ("orders",)),
        ('select * from "x y" join kunder_på_ærø using (id)', ("x y", "kunder_på_ærø")),
        ("from orders", ("orders",)),
        ("(select * from orders)", ("orders",)),
        ("with a as (select * from orders) select * from a, customers", ("orders", "customers")),
        ("with customers as (select * from orders) select * from customers", ("orders",)),
        ("with recursive t as (select 1 n from orders union all select n + 1 from t where n < 3) from t", ("orders",)),
        ("select * from customers union all select * from orders", ("customers", "orders")),
        ("select user_id, version, query, o.user from orders o", ("orders",)),
        ("select x.y from orders, unnest([1, 2]) x(y)", ("orders",)),
        ("select count(*) filter (where a glob 'x*') from orders group by all", ("orders",)),
        ("select list_transform([1], x -> x + 1), 'getenv(1)' /* read_text('x') */ from orders", ("orders",)),
        ("select * from orders asof join customers using (id)", ("orders", "customers")),
    ],
)
def test_a_select_tells_the_tables_it_reads(sql: str, inputs: tuple[str, ...]) -> None:
    assert sandbox.check_select(sql, KNOWN).inputs == inputs


def test_a_mistake_is_told_with_its_line() -> None:
    with pytest.raises(BadPipeline, match=r"^Line 3: there is no table `ordrs`") as caught:
        sandbox.check_select("-- æøå\nselect *\nfrom ordrs", KNOWN)
    assert caught.value.hint == "Tables: customers, kunder_på_ærø, orders, x y."
    with pytest.raises(BadPipeline, match=r"^Line 2: "):
        sandbox.check_select("select *\nfrom orders where (a = 1", KNOWN)


def test_the_raw_zone_is_named_and_the_charted_table_proposed() -> None:
    with pytest.raises(BadPipeline, match=r"`explore\.orders` cannot be read: the raw zone is closed") as caught:
        sandbox.check_select("select * from explore.orders", KNOWN)
    assert caught.value.hint == "from orders"


@pytest.mark.parametrize(
    "deep",
    [
        "select " + "(" * 5_000 + "1" + ")" * 5_000 + " from orders",
        "select * from " + "(select * from " * 2_000 + "orders" + ")" * 2_000,
        "select " + "not " * 5_000 + "a from orders",
        "select " + "[" * 5_000 + "]" * 5_000 + " from orders",
        "select " + "case when a then " * 2_000 + "1" + " end" * 2_000 + " from orders",
    ],
)
def test_what_is_nested_too_deeply_is_refused_in_words(deep: str) -> None:
    with pytest.raises(BadPipeline, match="nested too deeply"):
        sandbox.check_select(deep, KNOWN)


def test_a_long_select_is_read_and_a_much_longer_one_refused() -> None:
    many = "select " + ", ".join(f"a as c{n}" for n in range(3_000)) + " from orders"
    assert sandbox.check_select(many, KNOWN).inputs == ("orders",)
    with pytest.raises(BadPipeline, match="longer than"):
        sandbox.check_select("select a -- " + "x" * sandbox.LONGEST + "\nfrom orders", KNOWN)


@pytest.mark.parametrize(
    "sql",
    [
        "(select 1)",
        "a in (select 1)",
        "a in (from rows)",
        "exists (from rows)",
        "a > all (select 1)",
        "array(select 1)",
        "case a when (select 1) then 1 end",
        "(with x as (select 1) from x)",
        "count(*) > 1",
        "sum(a) > 1",
        "median(a) > 1",
        "row_number() over () = 1",
        "a over ()",
        "*",
        "columns(*) > 1",
        "columns('.*') > 1",
        "#1 = 1",
        "a, b",
        "a as x",
        "a from rows",
        "a where b",
        "a limit 1",
        "a union select 1",
        "distinct a",
        "a; select 1",
        "a) or (1 = 1",
        "1) from rows; copy rows to 'x'",
        "a -- */ or exists (from rows)\n) or (true",
        "a /*",
        "c > 1",
        "_line_file = 0",
        "rowid = 1",
        "rows.a > 1",
        "a.b > 1",
        "a = $1",
        "a = ?",
        "a = :x",
        "getenv('HOME') = 'x'",
        "main.getenv('HOME') = 'x'",
        "'HOME'.getenv() = 'x'",
        "current_setting('threads') = 'x'",
        "read_text('/etc/passwd') = 'x'",
        "query('select 1')",
        "getvariable('x') = 1",
        "sleep_ms(100000) is null",
        "list_transform([a], x -> getenv(x)) = []",
        r"a = e'\' || ' or exists (from rows) --'",
        "set x = 1",
        "copy rows to 'x'",
        "",
        "  ",
        "--",
        "(" * 5_000 + "a" + ")" * 5_000,
        "a = '\ud800'",
    ],
)
def test_an_expression_holds_nothing_but_its_own_row(sql: str) -> None:
    with pytest.raises(BadPipeline):
        sandbox.check_expression(sql, COLUMNS)


@pytest.mark.parametrize(
    "sql",
    [
        "a >= b",
        "A >= B",
        '"order" > 1 and "x y" is not null',
        "ærø like 'æ%'",
        "abs(a - b) < 0.01",
        "a between 1 and 2 or a not in (3, 4)",
        "case when a then b else null end",
        "try_cast(t as integer) % 2 = 0",
        "d > d - interval '1' day",
        "regexp_matches(t, '^[a-z]+$')",
        "t glob 'x*'",
        "list_filter([a], x -> x > b) = []",
        "a is distinct from b -- whatever */ or (select 1) /*",
        "t = 'it''s; -- no /* comment'",
        r"t = e'\'' or t = '(select 1)'",
        "a\n  is not null",
    ],
)
def test_an_expression_that_holds_runs_as_it_was_meant(sql: str, locked: duckdb.DuckDBPyConnection) -> None:
    text = sandbox.check_expression(sql, [*COLUMNS, "t", "d"])
    assert "--" not in text.replace("; -- no", "")
    locked.execute('CREATE TABLE rows (a INT, b INT, "order" INT, "x y" INT, ærø VARCHAR, t VARCHAR, d DATE)')
    locked.execute(f"SELECT * FROM rows WHERE {text}")


@given(st.text(alphabet="ab1'\"$();-/*\\e[]{}x,=><|. \n", max_size=40))
def test_whatever_stands_in_an_expression_is_refused_or_stays_one_value(sql: str) -> None:
    try:
        text = sandbox.check_expression(sql, COLUMNS)
    except BadPipeline:
        return
    with sandbox.open_duckdb("UTC") as connection:
        ((statement,),) = [(s,) for s in connection.extract_statements(f"SELECT ({text}) FROM rows")]
    assert statement.type == duckdb.StatementType.SELECT


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_any_name_and_any_text_can_be_quoted(text: str) -> None:
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    with sandbox.open_duckdb("UTC") as connection:
        found = connection.execute(f"SELECT {sandbox.quoted_text(text)} AS {sandbox.quoted(text or 'x')}")
        assert found.fetchall() == [(text,)]


def test_an_error_while_running_quotes_no_value(locked: duckdb.DuckDBPyConnection) -> None:
    for sql, said in (
        ("select cast(email as integer) from orders", "a value cannot be converted to INT32."),
        ("select cast(email as date) from orders", "a value cannot be converted."),
        ("select 1 // (id - 1) from orders", "it divides by zero; nullif(x, 0) makes that null."),
        ("select strptime(email, '%Y') from orders", "a function was given a value it does not take."),
        ("select id::bigint + 9223372036854775807 from orders", "a number is too big for its type."),
        ("select error(email) from orders", "a function was given a value it does not take."),
    ):
        with pytest.raises(duckdb.Error) as caught:
            locked.execute(sql).fetchall()
        assert sandbox.running_fault(caught.value) == said
    assert sandbox.running_fault(ValueError("")) == "DuckDB stopped with an error of the kind unknown."


def _filled(sql: str, folder: Path) -> str:
    raw, other = folder / "explore" / "orders.parquet", folder / "other.duckdb"
    return sql.replace("{raw}", str(raw)).replace("{dir}", str(folder)).replace("{db}", str(other))
