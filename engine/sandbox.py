"""SQL that people write: one SELECT or one expression, in a DuckDB that can open nothing but its tables."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from core.errors import BadPipeline
from core.models import Table

# what would tell of the machine, of other tables or of settings; DuckDB's lock keeps the rest shut
_TELLTALE = (
    "getenv", "getvariable", "current_setting", "current_database", "current_schema", "current_user", "session_user",
    "version", "currentversion", "currentdatabase", "currentschema", "pg_", "duckdb_", "pragma_", "read_", "glob",
    "sniff_", "parquet_", "query", "which_secret", "txid_current", "write_log", "parse_duckdb_log", "in_search_path",
    "nextval", "currval",
)  # fmt: skip
_NOT_READING = exp.Command | exp.DDL | exp.DML | exp.Into | exp.Parameter | exp.Placeholder


@dataclass(frozen=True)
class Select:
    """A SELECT that was looked at: its text, and the tables it reads in the order they first come."""

    sql: str
    inputs: tuple[str, ...]


def check_select(sql: str, known: Collection[str]) -> Select:
    """Exactly one SELECT over known tables. `navigate.x` is x. Raises BadPipeline, naming what is not allowed."""
    tree = _one(sql)
    if not isinstance(tree, exp.Query):
        raise BadPipeline(f"A model is one SELECT; this is `{_kind(tree)}`.", hint="select … from …")
    _no_side_doors(tree)
    inputs: dict[str, None] = {}
    for table in tree.find_all(exp.Table):
        name = _table_name(table, tree)
        if name is None:
            continue
        if name not in known:
            there_are = ", ".join(sorted(known)) or "none yet"
            raise BadPipeline(f"There is no table `{name}`.", hint=f"Tables: {there_are}.")
        table.set("db", None)
        inputs[name] = None
    if not inputs:
        raise BadPipeline("The SELECT reads no table.", hint="select … from DATASET")
    return Select(tree.sql(dialect="duckdb"), tuple(inputs))


def check_expression(sql: str, columns: Collection[str]) -> str:
    """One expression over the columns of one table, without a query in it. Raises BadPipeline."""
    tree = _one(f"SELECT {sql}\n")
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or set(_set_args(tree)) - {"expressions"}:
        raise BadPipeline(f"`{_short(sql)}` is not one expression.", hint='expression: "shipped_at >= ordered_at"')
    found = tree.expressions[0]
    if found.find(exp.Query, exp.Alias, exp.Star, exp.AggFunc, exp.Window):
        raise BadPipeline(f"`{_short(sql)}` may hold only columns of its own row, and no query or aggregate.")
    _no_side_doors(found)
    for column in found.find_all(exp.Column):
        if column.table or column.name.lower() not in {name.lower() for name in columns}:
            raise BadPipeline(f"`{_short(sql)}` names `{column.sql()}`, which is no column.",
                              hint=f"Columns: {', '.join(columns)}.")  # fmt: skip
    text: str = found.sql(dialect="duckdb")
    return text


def connect(tables: Iterable[Table], timezone: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory with a view for each table, and locked: no other file, no network, no setting."""
    connection = open_duckdb(timezone)
    files: list[Path] = []
    for table in tables:
        view(connection, table.name, table.files, table.columns)
        files += table.files
    lock(connection, files)
    return connection


def open_duckdb(timezone: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that installs and loads nothing by itself."""
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "threads": 2}
    )
    connection.execute(f"SET TimeZone = {quoted_text(timezone)}")
    return connection


def view(connection: duckdb.DuckDBPyConnection, name: str, files: Collection[Path], columns: dict[str, str]) -> None:
    """A view over Parquet files; without any, an empty table of these columns."""
    if files:
        names = ", ".join(quoted_text(str(file)) for file in files)
        connection.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM read_parquet([{names}])")  # noqa: S608
    else:
        nothing = ", ".join(f"NULL::{kind} AS {quoted(column)}" for column, kind in columns.items())
        connection.execute(f"CREATE VIEW {quoted(name)} AS SELECT {nothing} WHERE false")


def lock(connection: duckdb.DuckDBPyConnection, files: Collection[Path]) -> None:
    """From here on the connection reads these files and nothing else, and no statement can change that."""
    allowed = ", ".join(quoted_text(str(file)) for file in files)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def quoted(name: str) -> str:
    """A name as SQL writes it, whatever stands in it."""
    return '"' + name.replace('"', '""') + '"'


def quoted_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _one(sql: str) -> exp.Expression:
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except SqlglotError as error:
        details = getattr(error, "errors", None) or [{}]
        line, what = details[0].get("line"), details[0].get("description") or "not SQL"
        what = what.split(" but got <")[0]  # the rest is the parser's own language
        raise BadPipeline(f"Line {line}: {what}." if line else f"It cannot be read as SQL: {what}.") from None
    except RecursionError:
        raise BadPipeline("The SQL is nested too deeply.") from None
    if len(trees) != 1:
        raise BadPipeline(f"There must be exactly one statement; there are {len(trees)}.")
    tree: exp.Expression = trees[0]  # type: ignore[assignment]  # parse gives the base class of the same trees
    return tree


def _no_side_doors(tree: exp.Expression) -> None:
    for node in tree.walk():
        if isinstance(
            node, exp.Command | exp.DDL | exp.DML | exp.Into | exp.Parameter | exp.Placeholder
        ) and not isinstance(node, exp.Query):
            raise BadPipeline(f"`{_kind(node)}` is not allowed in SQL that people write.")
        if isinstance(node, exp.Anonymous | exp.Func):
            name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
            if name.startswith(_TELLTALE):
                raise BadPipeline(f"The function `{name}` is not allowed in SQL that people write.")


def _table_name(table: exp.Table, tree: exp.Expression) -> str | None:
    """The name of a table in the catalogue, or None for one that the query makes itself."""
    if not isinstance(table.this, exp.Identifier):
        if isinstance(table.this, exp.Unnest | exp.ReadCSV) or table.this is None:
            raise BadPipeline("Only tables may stand after FROM.")
        raise BadPipeline(f"`{_kind(table.this)}` may not stand after FROM: only tables may.")
    name = table.name
    if table.catalog or table.db not in ("", "navigate"):
        place = f"{table.db}.{name}" if not table.catalog else f"{table.catalog}.{table.db}.{name}"
        reason = "the raw zone is closed" if table.db == "explore" else "only charted datasets and models are tables"
        raise BadPipeline(f"`{place}` cannot be read: {reason}.", hint=f"from {name}")
    if not table.db and any(cte.alias.lower() == name.lower() for cte in tree.find_all(exp.CTE)):
        return None
    return name


def _set_args(tree: exp.Expression) -> list[str]:
    return [key for key, value in tree.args.items() if value]


def _kind(node: exp.Expression) -> str:
    return _short(node.this if isinstance(node, exp.Command) and isinstance(node.this, str) else node.key.upper())


def _short(sql: str) -> str:
    return sql if len(sql) <= 80 else sql[:80] + "…"
