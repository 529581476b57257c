"""Read a table or view of a PostgreSQL database, in parts by ranges of its primary key.

Every column comes as PostgreSQL's own text of it: dates in ISO, times in UTC, intervals in ISO 8601, money as a number.
Each part is one read-only transaction with a snapshot of its own: a row that is there all the time and keeps its key
is read once, as it was when its part began; one that comes or goes meanwhile may be read or not.

With `cursor`, later runs read the rows whose cursor is at least as high as any that was published. Those of the ten
minutes before it (of a date: of the day before) are read again, for a row may be committed late, as are those without.

Where the database is stands in a secret, which the administrator sets: who writes pipelines cannot make Atlas
connect to any place of their choice.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from pydantic import AfterValidator

from connectors._postgres_address import Address, address
from connectors._postgres_errors import told
from core.errors import Misconfigured, SourceMissing, SourceUnavailable, SourceUnreadable
from core.models import LINE, Rejects, SourcePart
from core.pipeline import Column, Strict
from core.secrets import Secret

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

BATCH_BYTES = 8 << 20
PART_ROWS = 250_000
MOST_PARTS = 1000
TYPED = True  # 1.234 is a little more than 1: PostgreSQL writes numbers and times in one way
_ROW_BYTES = 100  # a guess, for tables that nobody has analyzed
_NAME = re.compile(r'(?:(?:"((?:[^"]|"")+)"|([^".]+))\.)?(?:"((?:[^"]|"")+)"|([^".]+))')
_SESSION = {
    "search_path": "pg_catalog", "client_encoding": "UTF8", "TimeZone": "UTC", "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601", "bytea_output": "hex", "extra_float_digits": "1", "synchronize_seqscans": "off",
    "statement_timeout": "1h", "lock_timeout": "30s", "idle_in_transaction_session_timeout": "10min",
}  # fmt: skip

_FIND = """
SELECT c.oid, n.nspname, c.relname,
       coalesce(sum(CASE WHEN l.reltuples > 0 THEN l.reltuples ELSE pg_relation_size(l.oid) / %(row)s END), 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class l ON l.relkind IN ('r', 'm') AND (l.oid = c.oid OR l.oid IN (
    SELECT relid FROM pg_partition_tree(CASE WHEN c.relkind = 'p' THEN c.oid END)))
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = %(schema)s AND c.relname = %(table)s
GROUP BY 1, 2, 3
"""
_OTHERS = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^(pg_|information_schema$)'
  AND has_schema_privilege(n.oid, 'USAGE') ORDER BY 1 LIMIT 10000
"""
_BASE = """(
    WITH RECURSIVE base(oid) AS (SELECT a.atttypid UNION ALL
        SELECT t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
    SELECT b.oid FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype <> 'd'
)"""  # the type of a column, of a domain of domains too
_COLUMNS = f"""
SELECT a.attname, {_BASE} = 'money'::regtype FROM pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""  # noqa: S608 - of constants
_CURSOR = f"SELECT format_type({_BASE}, NULL) FROM pg_attribute a WHERE a.attrelid = %s AND a.attname = %s"  # noqa: S608
CURSOR_IS_OF_A_TYPE = True  # whatever its values become: numbers of any length and `infinity` are in order
_LATE = {  # types that can be a cursor, and how late a row may be committed
    "smallint": "", "integer": "", "bigint": "", "numeric": "", "date": " - 1",
    "timestamp without time zone": " - interval '10 minutes'", "timestamp with time zone": " - interval '10 minutes'",
}  # fmt: skip
_INTEGER_KEY = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = %s AND i.indisprimary AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
"""


def _table_name(text: str) -> str:
    if _NAME.fullmatch(text) is None or "\0" in text:
        raise ValueError('is no name of a table; write schema.table, or "a schema"."a.table" where a name has dots')
    return text


class Source(Strict):
    """`dsn` is a secret; `table` is spelled as PostgreSQL lists it, in `public` if no schema stands before it."""

    connector: Literal["postgres"]
    dsn: Secret
    table: Annotated[str, AfterValidator(_table_name)]
    cursor: Column | None = None


def place(source: Source) -> str:
    """What all sources in one database share: it is not asked for too much at once."""
    return f"postgres {_address(source).name}"


def named(source: Source) -> tuple[str, str]:
    """Its namespace and name by the naming rules of OpenLineage."""
    at, _, database = _address(source).name.rpartition("/")
    return f"postgres://{at}", ".".join((database, *_schema_and_table(source.table)))


def check(source: Source) -> None:
    """Raises Misconfigured if the secret is not the address of a PostgreSQL database."""
    _address(source)


def parts(source: Source, base: Path, since: str | None = None) -> list[SourcePart]:  # noqa: ARG001 (one shape for all)
    """About 250,000 rows each by ranges of an integer primary key; the whole in one if there is none.

    What came since a value of the cursor is one part.
    """
    at = _address(source)
    with _transaction(at, source.table) as cursor:
        oid, schema, table, rows = _found(cursor, at, source.table)
        columns = [name for name, _ in cursor.execute(_COLUMNS, [oid]).fetchall()]
        _fit(columns, f"{at.name} {source.table}")
        if source.cursor is not None and source.cursor not in columns:
            raise _no_column(at, source.table, source.cursor, columns)
        spec: dict[str, Any] = {"columns": columns}
        if source.cursor is not None:
            kind = _cursor_type(cursor, at, source, oid)
            if since is not None:
                return [SourcePart(source.table, {**spec, "cursor": source.cursor, "type": kind, "since": since})]
        key = cursor.execute(_INTEGER_KEY, [oid]).fetchone()
        many = min(int(rows) // PART_ROWS + 1, MOST_PARTS)
        if key is None or many == 1:
            return [SourcePart(source.table, spec)]
        bounds = _bounds(cursor, schema, table, key[0], many)
    ends = zip([None, *bounds], [*bounds, None], strict=True)
    return [
        SourcePart(f"{source.table}:{number}", {**spec, "key": key[0], "from": low, "to": high})
        for number, (low, high) in enumerate(ends, 1)
    ]


def read(source: Source, part: SourcePart) -> Iterator[pa.RecordBatch | Rejects]:
    """Batches of about 8 MB of text; a row's line is its number within the part."""
    from psycopg import sql

    at, columns = _address(source), part.spec["columns"]
    names = _fit(columns, f"{at.name} {source.table}")
    yield pa.RecordBatch.from_arrays([[] for _ in names] + [[]], schema=_schema(names))
    with _transaction(at, source.table) as cursor:
        oid, schema, table, _ = _found(cursor, at, source.table)
        there = dict(cursor.execute(_COLUMNS, [oid]).fetchall())
        if gone := next((name for name in columns if name not in there), None):
            raise _no_column(at, source.table, gone, list(there))
        query = sql.SQL("SELECT {} FROM {}{}").format(
            sql.SQL(", ").join(
                sql.SQL("{}::pg_catalog.numeric::pg_catalog.text" if there[name] else "{}::pg_catalog.text").format(
                    sql.Identifier(name)
                )
                for name in columns
            ),
            sql.Identifier(schema, table),
            _where(part.spec),
        )
        copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)").format(query)
        seen = 0
        for rows in _blocks(cursor, copy):
            batch = _batch(rows, names, seen, f"{at.name} {source.table}")
            seen += batch.num_rows
            yield batch
        if seen != cursor.rowcount:
            raise SourceUnavailable(f"`{at.name} {source.table}` sent {cursor.rowcount} rows, {seen} arrived.")


def _address(source: Source) -> Address:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise Misconfigured(
            "Reading PostgreSQL needs the package `psycopg`.", hint="pip install 'atlas-dataops[production]'"
        ) from error
    return address(source.dsn)


@contextmanager
def _transaction(at: Address, table: str) -> "Iterator[Cursor[Any]]":
    """A read-only transaction that sees one state of the database."""
    import psycopg
    from psycopg import sql

    with told(at.name):
        connection: Connection[Any] = psycopg.connect(**at.options, application_name="atlas")
    try:
        with told(f"{at.name} {table}"):
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            cursor = connection.cursor()
            for name, value in _SESSION.items():  # a SELECT would look up names before `search_path` is set
                cursor.execute(sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value)))
            yield cursor
    finally:
        connection.close()


def _found(cursor: "Cursor[Any]", at: Address, name: str) -> tuple[int, str, str, float]:
    """Its number, its names as the catalogue has them, and about how many rows it has."""
    wanted = dict(zip(("schema", "table"), _schema_and_table(name), strict=True))
    if row := cursor.execute(_FIND, {**wanted, "row": _ROW_BYTES}).fetchone():
        return row[0], row[1], row[2], float(row[3])
    known = [found for (found,) in cursor.execute(_OTHERS).fetchall()]
    near = difflib.get_close_matches(f"{wanted['schema']}.{wanted['table']}", known, 3, 0.75) or [
        found for found in known if found.partition(".")[2].casefold() == wanted["table"].casefold()
    ]
    raise SourceMissing(
        f"`{at.name}` has no table `{name}`.",
        hint=f"Near it: {', '.join(near)}." if near else "Correct `table`; capital letters count.",
    )


def _schema_and_table(name: str) -> tuple[str, str]:
    match = _NAME.fullmatch(name)
    assert match is not None
    quoted_schema, schema, quoted_table, table = match.groups()
    return (
        quoted_schema.replace('""', '"') if quoted_schema else schema or "public",
        quoted_table.replace('""', '"') if quoted_table else table,
    )


def _cursor_type(cursor: "Cursor[Any]", at: Address, source: Source, oid: int) -> str:
    (kind,) = cursor.execute(_CURSOR, [oid, source.cursor]).fetchone() or ("",)
    if kind not in _LATE:
        raise SourceUnreadable(
            f"`{at.name} {source.table}` has `{source.cursor}` as {kind}, which cannot be a cursor.",
            hint="A cursor is a number, a date or a time that grows with every change.",
        )
    return str(kind)


def _no_column(at: Address, table: str, column: str, there: list[str]) -> SourceUnreadable:
    near = difflib.get_close_matches(column, there, 3)
    return SourceUnreadable(
        f"`{at.name} {table}` has no column `{column}`.", hint=f"Near it: {', '.join(near)}." if near else "Run again."
    )


def _bounds(cursor: "Cursor[Any]", schema: str, table: str, key: str, many: int) -> list[int]:
    """Where the ranges of a key meet: round numbers, as a value of the table has no place in our own database."""
    from psycopg import sql

    query = sql.SQL("SELECT pg_catalog.min({0}), pg_catalog.max({0}) FROM {1}").format(
        sql.Identifier(key), sql.Identifier(schema, table)
    )
    low, high = cursor.execute(query).fetchone() or (None, None)
    if low is None or high is None:
        return []
    even = (high - low) // many
    shift = max(even.bit_length() - 3, 0)
    step = ((even >> shift) + 1) << shift
    return list(range((low // step + 1) * step, high + 1, step))


def _where(spec: dict[str, Any]) -> Any:
    from psycopg import sql

    if "since" in spec:
        name, kind = sql.Identifier(spec["cursor"]), sql.SQL(spec["type"])
        least = sql.SQL("{}::{}{}").format(sql.Literal(spec["since"]), kind, sql.SQL(_LATE[spec["type"]]))
        # rows with an infinite cursor are read each time
        return sql.SQL(" WHERE {0} >= {1} OR {0} IS NULL OR {0}::pg_catalog.text ILIKE '-infinity'").format(name, least)
    ends = [(">=", spec.get("from")), ("<", spec.get("to"))]
    tests = [
        sql.SQL("{} {} {}").format(sql.Identifier(spec["key"]), sql.SQL(sign), sql.Literal(int(end)))
        for sign, end in ends
        if end is not None
    ]
    return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(tests)) if tests else sql.SQL("")


def _blocks(cursor: "Cursor[Any]", copy: Any) -> Iterator[bytes]:
    """Whole rows: PostgreSQL sends each as one message."""
    waiting: list[bytes] = []
    size = 0
    with cursor.copy(copy) as rows:
        for row in rows:
            waiting.append(bytes(row))
            size += len(row)
            if size >= BATCH_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _batch(rows: bytes, names: list[str], seen: int, name: str) -> pa.RecordBatch:
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(rows),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(rows) + 1, use_threads=False),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:  # its message holds a row
        table = None
    if table is None:
        raise SourceUnreadable(
            f"`{name}` has text that is not UTF-8, near row {seen + 1}.", hint="Correct it there, or read a view."
        )
    lines = pa.array(np.arange(seen + 1, seen + 1 + table.num_rows), pa.int64())
    (batch,) = table.append_column(LINE, lines).combine_chunks().to_batches()
    return batch


def _schema(names: list[str]) -> pa.Schema:
    return pa.schema([*((name, pa.string()) for name in names), (LINE, pa.int64())])


def _fit(columns: list[str], name: str) -> list[str]:
    """The columns' names, fit for SQL and polars, as those of a CSV file are."""
    if not columns:
        raise SourceUnreadable(f"`{name}` has no columns.", hint="Read another table.")
    fit = []
    for number, column in enumerate(columns, 1):
        text = re.sub(r"[\x00-\x1f\x7f]+", " ", column).strip().replace('"', "'")
        if text.lower().startswith(LINE):
            text = text.lstrip("_")
        if text.startswith("^") and text.endswith("$"):
            text = text.lstrip("^")
        fit.append(text or f"column_{number}")
    spelled: dict[str, str] = {}
    for text in fit:
        if other := spelled.get(text.casefold()):
            raise SourceUnreadable(
                f"`{name}` has the columns `{other}` and `{text}`, which SQL does not tell apart.",
                hint="Make a view that names them differently, and read that.",
            )
        spelled[text.casefold()] = text
    return fit
