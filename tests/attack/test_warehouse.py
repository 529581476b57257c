"""What an analyst creates in the warehouse never runs with the rights of Atlas, and a reader reads models alone."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import errors
from pydantic import SecretStr

from connectors import postgres as source_of
from core.errors import AtlasError
from core.kept import Kept
from core.models import Table
from core.secrets import Secret
from engine.navigate import build, postgres
from engine.navigate.models import Model
from engine.navigate.postgres import PostgreSQL, Shown
from tests.attack.attempts import Attempts, Guard

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
    Guard("connectors/postgres.py", '"search_path": "pg_catalog", ', "",
          "test_warehouse.py::test_a_source_database_runs_nothing_of_its_own_before_the_search_path_is_set"),
    Guard("connectors/postgres.py", 'sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value))',
          '"SELECT set_config(%s, %s, true)", [name, value]',
          "test_warehouse.py::test_a_source_database_runs_nothing_of_its_own_before_the_search_path_is_set"),
    Guard("connectors/postgres.py", "connection.read_only = True", "pass",
          "test_warehouse.py::test_a_view_of_a_source_writes_nothing"),
]  # fmt: skip

FUNCTIONS = (  # arguments, what it returns, and how it calls the real one
    ("hashtextextended", "pg_catalog.text, pg_catalog.int8", "pg_catalog.int8", "pg_catalog.hashtextextended($1, $2)"),
    ("hashtextextended", "pg_catalog.text, pg_catalog.int4", "pg_catalog.int8", "pg_catalog.hashtextextended($1, $2)"),
    ("pg_advisory_xact_lock", "pg_catalog.int8", "pg_catalog.void", "pg_catalog.pg_advisory_xact_lock($1)"),
    ("pg_try_advisory_xact_lock", "pg_catalog.int8", "pg_catalog.bool", "true"),
    ("now", "", "pg_catalog.timestamptz", "pg_catalog.now()"),
    ("format_type", "pg_catalog.oid, pg_catalog.int4", "pg_catalog.text", "pg_catalog.format_type($1, $2)"),
    ("aclexplode", "pg_catalog.aclitem[], OUT grantor pg_catalog.oid, OUT grantee pg_catalog.oid, "
     "OUT privilege_type pg_catalog.text, OUT is_grantable pg_catalog.bool", "SETOF pg_catalog.record", ""),
    ("max", "pg_catalog.int8", "pg_catalog.int8", "$1"),
    ("nullif", "pg_catalog.oid, pg_catalog.int4", "pg_catalog.oid", "$1"),
    ("any_value", "pg_catalog.text", "pg_catalog.text", "$1"),
)  # fmt: skip
OPERATORS = (  # sign, left and right
    ("=", "name", "text"), ("=", "name", "name"), ("=", "oid", "oid"), ("=", "text", "text"), ("=", "int8", "int8"),
    ("=", "int8", "int4"), ("=", "int8", "int2"), (">", "int2", "int4"), (">", "int2", "int2"), ("<>", "oid", "oid"),
    ("<>", "oid", "int4"), ("<>", "oid", "int8"),
)  # fmt: skip
TYPES = (
    "bool", "int2", "int4", "int8", "numeric", "float4", "float8", "date", "time", "timestamp", "timestamptz", "bytea",
    "uuid", "jsonb", "text",
)  # fmt: skip
CATALOGUE = {
    "pg_class": "*", "pg_namespace": "*", "pg_roles": "*",
    "pg_attribute": "attrelid, attname, atttypid, atttypmod, attnum, attisdropped, attacl",
}  # fmt: skip
EVERY_TYPE = (
    "true AS a, 1::TINYINT AS b, 1::INTEGER AS c, 1::BIGINT AS d, 1::HUGEINT AS e, 1::FLOAT AS f, 1::DOUBLE AS g, "
    "DATE '2026-01-01' AS h, TIME '10:00' AS i, TIMESTAMP '2026-01-01' AS j, TIMESTAMPTZ '2026-01-01' AS k, "
    "'x'::BLOB AS l, uuid() AS m, [1] AS n, 'x' AS o, 1.5::DECIMAL(9,2) AS p"
)


@dataclass
class Warehouse:
    """A database with two users: Atlas, and an analyst who may create objects in it."""

    owner: psycopg.Connection[Any]
    analyst: psycopg.Connection[Any]
    url: str
    role: str
    database: str
    traps: list[str] = field(default_factory=list)

    def trap(self, name: str) -> str:
        """A call that notes that it was made, even if its transaction is rolled back."""
        self.traps.append(name)
        number = len(self.traps)
        self.analyst.execute(f"CREATE SEQUENCE traps.s{number}")
        self.analyst.execute(f"GRANT USAGE ON SEQUENCE traps.s{number} TO PUBLIC")
        return f"traps.spring('traps.s{number}')"

    def sprung(self) -> set[str]:
        """The traps that somebody stepped into."""
        called = (
            self.analyst.execute(f"SELECT is_called FROM traps.s{number}").fetchone() == (True,)
            for number in range(1, len(self.traps) + 1)
        )
        return {name for name, was in zip(self.traps, called, strict=True) if was}

    def __call__(self, *versions: Shown) -> list[str]:
        return PostgreSQL(self.url).follow(lambda: {version.table.name: version for version in versions}, lambda: None)


@pytest.fixture
def warehouse(url: str) -> Iterator[Warehouse]:
    name = uuid.uuid4().hex[:12]
    role, analyst = f"atlas_wh_{name}", f"atlas_analyst_{name}"
    server = url.rpartition("@")[2]
    with psycopg.connect(url, autocommit=True) as owner:
        database = owner.info.dbname
        for user in (role, analyst):
            owner.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'w'")
            owner.execute(f"GRANT CREATE, CONNECT ON DATABASE {database} TO {user}")
        owner.execute(f"GRANT CREATE ON SCHEMA public TO {analyst}")
        try:
            with psycopg.connect(f"postgresql://{analyst}:w@{server}", autocommit=True) as other:
                other.execute("CREATE SCHEMA traps; GRANT USAGE ON SCHEMA traps TO PUBLIC")
                other.execute(
                    "CREATE FUNCTION traps.spring(which pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS "
                    "$$ BEGIN PERFORM pg_catalog.nextval(which::pg_catalog.regclass); RETURN true; END $$"
                )
                yield Warehouse(owner, other, f"postgresql://{role}:w@{server}", role, database)
        finally:
            for user in (role, analyst):
                owner.execute(f"DROP OWNED BY {user} CASCADE")
                owner.execute(f"DROP ROLE {user}")


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


def plant(warehouse: Warehouse, schema: str) -> None:
    """Creates, as the analyst, everything that shadows what the SQL of Atlas names."""
    run = warehouse.analyst.execute
    for name, arguments, returns, real in FUNCTIONS:
        call = warehouse.trap(f"function {name}({arguments.partition(', OUT')[0]})")
        ending = "RETURN;" if returns.startswith("SETOF") else f"RETURN {real};"
        if returns.endswith("void"):
            ending = f"PERFORM {real};"
        run(f"CREATE FUNCTION {schema}.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM {call}; {ending} END $$")  # fmt: skip
    run(f"DROP FUNCTION {schema}.max(pg_catalog.int8)")  # an aggregate takes its place
    call = warehouse.trap("aggregate max(int8) as such")
    run(f"CREATE FUNCTION {schema}.most(pg_catalog.int8, pg_catalog.int8) RETURNS pg_catalog.int8 LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM {call}; RETURN greatest($1, $2); END $$")  # fmt: skip
    run(f"CREATE AGGREGATE {schema}.max(pg_catalog.int8) (SFUNC = {schema}.most, STYPE = pg_catalog.int8)")
    for number, (sign, left, right) in enumerate(OPERATORS):
        call = warehouse.trap(f"operator {left} {sign} {right}")
        of = f"pg_catalog.{left}, pg_catalog.{right}"
        run(f"CREATE FUNCTION {schema}.compare{number}({of}) RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$ BEGIN "
            f"PERFORM {call}; RETURN $1 OPERATOR(pg_catalog.{sign}) $2; END $$")  # fmt: skip
        run(f"CREATE OPERATOR {schema}.{sign} (FUNCTION = {schema}.compare{number}, LEFTARG = pg_catalog.{left}, "
            f"RIGHTARG = pg_catalog.{right})")  # fmt: skip
    call = warehouse.trap("operator text || text")
    run(f"CREATE FUNCTION {schema}.joined(pg_catalog.text, pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql "
        f"AS $$ BEGIN PERFORM {call}; RETURN $1 OPERATOR(pg_catalog.||) $2; END $$")  # fmt: skip
    run(f"CREATE OPERATOR {schema}.|| (FUNCTION = {schema}.joined, LEFTARG = pg_catalog.text, "
        "RIGHTARG = pg_catalog.text)")  # fmt: skip
    for name, columns in CATALOGUE.items():
        call = warehouse.trap(f"view {name}")
        run(f"CREATE VIEW {schema}.{name} AS SELECT {columns} FROM pg_catalog.{name} WHERE {call}")
        run(f"GRANT SELECT ON {schema}.{name} TO PUBLIC")
    for name in ("copies", "sales", "navigate", "navigate_tables", "one"):
        call = warehouse.trap(f"table {name} with a trigger")
        run(f"CREATE TABLE {schema}.{name} (number pg_catalog.int8, model pg_catalog.text, version pg_catalog.text)")
        run(f"CREATE FUNCTION {schema}.on_{name}() RETURNS pg_catalog.trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM {call}; RETURN NEW; END $$")  # fmt: skip
        run(f"CREATE TRIGGER a BEFORE INSERT OR DELETE ON {schema}.{name} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION {schema}.on_{name}()")  # fmt: skip
        run(f"GRANT ALL ON {schema}.{name} TO PUBLIC")
    call = warehouse.trap("function taken_away(text)")
    run(f"CREATE FUNCTION {schema}.taken_away(pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM {call}; RETURN true; END $$")  # fmt: skip
    for name in TYPES:
        call = warehouse.trap(f"type {name}")
        run(f"CREATE DOMAIN {schema}.{name} AS pg_catalog.{name} CHECK ({call})")
    call = warehouse.trap("cast from a type of the analyst")
    run(f"CREATE TYPE {schema}.regrole AS ENUM ('a')")
    run(f"CREATE FUNCTION {schema}.as_text({schema}.regrole) RETURNS pg_catalog.text LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM {call}; RETURN 'a'; END $$")  # fmt: skip
    run(f"CREATE CAST ({schema}.regrole AS pg_catalog.text) WITH FUNCTION {schema}.as_text AS IMPLICIT")


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


def test_a_source_database_runs_nothing_of_its_own_before_the_search_path_is_set(
    attempts: Attempts, warehouse: Warehouse
) -> None:
    """The reader of a source has the role that its owner gave it, with the owner's defaults."""
    plant(warehouse, "public")
    shadowed = {
        "set_config": ("pg_catalog.text, pg_catalog.text, pg_catalog.bool", "pg_catalog.text", "$2"),
        "pg_relation_size": ("pg_catalog.oid", "pg_catalog.int8", "0"),
        "has_schema_privilege": ("pg_catalog.oid, pg_catalog.text", "pg_catalog.bool", "true"),
        "min": ("pg_catalog.int8", "pg_catalog.int8", "$1"),
    }
    for name, (arguments, returns, value) in shadowed.items():
        call = warehouse.trap(f"function {name}")
        warehouse.analyst.execute(
            f"CREATE FUNCTION public.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM {call}; RETURN {value}; END $$"
        )
    warehouse.owner.execute(
        "CREATE SCHEMA crm; CREATE TABLE crm.people AS SELECT 1 AS id, 'x'::pg_catalog.text AS name"
    )
    warehouse.owner.execute(f"GRANT USAGE ON SCHEMA crm TO {warehouse.role}")
    warehouse.owner.execute(f"GRANT SELECT ON crm.people TO {warehouse.role}")
    warehouse.owner.execute(f"ALTER ROLE {warehouse.role} SET search_path = public, pg_catalog")
    dsn = Secret("CRM", Kept(SecretStr(warehouse.url)))
    source = source_of.Source(connector="postgres", dsn=dsn, table="crm.people")
    (part,) = source_of.parts(source, DOCUMENT)
    rows = [row for batch in source_of.read(source, part) for row in batch.to_pylist()]  # type: ignore[union-attr]
    assert [row["name"] for row in rows] == ["x"]
    sprung = warehouse.sprung()
    for name in warehouse.traps:
        attempts.tried("source, shadowed name", name, held=name not in sprung)


def test_a_view_of_a_source_writes_nothing(attempts: Attempts, warehouse: Warehouse) -> None:
    """A view of its owner runs with the rights of the reader, in a transaction that only reads."""
    warehouse.analyst.execute("CREATE TABLE public.mine (a int); GRANT ALL ON public.mine TO PUBLIC")
    statements = {
        "insert": "INSERT INTO public.mine VALUES (1)", "create": "CREATE TABLE public.more (a int)",
        "set": "SET TRANSACTION READ WRITE; INSERT INTO public.mine VALUES (1)",
        "set_config": "PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO public.mine VALUES (1)",
        "grant": f"GRANT {warehouse.role} TO {warehouse.analyst.info.user}", "commit": "COMMIT",
        "path": "CREATE TABLE now (a int)", "role": "ALTER ROLE CURRENT_USER PASSWORD 'x'",
    }  # fmt: skip
    for name, statement in statements.items():
        warehouse.analyst.execute(
            f"CREATE OR REPLACE FUNCTION public.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN 1; END $$;"
            "CREATE OR REPLACE VIEW public.v AS SELECT public.f() AS a; GRANT SELECT ON public.v TO PUBLIC"
        )
        dsn = Secret("CRM", Kept(SecretStr(warehouse.url)))
        source = source_of.Source(connector="postgres", dsn=dsn, table="public.v")
        try:
            list(source_of.read(source, source_of.parts(source, DOCUMENT)[0]))
            held = False
        except AtlasError:
            held = warehouse.owner.execute("SELECT count(*) FROM public.mine").fetchone() == (0,)
        attempts.tried("source, view that writes", name, held=held)
