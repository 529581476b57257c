"""PostgreSQL as the warehouse: `navigate.MODEL` is a view over a copy of one version, swapped in one transaction.

Analysts have accounts in the same database, and what they create there must never run with the rights of Atlas. So each
session has `search_path = pg_catalog`, and every name in the SQL is qualified too.
"""

import io
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import duckdb
import psycopg
from psycopg import Connection, errors, sql
from psycopg.conninfo import conninfo_to_dict
from pyarrow import csv

from core.models import Table
from engine.navigate.build import ROWS_AT_ONCE
from engine.sql import sandbox

SCHEMA, COPIES = "navigate", "navigate_tables"
LONGEST_NAME = 63  # bytes: PostgreSQL cuts off the rest without asking
SWAP_SECONDS = 20.0  # how long a swap waits for readers of the view, half a second at a time: others queue behind it

_TYPES = {
    "BOOLEAN": "bool", "TINYINT": "int2", "SMALLINT": "int2", "INTEGER": "int4", "BIGINT": "int8", "UTINYINT": "int2",
    "USMALLINT": "int4", "UINTEGER": "int8", "UBIGINT": "numeric", "HUGEINT": "numeric", "UHUGEINT": "numeric",
    "FLOAT": "float4", "DOUBLE": "float8", "DATE": "date", "TIME": "time", "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp", "TIMESTAMP_MS": "timestamp", "BLOB": "bytea", "UUID": "uuid",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}  # fmt: skip
# values that PostgreSQL could not hold whole are text there: nanoseconds, bits
_NESTED = re.compile(r"(STRUCT|MAP|UNION)\(.*\)|.*\[\d*\]|JSON", re.DOTALL)

_LAYOUT = f"""
CREATE TABLE {COPIES}.copies (
    number pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model pg_catalog.text NOT NULL,
    version pg_catalog.text NOT NULL,  -- '': taken away
    at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE FUNCTION {COPIES}.taken_away(model pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION '% is taken away until Atlas has built it anew', model;
END $$;
"""
_SHOWN = f"SELECT DISTINCT ON (model) model, version FROM {COPIES}.copies ORDER BY model, number DESC"
_OLD = f"""
SELECT number FROM {COPIES}.copies EXCEPT SELECT pg_catalog.max(number) FROM {COPIES}.copies GROUP BY model
"""
# the catalogue itself is asked: `regclass` may answer from before somebody else's transaction
_SCHEMA = "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) %s"
_CLASS = """
pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace
   AND s.nspname OPERATOR(pg_catalog.=) %(schema)s AND c.relname OPERATOR(pg_catalog.=) %(name)s
"""
_COLUMNS = f"""
SELECT k.attname, pg_catalog.format_type(k.atttypid, k.atttypmod)
  FROM pg_catalog.pg_attribute k JOIN {_CLASS} ON k.attrelid OPERATOR(pg_catalog.=) c.oid
 WHERE k.attnum OPERATOR(pg_catalog.>) 0 AND NOT k.attisdropped ORDER BY k.attnum
"""
_GRANTEE = "CASE WHEN a.grantee OPERATOR(pg_catalog.<>) 0 THEN a.grantee::pg_catalog.regrole::pg_catalog.text END"
_GRANTS = f"""
SELECT NULL, {_GRANTEE}, a.privilege_type, a.is_grantable
  FROM {_CLASS}, pg_catalog.aclexplode(c.relacl) a WHERE a.grantee OPERATOR(pg_catalog.<>) c.relowner
UNION ALL
SELECT k.attname, {_GRANTEE}, a.privilege_type, a.is_grantable
  FROM pg_catalog.pg_attribute k JOIN {_CLASS} ON k.attrelid OPERATOR(pg_catalog.=) c.oid,
       pg_catalog.aclexplode(k.attacl) a
"""
_TRUSTED = """
(SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) CURRENT_USER)
"""
_OPEN = f"""
SELECT s.nspname FROM pg_catalog.pg_namespace s
 WHERE s.nspname OPERATOR(pg_catalog.=) ANY (%s)
   AND (s.nspowner OPERATOR(pg_catalog.<>) ALL {_TRUSTED} OR EXISTS (
       SELECT FROM pg_catalog.aclexplode(s.nspacl) a WHERE a.grantee OPERATOR(pg_catalog.<>) ALL {_TRUSTED}
          AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
   ) OR EXISTS (
       SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) s.oid
          AND c.relowner OPERATOR(pg_catalog.<>) ALL {_TRUSTED}
   ))
"""
_LOCK = "pg_catalog.hashtextextended('atlas navigate' OPERATOR(pg_catalog.||) %s, 0)"

Columns = list[tuple[str, str]]


@dataclass(frozen=True)
class Shown:
    """A model as people are to see it: the files of a version, and what tells that version from all others."""

    table: Table
    version: str
    description: str


class PostgreSQL:
    """A database in which people read models with tools of their own."""

    def __init__(self, url: str, patience: float = SWAP_SECONDS) -> None:
        self._url, self._patience = url, patience

    @property
    def name(self) -> str:
        """What may be said of where it is."""
        given = conninfo_to_dict(self._url)
        return f"{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"

    def follow(self, wanted: Callable[[], Mapping[str, Shown]], progress: Callable[[], None]) -> list[str]:
        """Makes every view show what is `wanted` by now, and nothing else; says in words what did not work.

        `progress` is called now and then, and may raise to end it. Any number of processes may do this at once.
        """
        told: list[str] = []
        try:
            with self.connect() as connection:
                _lay_out(connection)
                shown, now = _shown(connection), wanted()
                for model in sorted(shown.keys() | now.keys()):
                    if shown.get(model, "") != _version(now.get(model)):
                        try:
                            _bring(connection, model, wanted, self._patience, progress)
                        except (psycopg.Error, duckdb.Error, OSError, NameTooLong) as error:
                            if connection.closed:
                                raise psycopg.OperationalError from error
                            told.append(f"{model} in the warehouse is still what it was: {_why(error)}.")
                _drop_old(connection)
        except psycopg.OperationalError:
            told.append(f"The warehouse `{self.name}` does not answer or refuses the sign-in: its tables follow later.")
        except OpenToOthers as error:
            told.append(
                f"The warehouse `{self.name}` is not used, because another user owns the schema `{error}` or something "
                "in it, or may create objects in it. ALTER … OWNER TO and REVOKE CREATE ON SCHEMA close it."
            )
        except errors.InsufficientPrivilege:
            told.append(f"The user of the warehouse `{self.name}` may not create schemas: GRANT CREATE ON DATABASE.")
        return told

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self) -> Connection:
        """A connection that notices a server which has gone. Raises psycopg.OperationalError."""
        given = conninfo_to_dict(self._url).get("options") or ""
        # as an option of the connection it comes before what ALTER ROLE and ALTER DATABASE set, and the last one holds
        return psycopg.connect(
            self._url, options=f"{given} -c search_path=pg_catalog", autocommit=True, application_name="atlas",
            connect_timeout=5, tcp_user_timeout=30_000,
            keepalives_idle=10, keepalives_interval=5, keepalives_count=3,
        )  # fmt: skip


class OpenToOthers(Exception):
    """Others can put objects into this schema."""


def _lay_out(connection: Connection) -> None:
    """Makes the schemas and the list of copies where they are missing. Raises OpenToOthers."""

    def is_there() -> bool:
        return bool(_columns(connection, COPIES, "copies"))

    if found := connection.execute(_OPEN, [[SCHEMA, COPIES]]).fetchone():
        raise OpenToOthers(found[0])
    if is_there():
        return
    with connection.transaction():
        connection.execute(f"SELECT pg_catalog.pg_advisory_xact_lock({_LOCK})", [""])
        if not is_there():
            for schema in (SCHEMA, COPIES):  # IF NOT EXISTS would ask for a right that nobody needs then
                if not connection.execute(_SCHEMA, [schema]).fetchone():
                    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            connection.execute(_LAYOUT)


def _columns(connection: Connection, schema: str, name: str) -> Columns:
    """The names and types of a table's or view's columns; none if it does not exist."""
    return connection.execute(_COLUMNS, {"schema": schema, "name": name}).fetchall()


def _shown(connection: Connection) -> dict[str, str]:
    """The version of each model that there is; '' of one that is taken away."""
    return dict(connection.execute(_SHOWN).fetchall())


def _version(shown: Shown | None) -> str:
    return shown.version if shown else ""


def _bring(
    connection: Connection,
    model: str,
    wanted: Callable[[], Mapping[str, Shown]],
    patience: float,
    progress: Callable[[], None],
) -> None:
    """Makes one view show what is wanted, in one transaction."""
    while True:
        with connection.transaction():
            _alone(connection, model, progress)
            target = wanted().get(model)
            if _shown(connection).get(model, "") == _version(target):
                return
            _swap(connection, model, target, patience, progress)
            if _version(wanted().get(model)) == _version(target):
                return
            raise psycopg.Rollback  # a newer version, or a ruling, came meanwhile: nobody is to see this one


class NameTooLong(Exception):
    """PostgreSQL would cut this name off."""


def _why(error: Exception) -> str:
    match error:
        case errors.LockNotAvailable():
            return "somebody has been reading it for long"
        case errors.DependentObjectsStillExist():
            return "its columns have changed, and other views are made of it: drop them, then it follows"
        case errors.CharacterNotInRepertoire():
            return "a text in it holds the character NUL, which PostgreSQL cannot hold"
        case errors.InsufficientPrivilege():
            return "the user of the warehouse does not own it"
        case NameTooLong():
            return f"`{error}` is too long a name for a column, PostgreSQL takes {LONGEST_NAME} bytes"
        case psycopg.Error():
            return f"PostgreSQL does not take it (SQLSTATE {error.sqlstate})"
    return "its files could not be read just now"


def _alone(connection: Connection, model: str, progress: Callable[[], None]) -> None:
    """Nobody else brings this model until the transaction ends."""
    ask = f"SELECT pg_catalog.pg_try_advisory_xact_lock({_LOCK})"
    while connection.execute(ask, [f" {model}"]).fetchone() != (True,):
        progress()
        time.sleep(0.2)


def _swap(
    connection: Connection, model: str, target: Shown | None, patience: float, progress: Callable[[], None]
) -> None:
    insert = f"INSERT INTO {COPIES}.copies (model, version) VALUES (%s, %s) RETURNING number"
    row = connection.execute(insert, [model, _version(target)]).fetchone()
    assert row is not None
    view, copy = sql.Identifier(SCHEMA, model), f"copy_{row[0]}"
    before = _columns(connection, SCHEMA, model)
    if target is None:
        nothing = sql.SQL(", ").join(
            sql.SQL("NULL::{} AS {}").format(sql.SQL(kind), sql.Identifier(name)) for name, kind in before
        )
        select = sql.SQL("SELECT {} WHERE {}.taken_away({})").format(nothing, sql.Identifier(COPIES), model)
        _show(connection, model, select, before, before, patience, progress)
        return
    _copy(connection, sql.Identifier(COPIES, copy), target.table, progress)
    select = sql.SQL("SELECT * FROM {}").format(sql.Identifier(COPIES, copy))
    _show(connection, model, select, before, _columns(connection, COPIES, copy), patience, progress)
    connection.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(view, target.description))


def _copy(connection: Connection, copy: sql.Identifier, table: Table, progress: Callable[[], None]) -> None:
    for name in table.columns:
        if len(name.encode()) > LONGEST_NAME:
            raise NameTooLong(name)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(column_type(kind)))
        for name, kind in table.columns.items()
    )
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(copy, columns))
    # FREEZE: who began to look before this commits sees all of it afterwards, where else it would see no row
    into = sql.SQL("COPY {} FROM STDIN (FORMAT csv, FREEZE)").format(copy)
    with connection.cursor() as cursor, cursor.copy(into) as stream:
        for lines in _lines(table):
            stream.write(lines)
            progress()


def _lines(table: Table) -> Iterator[bytes]:
    """The rows as CSV in which every value is in quotes and null is nothing."""
    texts = ", ".join(_text(sandbox.quoted(name), kind) for name, kind in table.columns.items())
    options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
    with sandbox.connect([table], "UTC") as connection:
        rows = connection.sql(f"SELECT {texts} FROM {sandbox.quoted(table.name)}")
        for batch in rows.to_arrow_reader(ROWS_AT_ONCE):
            file = io.BytesIO()
            csv.write_csv(batch, file, options)
            yield file.getvalue()


def column_type(kind: str) -> str:
    """The type of PostgreSQL that holds every value of a type of DuckDB."""
    if kind.startswith("DECIMAL("):
        return f"pg_catalog.numeric{kind.removeprefix('DECIMAL')}"
    return f"pg_catalog.{'jsonb' if _NESTED.fullmatch(kind) else _TYPES.get(kind, 'text')}"


def _text(column: str, kind: str) -> str:
    """A column as text that PostgreSQL reads back as the same values."""
    if kind == "BLOB":
        return f"'\\x' || hex({column})"
    return f"CAST(to_json({column}) AS VARCHAR)" if _NESTED.fullmatch(kind) else f"CAST({column} AS VARCHAR)"


def _show(
    connection: Connection,
    model: str,
    select: sql.Composed,
    before: Columns,
    now: Columns,
    patience: float,
    progress: Callable[[], None],
) -> None:
    """Makes the view this SELECT; whoever may read it may read it afterwards. Raises LockNotAvailable."""
    end = time.monotonic() + patience
    view = sql.Identifier(SCHEMA, model)
    while True:
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '500ms'")
                if before == now[: len(before)]:
                    connection.execute(sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(view, select))
                else:
                    _anew(connection, model, select, {name for name, _ in now})
            return
        except errors.LockNotAvailable:
            if time.monotonic() > end:
                raise
            progress()
            time.sleep(0.5)


def _anew(connection: Connection, model: str, select: sql.Composed, columns: set[str]) -> None:
    """A view of other columns with the grants of the one before, and none that somebody took back."""
    view, named = sql.Identifier(SCHEMA, model), {"schema": SCHEMA, "name": model}
    grants = connection.execute(_GRANTS, named).fetchall()
    connection.execute(sql.SQL("DROP VIEW {}").format(view))
    connection.execute(sql.SQL("CREATE VIEW {} AS {}").format(view, select))
    for _, role, _, _ in connection.execute(_GRANTS, named).fetchall():  # by default privileges
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(view, sql.SQL(role or "PUBLIC")))
    for column, role, privilege, may_grant in grants:
        if column is None or column in columns:
            part = sql.SQL("({})").format(sql.Identifier(column)) if column else sql.SQL("")
            ending = sql.SQL("WITH GRANT OPTION" if may_grant else "")
            connection.execute(
                sql.SQL("GRANT {}{} ON {} TO {} {}").format(
                    sql.SQL(privilege), part, view, sql.SQL(role or "PUBLIC"), ending
                )
            )


def _drop_old(connection: Connection) -> None:
    """Drops copies that no view shows; one that somebody still reads goes another time."""
    for (number,) in connection.execute(_OLD).fetchall():
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '500ms'")
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(COPIES, f"copy_{number}")))
                connection.execute(f"DELETE FROM {COPIES}.copies WHERE number OPERATOR(pg_catalog.=) %s", [number])
        except (errors.LockNotAvailable, errors.DependentObjectsStillExist):
            continue
