"""What an analyst creates in the warehouse never runs with the rights of Atlas, and a reader reads models alone."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import errors

from core.models import Table
from engine.navigate import build, postgres
from engine.navigate.models import Model
from engine.navigate.postgres import PostgreSQL, Shown
from tests.attack.attempts import Attempts, Guard
from tests.attack.planted import Warehouse, plant, with_an_analyst

pytestmark = pytest.mark.services
DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "run-in-production.md"
GUARDS = [
    Guard("engine/navigate/postgres.py", " -c search_path=pg_catalog", "",
          "test_warehouse.py::test_no_default_of_the_role_or_the_database_moves_the_search_path"),
    Guard("engine/navigate/postgres.py", "raise OpenToOthers(found[0])", "pass",
          "test_warehouse.py::test_a_schema_that_an_analyst_made_first_is_not_used"),
    Guard("engine/navigate/postgres.py", "pg_catalog.hashtextextended('atlas", "hashtextextended('atlas",
          "test_warehouse.py::test_every_name_in_the_sql_is_qualified"),
    Guard("engine/navigate/postgres.py", "pg_catalog.aclexplode(c.relacl)", "aclexplode(c.relacl)",
          "test_warehouse.py::test_every_name_in_the_sql_is_qualified"),
    Guard("engine/navigate/postgres.py", "number OPERATOR(pg_catalog.=) %s", "number = %s",
          "test_warehouse.py::test_every_name_in_the_sql_is_qualified"),
    Guard("engine/navigate/postgres.py", 'return f"pg_catalog.{', 'return f"{',
          "test_warehouse.py::test_every_name_in_the_sql_is_qualified"),
]  # fmt: skip

EVERY_TYPE = (
    "true AS a, 1::TINYINT AS b, 1::INTEGER AS c, 1::BIGINT AS d, 1::HUGEINT AS e, 1::FLOAT AS f, 1::DOUBLE AS g, "
    "DATE '2026-01-01' AS h, TIME '10:00' AS i, TIMESTAMP '2026-01-01' AS j, TIMESTAMPTZ '2026-01-01' AS k, "
    "'x'::BLOB AS l, uuid() AS m, [1] AS n, 'x' AS o, 1.5::DECIMAL(9,2) AS p"
)


@pytest.fixture
def warehouse(url: str) -> Iterator[Warehouse]:
    with with_an_analyst(url) as made:
        yield made


@pytest.fixture
def shown(tmp_path: Path) -> Any:
    """A version of a model as Atlas builds it, from a SELECT over one row."""
    source = tmp_path / "one.parquet"
    duckdb.sql("SELECT 1 AS z").write_parquet(str(source))
    one = Table("one", (source,), {"z": "INTEGER"})

    def make(select: str, name: str = "sales") -> Shown:
        target = tmp_path / f"{uuid.uuid4().hex}.parquet"
        built = build.build(Model(name, f"SELECT {select} FROM one", "", ("one",)), {"one": one}, target, "UTC")
        return Shown(Table(name, (target,), built.columns, rows=built.rows), target.stem, "What was sold")

    return make


def everything(warehouse: Warehouse, connection: psycopg.Connection[Any], shown: Any) -> None:
    """All statements of Atlas once: layout, a model of all types, other columns with grants, taken away, old copies."""
    versions: dict[str, Shown] = {}

    def bring() -> None:
        for model in ("sales", "other"):
            postgres._bring(connection, model, lambda: versions, 5, lambda: None)
        postgres._drop_old(connection)

    postgres._lay_out(connection)
    versions |= {"sales": shown(EVERY_TYPE), "other": shown("1 AS a", "other")}
    bring()
    connection.execute('GRANT SELECT ON navigate.sales TO PUBLIC; GRANT SELECT ("o") ON navigate.sales TO PUBLIC')
    versions["sales"] = shown("1 AS o, 2 AS a")
    bring()
    del versions["sales"]
    bring()
    assert postgres._shown(connection)["sales"] == ""
    (found,) = warehouse.owner.execute("SELECT count(*) FROM navigate.other").fetchall()
    assert found == (1,)


@pytest.mark.parametrize("where", ["public", "$user", "evil"])
def test_nothing_an_analyst_plants_runs_as_atlas(
    attempts: Attempts, warehouse: Warehouse, shown: Any, where: str
) -> None:
    schema = warehouse.role if where == "$user" else where
    warehouse.analyst.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    warehouse.analyst.execute(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC" if where != "public" else "SELECT")
    plant(warehouse, schema)
    path = {"public": "public, pg_catalog", "$user": '"$user", pg_catalog', "evil": "evil, pg_catalog"}[where]
    warehouse.owner.execute(f"ALTER ROLE {warehouse.role} SET search_path = {path}")
    with PostgreSQL(warehouse.url).connect() as connection:
        everything(warehouse, connection, shown)
    sprung = warehouse.sprung()
    for name in warehouse.traps:
        attempts.tried("warehouse, shadowed name", f"{name} in {where}", held=name not in sprung)


def test_every_name_in_the_sql_is_qualified(attempts: Attempts, warehouse: Warehouse, shown: Any) -> None:
    """The statements hold even in a session whose search path the analyst chose."""
    warehouse.analyst.execute("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC")
    plant(warehouse, "evil")
    with psycopg.connect(warehouse.url, autocommit=True, options="-c search_path=evil,pg_catalog") as connection:
        everything(warehouse, connection, shown)
    sprung = warehouse.sprung()
    for name in warehouse.traps:
        attempts.tried("warehouse, shadowed name in an open session", name, held=name not in sprung)


def test_the_traps_work(warehouse: Warehouse) -> None:
    """Without a qualified name each of them is stepped into, so that the tests above show something."""
    plant(warehouse, "public")
    with psycopg.connect(warehouse.url, autocommit=True, options="-c search_path=public,pg_catalog") as connection:
        connection.execute("SELECT hashtextextended('a', 0::int8), hashtextextended('a', 0), now(), max(1::int8)")
        connection.execute("SELECT 1 FROM pg_class WHERE relname = 'a'::name")
        connection.execute("SELECT 1::oid <> 2::oid, 'a'::pg_catalog.text || 'b'::pg_catalog.text")
        connection.execute("SELECT '2026-01-01'::date, 'a'::text")
    assert {
        "function now()", "aggregate max(int8) as such", "view pg_class", "operator name = name", "operator oid <> oid",
        "operator text || text", "type date", "type text",
        "function hashtextextended(pg_catalog.text, pg_catalog.int4)",
    } <= warehouse.sprung()  # fmt: skip


def test_no_default_of_the_role_or_the_database_moves_the_search_path(attempts: Attempts, warehouse: Warehouse) -> None:
    at = f"{warehouse.role} IN DATABASE {warehouse.database}"
    defaults = {
        "role": f"ROLE {warehouse.role}", "database": f"DATABASE {warehouse.database}", "role in database": f"ROLE {at}"
    }  # fmt: skip
    for name, target in defaults.items():
        warehouse.owner.execute(f"ALTER {target} SET search_path = evil, public, pg_catalog")
        for how, options in {"plain": "", "with options": "?options=-c%20search_path%3Devil", "with others":
                             "?options=-c%20statement_timeout%3D99s"}.items():  # fmt: skip
            with PostgreSQL(warehouse.url + options).connect() as connection:
                found = connection.execute("SHOW search_path").fetchone()
                timeout = connection.execute("SHOW statement_timeout").fetchone()
            kept = timeout == ("99s",) if how == "with others" else True
            attempts.tried("warehouse, search path", f"{name}, {how}", held=found == ("pg_catalog",) and kept)
        warehouse.owner.execute(f"ALTER {target} RESET search_path")


PLANTED = {
    "schema navigate": "CREATE SCHEMA navigate; GRANT ALL ON SCHEMA navigate TO PUBLIC",
    "schema navigate_tables": "CREATE SCHEMA navigate_tables; GRANT ALL ON SCHEMA navigate_tables TO PUBLIC",
    "list of copies with a trigger": (
        "CREATE SCHEMA navigate_tables; GRANT ALL ON SCHEMA navigate_tables TO PUBLIC;"
        "CREATE TABLE navigate_tables.copies (number pg_catalog.int8, model pg_catalog.text, version pg_catalog.text "
        "DEFAULT CASE WHEN TRAP THEN '' END, at pg_catalog.timestamptz);"
        "GRANT ALL ON navigate_tables.copies TO PUBLIC;"
        "CREATE FUNCTION navigate_tables.t() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM TRAP; NEW.number := 1; RETURN NEW; END $$;"
        "CREATE TRIGGER t BEFORE INSERT ON navigate_tables.copies FOR EACH ROW EXECUTE FUNCTION navigate_tables.t()"
    ),
    "list of copies as a view": (
        "CREATE SCHEMA navigate_tables; GRANT ALL ON SCHEMA navigate_tables TO PUBLIC;"
        "CREATE VIEW navigate_tables.copies AS SELECT 1::int8 AS number, 'sales'::text AS model, ''::text AS version "
        "WHERE TRAP; GRANT ALL ON navigate_tables.copies TO PUBLIC"
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_schema_that_an_analyst_made_first_is_not_used(
    attempts: Attempts, warehouse: Warehouse, shown: Any, name: str
) -> None:
    call = warehouse.trap(name)
    warehouse.analyst.execute(PLANTED[name].replace("TRAP", call))
    told = warehouse(shown("1 AS a"))
    held = len(told) == 1 and "is not used, because another user owns the schema" in told[0] and not warehouse.sprung()
    attempts.tried("warehouse, planted schema", name, held=held)


def test_a_schema_in_which_an_analyst_may_create_is_not_used(
    attempts: Attempts, warehouse: Warehouse, shown: Any
) -> None:
    assert warehouse(shown("1 AS a")) == []
    analyst = warehouse.analyst.info.user
    for schema in ("navigate", "navigate_tables"):
        for to in (analyst, "PUBLIC"):
            warehouse.owner.execute(f"GRANT CREATE ON SCHEMA {schema} TO {to}")
            (told, *_) = warehouse(shown("2 AS a"))
            attempts.tried("warehouse, planted schema", f"{schema}, CREATE for {to != 'PUBLIC'}", held="is not" in told)
            warehouse.owner.execute(f"REVOKE CREATE ON SCHEMA {schema} FROM {to}")
    warehouse.owner.execute(f"GRANT CREATE, USAGE ON SCHEMA navigate TO {analyst}")
    warehouse.analyst.execute("CREATE TABLE navigate.later (a int)")
    warehouse.owner.execute(f"REVOKE CREATE ON SCHEMA navigate FROM {analyst}")
    (told, *_) = warehouse(shown("2 AS a"))
    attempts.tried("warehouse, planted schema", "a table left in navigate", held="is not used" in told)
    warehouse.analyst.execute("DROP TABLE navigate.later")
    assert warehouse(shown("2 AS a")) == []


def test_an_analyst_reaches_nothing_of_atlas(attempts: Attempts, warehouse: Warehouse, shown: Any) -> None:
    assert warehouse(shown("1 AS a")) == []
    forbidden = {
        "event trigger": "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION traps.f()",
        "default privileges": f"ALTER DEFAULT PRIVILEGES FOR ROLE {warehouse.role} GRANT ALL ON TABLES TO PUBLIC",
        "role setting": f"ALTER ROLE {warehouse.role} SET search_path = traps",
        "database setting": f"ALTER DATABASE {warehouse.database} SET search_path = traps",
        "trigger on the copies": "CREATE TRIGGER t BEFORE INSERT ON navigate_tables.copies EXECUTE FUNCTION traps.f()",
        "rule": "CREATE RULE r AS ON INSERT TO navigate_tables.copies DO ALSO SELECT 1",
        "replaced view": "CREATE OR REPLACE VIEW navigate.sales AS SELECT 1 AS a",
        "replaced function": "CREATE OR REPLACE FUNCTION navigate_tables.taken_away(model text) RETURNS boolean "
        "LANGUAGE sql AS 'SELECT true'",
        "new role": f"SET ROLE {warehouse.role}", "cast": "CREATE CAST (text AS oid) WITH INOUT AS IMPLICIT",
        "operator class": "CREATE OPERATOR CLASS evil DEFAULT FOR TYPE text USING btree AS OPERATOR 1 <",
        "function in pg_catalog": "CREATE FUNCTION pg_catalog.evil() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "rows": "SELECT * FROM navigate.sales", "copies": "SELECT * FROM navigate_tables.copies",
    }  # fmt: skip
    warehouse.analyst.execute("CREATE FUNCTION traps.f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$")
    for name, statement in forbidden.items():
        try:
            warehouse.analyst.execute(statement)
            held = False
        except (errors.InsufficientPrivilege, errors.InvalidObjectDefinition):
            held = True
        attempts.tried("warehouse, rights of an analyst", name, held=held)


def documented(warehouse: Warehouse, readers: str) -> tuple[list[str], list[str]]:
    """The commands of the document, before the first run and after it, with the names of this test."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("## Tables in PostgreSQL")[2].partition("\n## ")[0]
    blocks = re.findall(r"\n\n((?:    [^\n]+\n)+)", text)
    names = {"warehouse": warehouse.database, "atlas": warehouse.role, "readers": readers}
    found = [[re.sub(r"\b(warehouse|atlas|readers)\b", lambda m: names[m[0]], line.strip()) for line in
              block.splitlines()] for block in blocks]  # fmt: skip
    assert len(found) == 2
    return found[0], found[1]


def test_a_reader_reads_models_and_nothing_else_by_the_documented_commands(
    attempts: Attempts, warehouse: Warehouse, shown: Any
) -> None:
    readers, anna = f"readers_{uuid.uuid4().hex[:12]}", f"anna_{uuid.uuid4().hex[:12]}"
    before, after = documented(warehouse, readers)
    owner = warehouse.owner
    owner.execute(f"GRANT CONNECT ON DATABASE {warehouse.database} TO {warehouse.analyst.info.user}")
    try:
        for command in before:
            owner.execute(command)
        owner.execute(f"CREATE ROLE {anna} LOGIN PASSWORD 'w'; GRANT {readers} TO {anna}")
        owner.execute("CREATE TABLE public.run (id int)")
        assert warehouse(shown("1 AS a")) == []
        with psycopg.connect(warehouse.url, autocommit=True) as atlas:
            for command in after:
                atlas.execute(command)
        with psycopg.connect(warehouse.url.replace(warehouse.role, anna), autocommit=True) as reader:
            seen = {"an existing table": lambda: warehouse(shown("1 AS a")), "a new table": lambda: warehouse(
                shown("2 AS a"), shown("1 AS a", "later")), "a rebuilt table": lambda: warehouse(shown("3 AS a"), shown(
                    "4 AS a", "later")), "other columns": lambda: warehouse(shown("'x' AS b, 5 AS a"), shown(
                        "6 AS c, 7 AS a", "later"))}  # fmt: skip
            values = {"an existing table": [1, None], "a new table": [2, 1], "a rebuilt table": [3, 4], "other columns":
                      [5, 7]}  # fmt: skip
            for name, bring in seen.items():
                assert bring() == []
                for model, value in zip(("sales", "later"), values[name], strict=True):
                    if value is not None:
                        assert reader.execute(f"SELECT a FROM navigate.{model}").fetchall() == [(value,)], name
            (copy,) = owner.execute("SELECT max(number) FROM navigate_tables.copies").fetchone() or (None,)
            for statement in (
                "SELECT * FROM navigate_tables.copies", f"SELECT * FROM navigate_tables.copy_{copy}",
                "SELECT * FROM public.run", "SELECT navigate_tables.taken_away('a')",
                "CREATE TABLE navigate.mine (a int)", "CREATE VIEW navigate.mine AS SELECT 1",
                "CREATE TABLE navigate_tables.mine (a int)", "CREATE TABLE public.mine (a int)", "CREATE SCHEMA mine",
                "CREATE FUNCTION navigate.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE TEMP TABLE mine (a int)",
                "DELETE FROM navigate.sales", "INSERT INTO navigate.sales VALUES (1)",
                "TRUNCATE navigate_tables.copies",
                "UPDATE navigate.sales SET a = 1", "DROP VIEW navigate.sales", "ALTER VIEW navigate.sales RENAME TO s",
                f"SET ROLE {warehouse.role}", "SELECT pg_read_file('a')",
                "COPY navigate.sales TO PROGRAM 'true'", "SELECT * FROM pg_authid", "CREATE EXTENSION dblink",
            ):  # fmt: skip
                try:
                    reader.execute(statement)
                    held = False
                except (errors.InsufficientPrivilege, errors.UndefinedFile):
                    held = True
                except errors.FeatureNotSupported:
                    held = "EXTENSION" in statement
                attempts.tried("warehouse, rights of a reader", re.sub(r"_\w{12}\b|\d+", "N", statement), held=held)
            reader.execute("GRANT SELECT ON navigate.sales TO PUBLIC")  # PostgreSQL only warns
            other = owner.execute(
                "SELECT has_table_privilege(%s, 'navigate.sales', 'SELECT')", [warehouse.analyst.info.user]
            ).fetchone()
            attempts.tried("warehouse, rights of a reader", "grant to others", held=other == (False,))
    finally:
        owner.execute(f"DROP OWNED BY {readers} CASCADE; DROP ROLE IF EXISTS {anna}; DROP ROLE {readers}")
