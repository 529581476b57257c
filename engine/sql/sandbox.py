"""SQL that people write: one SELECT or one expression, in a DuckDB that can open nothing but its tables."""

import atexit
import json
import re
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from core import memory, threads
from core.errors import BadPipeline, QueryStopped
from core.models import Table
from engine import named
from engine.sql import contained, words
from engine.sql.words import nodes, short

LONGEST = 100_000  # letters of a SELECT: more is no question that a person asks, and takes seconds to read
_DEEPEST = 30  # brackets that are open at once: sqlglot recurses for each, Python allows a thousand calls
_LONGEST_CHAIN = 30  # links of x[1][1] or x.f().f(): sqlglot copies all before each, so time grows with the square
_DEEPEST_TYPES = 6  # of them after the name of a type, as in date(…): sqlglot reads what is in each of them twice
_OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE)
_CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE)
_NOT_OF_A_ROW = ("SUBQUERY", "WINDOW", "STAR", "POSITIONAL_REFERENCE", "PARAMETER")
_TOO_DEEP = "The SQL is nested too deeply."
_DUCKDB = sqlglot.Dialect.get_or_raise("duckdb")
_TYPES = _DUCKDB.parser_class.TYPE_TOKENS
_SCHEMA = "navigate"  # models may be read under this name too

T = TypeVar("T")


@dataclass(frozen=True)
class Select:
    """A SELECT that was looked at: its text, and the tables it reads in the order they first come."""

    sql: str
    inputs: tuple[str, ...]


def check_select(sql: str, known: Collection[str]) -> Select:
    """Exactly one SELECT over known tables. `navigate.x` is x. Raises BadPipeline, naming what is not allowed.

    Both parsers read it in a child process: a short text can keep either of them busy for hours.
    """
    return _asked("select", sql, sorted(known), returns=Select)


def check_expression(sql: str, columns: Collection[str] | None) -> str:
    """One expression over the columns of one table, without a query in it, as DuckDB is to read it. Raises BadPipeline.

    Without `columns` their names are taken as they are: the source has not been read yet.
    """
    return _asked("expression", sql, None if columns is None else list(columns), returns=str)


def rule_faults(
    rules: Sequence[tuple[str, str]], seconds: float, columns: Collection[str] | None = None
) -> list[str | None]:
    """What is wrong with each rule: ("expression", SQL over `columns`), ("regex", pattern); None if nothing is.

    The list ends early when the rules before have taken so many seconds of computing.
    """
    try:
        return contained.plan("faults", list(rules), seconds, columns and list(columns), returns=list[str | None])
    except QueryStopped:
        return []


def _asked(name: str, *arguments: Any, returns: type[T]) -> T:
    try:
        return contained.plan(name, *arguments, returns=returns)
    except QueryStopped:
        raise BadPipeline("The SQL takes too much time or memory to be read.", hint="Write it shorter.") from None


# in the child


def selected(sql: str, known: Collection[str], _: object) -> Select:
    """What a child does for `check_select`.

    sqlglot tells what is wrong in words; DuckDB's own parser, which runs the text in the end, must agree with it.
    """
    try:
        return _selected(sql, known)
    except RecursionError:
        raise BadPipeline(_TOO_DEEP) from None


def expressed(sql: str, columns: Collection[str] | None, _: object) -> str:
    """What a child does for `check_expression`."""
    try:
        return _expressed(sql, columns)
    except RecursionError:
        raise BadPipeline(_TOO_DEEP) from None


def faults(
    rules: Sequence[tuple[str, str]], seconds: float, columns: Collection[str] | None, link: object
) -> list[str | None]:
    """What a child does for `rule_faults`."""
    found: list[str | None] = []
    ends = time.thread_time() + seconds
    for kind, text in rules:
        if time.thread_time() > ends:
            break
        found.append(_regex_fault(text) if kind == "regex" else _expression_fault(text, columns, link))
    return found


def _expression_fault(sql: str, columns: Collection[str] | None, link: object) -> str | None:
    try:
        expressed(sql, columns, link)
    except BadPipeline as error:
        # the hint of a column says which was meant; others show how an expression is written
        return f"{error.message} {error.hint}" if columns and "no column" in error.message else error.message
    return None


def _regex_fault(text: str) -> str | None:
    with _parser().cursor() as connection:
        try:
            connection.execute("SELECT regexp_full_match('', ?)", [text])
        except duckdb.Error:
            return f"`{text[:80]}` is not a valid regular expression (RE2)"
    return None


def _selected(sql: str, known: Collection[str]) -> Select:
    tree = _one(sql)
    if not isinstance(tree, exp.Query):
        raise BadPipeline(f"A model is one SELECT; this is `{_kind(tree)}`.", hint="select … from …")
    words.only_known_nodes(tree)
    for table in tree.find_all(exp.Table):
        _is_a_table(table, known)
    inputs = _tables(sql)
    for name, line in inputs.items():
        if name not in known:
            there_are = ", ".join(sorted(known)) or "none yet"
            raise BadPipeline(f"Line {line}: there is no table `{name}`.", hint=f"Tables: {there_are}.")
    if not inputs:
        raise BadPipeline("The SELECT reads no table.", hint="select … from DATASET")
    return Select(sql.strip(), tuple(inputs))


def _expressed(sql: str, columns: Collection[str] | None) -> str:
    tree = _one(f"SELECT {sql}\n")
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or set(_set_args(tree)) - {"expressions"}:
        raise BadPipeline(f"`{short(sql)}` is not one expression.", hint='expression: "shipped_at >= ordered_at"')
    found = tree.expressions[0]
    own_row = BadPipeline(f"`{short(sql)}` may hold only columns of its own row, and no query or aggregate.")
    if found.find(exp.Query, exp.Alias, exp.Star, exp.AggFunc, exp.Window):
        raise own_row
    words.only_known_nodes(found)
    for column in found.find_all(exp.Column):
        if columns is None and not column.table:
            continue
        if columns is None or column.table or column.name.lower() not in {name.lower() for name in columns}:
            raise BadPipeline(f"`{short(sql)}` names `{column.sql()}`, which is no column.",
                              hint=named.suggested(column.name, columns) if columns else None)  # fmt: skip
    text: str = found.sql(dialect="duckdb", comments=False)
    if any(node.get("class") in _NOT_OF_A_ROW for node in nodes(_parsed(f"SELECT {text}"))):
        raise own_row
    return text


def connect(tables: Iterable[Table], timezone: str, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory with a view for each table, and locked: no other file, no network, no setting."""
    connection = open_duckdb(timezone, spill)
    connection.execute(f"CREATE SCHEMA {_SCHEMA}")
    files: list[Path] = []
    for table in tables:
        view(connection, table.name, table.files, table.columns)
        connection.execute(f"CREATE VIEW {_SCHEMA}.{quoted(table.name)} AS FROM main.{quoted(table.name)}")
        files += table.files
    lock(connection, files)
    return connection


def open_duckdb(timezone: str, spill: Path | None = None, workers: int = 2) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that installs and loads nothing by itself.

    What does not fit into memory goes to the folder `spill` while it is needed; without one, that fails.
    """
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "threads": threads.at_most(workers),
            "temp_directory": str(spill) if spill else "",
            # a query that wants more than a share must not take the rest along
            "memory_limit": f"{memory.at_most(memory.quarter())}B",
        }
    )
    connection.execute(f"SET GLOBAL TimeZone = {quoted_text(timezone)}")  # its cursors have it too
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


def running_fault(error: Exception) -> str:
    """What went wrong while rows were read, without DuckDB's own words: they quote values."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    kind = first.partition(" Error:")[0].lower()
    if kind == "conversion":
        target = re.search(r" to ([A-Z][A-Z0-9_]*(?:\(\d+(?:, ?\d+)?\))?)(?= when | because |[.!]?$)", first)
        return f"a value cannot be converted{f' to {target[1]}' if target else ''}."
    if "Division by zero" in first:
        return "it divides by zero; nullif(x, 0) makes that null."
    if "More than one row returned by a subquery" in first:
        return "a query in brackets gives more than one row where one value is needed."
    known = {
        "out of range": "a number is too big for its type.",
        "out of memory": "it needs more memory than there is.",
        "invalid input": "a function was given a value it does not take.",
    }
    return known.get(kind, f"DuckDB stopped with an error of the kind {kind or 'unknown'}.")


def _tables(sql: str) -> dict[str, int]:
    """The tables that a SELECT reads and the lines they first stand in, as DuckDB's own parser sees the text.

    What sqlglot let through can so mean nothing else to the one who runs it. Raises BadPipeline.
    """
    found: dict[str, int] = {}
    _follow(_parsed(sql), frozenset(), found)
    return {name: _line(sql, where) for name, where in sorted(found.items(), key=lambda item: item[1])}


def _parsed(sql: str) -> Any:
    """DuckDB's tree of one SELECT that calls nothing it may not. Raises BadPipeline."""
    with _parser().cursor() as connection:
        try:
            ((told,),) = connection.execute("SELECT json_serialize_sql(CAST(? AS VARCHAR))", [sql]).fetchall()
        except duckdb.Error as error:
            raise BadPipeline("It cannot be read as SQL.") from error
    parsed = json.loads(told)
    if "Max expression depth" in parsed.get("error_message", ""):
        raise BadPipeline(_TOO_DEEP)
    if parsed["error"]:
        if parsed["error_type"] != "parser":
            raise BadPipeline("A model is one SELECT, and nothing else.", hint="select … from …")
        raise BadPipeline(f"Line {_line(sql, int(parsed.get('position', 0)))}: {parsed['error_message']}.")
    if len(parsed["statements"]) != 1:
        raise BadPipeline(f"There must be exactly one statement; there are {len(parsed['statements'])}.")
    words.only_known_words(parsed["statements"])
    return parsed


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """A locked DuckDB without tables, for its parser alone. Opening one takes longer than most expressions."""
    connection = open_duckdb("UTC", workers=1)  # and no thread of its own, which a fork would lose
    lock(connection, [])
    atexit.register(_parser.cache_clear)  # Python would never free it, and DuckDB says so on the terminal
    return connection


def _follow(node: Any, made: frozenset[str], found: dict[str, int]) -> None:
    """Adds the tables below a node of DuckDB's tree, but for those that the query makes itself with WITH."""
    if isinstance(node, list):
        for part in node:
            _follow(part, made, found)
    if not isinstance(node, dict):
        return
    if node.get("type") == "BASE_TABLE":
        name, schema = node["table_name"].lower(), node["schema_name"].lower()
        if node["catalog_name"] or schema not in ("", _SCHEMA):
            raise BadPipeline(f"`{schema}.{name}` cannot be read: only charted datasets and models are tables.")
        if schema or name not in made:
            found[name] = min(node["query_location"], found.get(name, node["query_location"]))
    for entry in (node.get("cte_map") or {}).get("map", []):
        # a name of WITH holds from there on; inside itself only if it is recursive
        itself = entry["value"]["query_node"]["type"] == "RECURSIVE_CTE_NODE"
        _follow(entry["value"], made | {entry["key"].lower()} if itself else made, found)
        made |= {entry["key"].lower()}
    for key, part in node.items():
        if key != "cte_map":
            _follow(part, made, found)


def _line(sql: str, position: int) -> int:
    return sql.encode()[:position].count(b"\n") + 1


def _one(sql: str) -> exp.Expression:
    if len(sql) > LONGEST:
        raise BadPipeline(f"The SQL is longer than {LONGEST:,} letters.")
    if re.search("[\x00\ud800-\udfff]", sql):
        raise BadPipeline("The SQL holds a character that is none.", hint="Save the file as UTF-8 text.")
    try:
        tokens = _DUCKDB.tokenize(sql)
        _not_too_deep(tokens)
        trees = [tree for tree in _DUCKDB.parser().parse(tokens, sql) if tree and not isinstance(tree, exp.Semicolon)]
    except SqlglotError as error:
        details = getattr(error, "errors", None) or [{}]
        line, what = details[0].get("line"), details[0].get("description") or "not SQL"
        what = re.split(r" (?:but got|missing for) <", what)[0]  # the rest is the parser's own language
        raise BadPipeline(f"Line {line}: {what}." if line else f"It cannot be read as SQL: {what}.") from None
    if len(trees) != 1:
        raise BadPipeline(f"There must be exactly one statement; there are {len(trees)}.")
    tree: exp.Expression = trees[0]  # type: ignore[assignment]  # parse gives the base class of the same trees
    return tree


def _not_too_deep(tokens: list[Token]) -> None:
    """Raises BadPipeline where brackets or chains of them would keep sqlglot busy for seconds."""
    chain, before = [0], None  # links so far at each depth, and the token before
    types: list[bool] = []  # whether a type's name stands before each open bracket
    for token in tokens:
        kind = token.token_type
        if kind in _OPENING:
            chain[-1] += 1
            chain.append(0)
            types.append(before in _TYPES)
        elif kind in _CLOSING:
            chain = chain[:-1] or [0]
            types = types[:-1]
        elif kind == TokenType.DOT:
            chain[-1] += 1
        elif before != TokenType.DOT:
            chain[-1] = 0
        if len(chain) > _DEEPEST or chain[-1] > _LONGEST_CHAIN or sum(types) > _DEEPEST_TYPES:
            raise BadPipeline(_TOO_DEEP)
        before = kind


def _is_a_table(table: exp.Table, known: Collection[str]) -> None:
    """Raises BadPipeline if something else stands after FROM, or a table of another place."""
    if not isinstance(table.this, exp.Identifier):
        raise BadPipeline(f"`{_kind(table.this)}` is not allowed after FROM: only tables and unnest are.")
    if table.catalog or table.db.lower() not in ("", _SCHEMA):
        place = ".".join(part for part in (table.catalog, table.db, table.name) if part)
        closed = table.db.lower() == "explore"
        reason = "the raw zone is closed" if closed else "only charted datasets and models are tables"
        hint = f"from {table.name}" if table.name.lower() in known else f"Tables: {', '.join(sorted(known))}."
        raise BadPipeline(f"`{place}` cannot be read: {reason}.", hint=hint)


def _set_args(tree: exp.Expression) -> list[str]:
    return [key for key, value in tree.args.items() if value]


def _kind(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return short(node.name)
    if isinstance(node, exp.Func):
        return node.sql_name().lower()
    return short(node.this if isinstance(node, exp.Command) and isinstance(node.this, str) else node.key.upper())
