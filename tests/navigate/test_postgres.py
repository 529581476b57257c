"""Models on a real PostgreSQL: whole or not at all, with the grants they had, without a value lost."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import errors

from core.models import Table
from engine.navigate import build
from engine.navigate.models import Model
from engine.navigate.postgres import PostgreSQL, Shown
from tests.program import wait_for

pytestmark = pytest.mark.services


@pytest.fixture
def reader(url: str) -> Iterator[str]:
    """A role that may read whatever Atlas shows from now on; its name."""
    name = f"atlas_reader_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name}")
        yield name
        owner.execute(f"DROP OWNED BY {name}")
        owner.execute(f"DROP ROLE {name}")


@pytest.fixture
def shown(tmp_path: Path) -> Callable[..., Shown]:
    """A version of a model as Atlas builds it, from a SELECT over nothing."""
    inputs = tmp_path / "one.parquet"
    duckdb.sql("SELECT 1 AS n").write_parquet(str(inputs))
    one = Table("one", (inputs,), {"n": "INTEGER"})

    def make(select: str, name: str = "sales") -> Shown:
        target = tmp_path / f"{uuid.uuid4().hex}.parquet"
        text = select if " FROM " in select else f"{select} FROM one"
        built = build.build(Model(name, text, "What was sold", ("one",)), {"one": one}, target, "UTC")
        return Shown(Table(name, (target,), built.columns, rows=built.rows), target.stem, "What was sold")

    return make


def follow(url: str, *versions: Shown) -> list[str]:
    return PostgreSQL(url).follow(lambda: {version.table.name: version for version in versions}, lambda: None)


def ask(url: str, query: str, role: str | None = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        if role:
            connection.execute(f"SET ROLE {role}")
        return connection.execute(query).fetchall()


def copies(url: str) -> int:
    return len(ask(url, "SELECT FROM pg_tables WHERE schemaname = 'navigate_tables' AND tablename LIKE 'copy%'"))


def test_every_type_keeps_every_value(url: str, shown: Callable[..., Shown]) -> None:
    values = {
        "whole": ("9007199254740993::BIGINT", "bigint", "9007199254740993"),
        "small": ("(-7)::TINYINT", "smallint", "-7"),
        "unsigned": ("18446744073709551615::UBIGINT", "numeric", "18446744073709551615"),
        "money": ("1234567890123456.78::DECIMAL(18,2)", "numeric(18,2)", "1234567890123456.78"),
        "none_after": ("10::DECIMAL(18,4)", "numeric(18,4)", "10.0000"),
        "sum_of_whole": ("sum(n) OVER ()", "numeric", "1"),
        "float": ("0.1::DOUBLE + 0.2::DOUBLE", "double precision", "0.30000000000000004"),
        "infinite": ("'infinity'::DOUBLE", "double precision", "Infinity"),
        "no_number": ("'nan'::DOUBLE", "double precision", "NaN"),
        "yes": ("true", "boolean", "true"),
        "text": ("'Åse \"A\", B' || chr(10) || chr(92) || '.'", "text", 'Åse "A", B\n\\.'),
        "zeros": ("'0042'", "text", "0042"),
        "empty": ("''", "text", ""),
        "nothing": ("NULL::VARCHAR", "text", None),
        "day": ("DATE '0001-01-01'", "date", "0001-01-01"),
        "moment": ("TIMESTAMPTZ '2026-10-25 02:30:00.123456+02'", "timestamp with time zone",
                   "2026-10-25 00:30:00.123456+00"),
        "local": ("TIMESTAMP '2026-10-25 02:30:00.000001'", "timestamp without time zone",
                  "2026-10-25 02:30:00.000001"),
        "nanoseconds": ("'2026-10-25 02:30:00.123456789'::TIMESTAMP_NS", "text", "2026-10-25 02:30:00.123456789"),
        "clock": ("TIME '23:59:59.999999'", "time without time zone", "23:59:59.999999"),
        "bytes": ("'\\x00\\xFF'::BLOB", "bytea", "\\x00ff"),
        "id": ("'6f1f0c3a-9b1d-4a0f-8000-000000000001'::UUID", "uuid", "6f1f0c3a-9b1d-4a0f-8000-000000000001"),
        "list": ("[1, NULL, 3]", "jsonb", "[1, null, 3]"),
        "record": ("{'a': 1.5, 'b': ['x']}", "jsonb", '{"a": 1.5, "b": ["x"]}'),
    }  # fmt: skip
    select = ", ".join(f'{value} AS "{name}"' for name, (value, _, _) in values.items())
    assert follow(url, shown(f"SELECT {select}")) == []
    names = ", ".join(f'"{name}"::text' for name in values)
    types = dict(
        ask(url, "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                 "WHERE attrelid = 'navigate.sales'::regclass AND attnum > 0")
    )  # fmt: skip
    (row,) = ask(url + "?options=-c%20timezone%3DUTC", f"SELECT {names} FROM navigate.sales")
    assert dict(zip(values, row, strict=True)) == {name: text for name, (_, _, text) in values.items()}
    assert types == {name: kind for name, (_, kind, _) in values.items()}


def test_a_name_of_any_letters_is_a_column(url: str, shown: Callable[..., Shown]) -> None:
    assert follow(url, shown('SELECT n AS "Åge; DROP ""TABLE"" x", n AS "%s", n AS "select"')) == []
    assert ask(url, 'SELECT "Åge; DROP ""TABLE"" x", "%s", "select" FROM navigate.sales') == [(1, 1, 1)]


def test_rows_come_in_the_order_of_the_model(url: str, shown: Callable[..., Shown]) -> None:
    version = shown("SELECT i FROM (SELECT unnest(range(200000)) AS i FROM one) ORDER BY (i * 7919) % 200000")
    assert follow(url, version) == []
    there = [row[0] for row in ask(url, "SELECT i FROM navigate.sales")]
    assert (there, len(there)) == (duckdb.read_parquet(str(version.table.files[0])).fetchnumpy()["i"].tolist(), 200_000)


def test_a_reader_sees_one_version_or_the_other(url: str, shown: Callable[..., Shown]) -> None:
    """Also one that began to look, at something else, before the new one came."""
    follow(url, shown("SELECT 1 AS a, unnest(range(1000)) AS i"))
    with psycopg.connect(url) as patient:
        patient.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        patient.execute("SELECT 1")
        assert follow(url, shown("SELECT 2 AS a, unnest(range(2000)) AS i")) == []
        found = patient.execute("SELECT min(a), max(a), count(*) FROM navigate.sales").fetchone()
    assert found == (2, 2, 2000)
    assert copies(url) == 1


def test_readers_meanwhile_never_see_half(url: str, shown: Callable[..., Shown]) -> None:
    versions = [shown(f"SELECT {n} AS a, unnest(range({n * 500})) AS i") for n in range(1, 6)]
    follow(url, versions[0])
    stop, seen = threading.Event(), set()

    def read() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.is_set():
                seen.add(connection.execute("SELECT min(a), max(a), count(*) FROM navigate.sales").fetchone())

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    for version in versions * 3:
        assert follow(url, version) == []
    stop.set()
    for thread in readers:
        thread.join()
    assert len(seen) > 1
    assert seen <= {(n, n, n * 500) for n in range(1, 6)}


def test_grants_and_views_of_others_outlive_a_new_version(url: str, reader: str, shown: Callable[..., Shown]) -> None:
    follow(url, shown("SELECT 1 AS a"))
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"GRANT USAGE ON SCHEMA navigate TO {reader}; GRANT SELECT ON navigate.sales TO {reader}")
        owner.execute("CREATE VIEW public.twice AS SELECT a * 2 AS a FROM navigate.sales")
    assert follow(url, shown("SELECT 2 AS a")) == []
    assert follow(url, shown("SELECT 3 AS a, 'new' AS b")) == []
    assert ask(url, "SELECT a, b FROM navigate.sales", reader) == [(3, "new")]
    assert ask(url, "SELECT a FROM public.twice") == [(6,)]


def test_grants_outlive_other_columns(url: str, reader: str, shown: Callable[..., Shown]) -> None:
    follow(url, shown("SELECT 1 AS a, 2 AS b"), shown("SELECT 1 AS a, 2 AS b", "salaries"))
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"GRANT USAGE ON SCHEMA navigate TO {reader}")
        owner.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA navigate GRANT SELECT ON TABLES TO {reader}")
        owner.execute(f"GRANT SELECT (a) ON navigate.sales TO {reader} WITH GRANT OPTION")
    assert follow(url, shown("SELECT 'x' AS b, 'y' AS a"), shown("SELECT 2 AS b", "salaries")) == []
    assert ask(url, "SELECT a FROM navigate.sales", reader) == [("y",)]
    with pytest.raises(errors.InsufficientPrivilege):
        ask(url, "SELECT b FROM navigate.sales", reader)
    with pytest.raises(errors.InsufficientPrivilege):  # nobody had granted it, though a new view would be
        ask(url, "SELECT b FROM navigate.salaries", reader)


def test_a_reader_sees_models_and_nothing_else(url: str, reader: str, shown: Callable[..., Shown]) -> None:
    follow(url, shown("SELECT 1 AS a"))
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE TABLE run (id int)")
        owner.execute(f"GRANT USAGE ON SCHEMA navigate TO {reader}")
        owner.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA navigate GRANT SELECT ON TABLES TO {reader}")
    follow(url, shown("SELECT 1 AS a"), shown("SELECT 1 AS a", "later"))
    assert ask(url, "SELECT a FROM navigate.later", reader) == [(1,)]
    for closed in ("navigate_tables.copies", "navigate_tables.copy_1", "run"):
        with pytest.raises(errors.InsufficientPrivilege):
            ask(url, f"SELECT * FROM {closed}", reader)
    with pytest.raises(errors.InsufficientPrivilege):
        ask(url, "DELETE FROM navigate.later RETURNING 1", reader)


def test_columns_that_others_build_on_are_not_taken_from_them(url: str, shown: Callable[..., Shown]) -> None:
    follow(url, shown("SELECT 1 AS a"))
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE VIEW public.mine AS SELECT a FROM navigate.sales")
    changed = shown("SELECT 'x' AS b")
    (told,) = follow(url, changed)
    assert told.startswith("sales in the warehouse is still what it was: its columns have changed")
    assert ask(url, "SELECT a FROM public.mine") == [(1,)]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("DROP VIEW public.mine")
    assert follow(url, changed) == []
    assert ask(url, "SELECT b FROM navigate.sales") == [("x",)]


def test_what_is_taken_away_says_so_until_it_is_back(url: str, reader: str, shown: Callable[..., Shown]) -> None:
    follow(url, shown("SELECT 1 AS a, [1] AS b"))
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"GRANT USAGE ON SCHEMA navigate TO {reader}; GRANT SELECT ON navigate.sales TO {reader}")
        owner.execute("CREATE VIEW public.mine AS SELECT a FROM navigate.sales")
    assert follow(url) == []
    for view in ("navigate.sales", "public.mine"):
        with pytest.raises(errors.RaiseException, match="sales is taken away until Atlas has built it anew"):
            ask(url, f"SELECT a FROM {view}", reader if view == "navigate.sales" else None)
    assert copies(url) == 0
    assert follow(url, shown("SELECT 2 AS a, [1] AS b")) == []
    assert ask(url, "SELECT a FROM navigate.sales", reader) == [(2,)]


def test_what_cannot_be_held_is_told_and_the_rest_comes(url: str, shown: Callable[..., Shown]) -> None:
    told = follow(
        url,
        shown("SELECT 'a' || chr(0) AS a", "nul"),
        shown(f'SELECT 1 AS "{"å" * 32}"', "long"),
        shown("SELECT 1 AS a"),
    )
    assert [line.partition(" in ")[0] for line in told] == ["long", "nul"]
    assert "NUL" in told[1]
    assert ask(url, "SELECT a FROM navigate.sales") == [(1,)]


def test_many_at_once_bring_each_version_once(url: str, shown: Callable[..., Shown]) -> None:
    versions = [shown("SELECT 1 AS a", f"m{n}") for n in range(4)]
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.extend(follow(url, *versions))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == []
    assert ask(url, "SELECT count(*), max(number) FROM navigate_tables.copies") == [(4, 4)]


def test_a_version_that_is_replaced_while_it_is_copied_is_never_seen(url: str, shown: Callable[..., Shown]) -> None:
    """A ruling may have hidden what it holds."""
    old, new = shown("SELECT 'too open' AS a"), shown("SELECT 'h_x' AS a")
    asked = iter([old, old, new])
    last = new

    def wanted() -> dict[str, Shown]:
        return {"sales": next(asked, last)}

    assert PostgreSQL(url).follow(wanted, lambda: None) == []
    assert ask(url, "SELECT a FROM navigate.sales") == [("h_x",)]
    assert ask(url, "SELECT count(*) FROM navigate_tables.copies") == [(1,)]


def test_a_reader_who_does_not_end_is_told_and_holds_up_nobody_else(url: str, shown: Callable[..., Shown]) -> None:
    follow(url, shown("SELECT 1 AS a"))
    new = shown("SELECT 2 AS a")
    with psycopg.connect(url) as holding:
        holding.execute("SELECT a FROM navigate.sales")
        assert PostgreSQL(url, patience=1).follow(lambda: {"sales": new}, lambda: None) == [
            "sales in the warehouse is still what it was: somebody has been reading it for long."
        ]
        assert ask(url, "SELECT a FROM navigate.sales") == [(1,)]
        assert copies(url) == 1
    assert follow(url, new) == []
    assert ask(url, "SELECT a FROM navigate.sales") == [(2,)]


def test_waiting_for_another_ends_when_it_is_no_longer_wanted(url: str, shown: Callable[..., Shown]) -> None:
    version = shown("SELECT 1 AS a")
    follow(url)

    class Cancelled(Exception):
        pass

    def progress() -> None:
        raise Cancelled

    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('atlas navigate sales', 0))")
        with pytest.raises(Cancelled):
            PostgreSQL(url).follow(lambda: {"sales": version}, progress)
    assert ask(url, "SELECT to_regclass('navigate.sales')") == [(None,)]


def test_a_warehouse_that_is_away_is_told_without_its_password() -> None:
    (told,) = PostgreSQL("postgresql://anna:hunter2@127.0.0.1:9/bi").follow(dict, lambda: None)
    assert told.startswith("The warehouse `127.0.0.1:9/bi` does not answer")


def test_a_user_who_may_not_make_schemas_is_told(url: str, reader: str, shown: Callable[..., Shown]) -> None:
    host = url.rpartition("@")[2]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE {reader} LOGIN PASSWORD 'reader'")
    (told,) = PostgreSQL(f"postgresql://{reader}:reader@{host}").follow(
        lambda: {"sales": shown("SELECT 1 AS a")}, lambda: None
    )
    assert "GRANT CREATE ON DATABASE" in told


def test_a_user_needs_no_more_than_two_schemas(url: str, reader: str, shown: Callable[..., Shown]) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE {reader} LOGIN PASSWORD 'reader'")
        owner.execute(
            f"CREATE SCHEMA navigate AUTHORIZATION {reader}; CREATE SCHEMA navigate_tables AUTHORIZATION {reader}"
        )
    version = shown("SELECT 1 AS a")
    address = f"postgresql://{reader}:reader@{url.rpartition('@')[2]}"
    assert PostgreSQL(address).follow(lambda: {"sales": version}, lambda: None) == []
    assert ask(url, "SELECT a FROM navigate.sales") == [(1,)]


def test_a_version_is_whole_though_its_bringer_is_killed(url: str, shown: Callable[..., Shown]) -> None:
    """Its connection is cut in the middle of the swap, as by a killed process."""
    follow(url, shown("SELECT 1 AS a"))
    new = shown("SELECT 2 AS a")
    told: list[list[str]] = []
    with psycopg.connect(url) as holding, psycopg.connect(url, autocommit=True) as admin:
        holding.execute("SELECT a FROM navigate.sales")
        bringing = threading.Thread(target=lambda: told.append(follow(url, new)))
        bringing.start()
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        assert wait_for(lambda: bool(admin.execute(waiting).fetchall()))
        (pid,) = admin.execute(waiting).fetchone() or (None,)
        admin.execute("SELECT pg_terminate_backend(%s)", [pid])
        bringing.join()
    assert "does not answer" in told[0][0]
    time.sleep(0.1)
    assert ask(url, "SELECT a FROM navigate.sales") == [(1,)]
    assert copies(url) == 1
    assert follow(url, new) == []
    assert ask(url, "SELECT a FROM navigate.sales") == [(2,)]
