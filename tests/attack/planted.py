"""A database with an analyst who plants objects that shadow what the SQL of Atlas names."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from engine.navigate.postgres import PostgreSQL, Shown

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


@contextmanager
def with_an_analyst(url: str) -> Iterator[Warehouse]:
    """The database of a URL, with both users; they are gone at the end."""
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
