"""What is wrong with SQL that DuckDB will not plan over its tables, in our words and never in DuckDB's."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from engine.sql import sandbox

Schemas = Mapping[str, Iterable[str]]  # the columns of each table
MOST = 10  # names in one sentence

_COLUMN = re.compile(
    r'(?:Referenced column|does not have a column named|^Binder Error: Column) "?(.+?)"?'
    r"(?: not found| was not found| in (?:EXCLUDE|REPLACE) list|$)"
)
_TYPES = {
    "VARCHAR": "text", "INTEGER_LITERAL": "a whole number", "BIGINT": "a whole number", "INTEGER": "a whole number",
    "HUGEINT": "a whole number", "DOUBLE": "a number", "DATE": "a date", "TIMESTAMP": "a time",
    "TIMESTAMP WITH TIME ZONE": "a time", "BOOLEAN": "true or false", "STRING_LITERAL": "text",
}  # fmt: skip
_CAST = "Convert one of them, for example `CAST(x AS VARCHAR)`."


def planning(error: duckdb.Error, sql: str = "", schemas: Schemas | None = None) -> str:
    """One or more sentences to stand after a colon. `schemas` are the tables of the SQL, for names that are near."""
    told = _planning(error, sql, schemas)
    return told if told[1:2].isupper() else f"{told[0].lower()}{told[1:]}"


def _planning(error: duckdb.Error, sql: str, schemas: Schemas | None) -> str:
    said = str(error).strip()
    first = said.splitlines()[0]
    tables = {name.lower(): list(columns) for name, columns in (schemas or {}).items()}
    if tables and (told := _missing(sql, tables)):
        return " ".join(told)
    for pattern, words in _WORDS:
        if found := re.search(pattern, first):
            return words(found)
    if column := _COLUMN.search(first):
        return _no_column(list(tables), column[1], tables)
    if first.startswith(("Conversion", "Invalid Input", "Out of Range")):
        return sandbox.running_fault(error)
    return "Its SQL does not fit its tables."


def _missing(sql: str, tables: Mapping[str, list[str]]) -> list[str]:
    """A sentence for each column that is named with its table, or the table's alias, and that the table lacks."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        scopes = traverse_scope(tree)
    except (SqlglotError, RecursionError):
        return []
    found: dict[str, None] = {}
    for scope in scopes:
        for column in scope.columns:
            source = scope.sources.get(column.table)
            renamed = isinstance(source, exp.Table) and source.alias_column_names
            table = source.name.lower() if isinstance(source, exp.Table) and not renamed else ""
            known = tables.get(table)
            if known is not None and column.name.lower() not in {name.lower() for name in known}:
                found[_no_column([table], column.name, tables)] = None
    return list(found)


def _no_column(among: list[str], column: str, tables: Mapping[str, list[str]]) -> str:
    """`orders has no column belob. Did you mean beloeb?`, of one table or of several."""
    named = [f"`{name}`" for name in among]
    if not named:
        return f"There is no column `{column}`."
    if any(column.casefold() == name.casefold() for table in among for name in tables[table]):
        return f"`{column}` is not known at that place: a query in brackets or of WITH may not pass it on."
    lacks = f"{named[0]} has" if len(named) == 1 else f"None of {_listed(named)} has"
    told = f"{lacks} {'no' if len(named) == 1 else 'a'} column `{column}`."
    near: dict[str, str] = {}
    for table in among:
        for name in tables[table]:
            near.setdefault(name.casefold(), name if len(among) == 1 else f"{table}.{name}")
    close = [near[name] for name in get_close_matches(column.casefold(), near, 2, 0.6)]
    if close:
        return f"{told} Did you mean {' or '.join(f'`{name}`' for name in close)}?"
    if len(among) == 1:
        return f"{told} It has {_listed([f'`{name}`' for name in tables[among[0]]])}."
    return told


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= MOST else [*names[: MOST - 1], f"{len(names) - MOST + 1} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)


def _types(said: str) -> str:
    kinds = re.findall(r"[A-Z_ ]+(?:\([^)]*\))?(?:\[\])?", said)
    names = [_kind(kind.strip()) for kind in kinds if kind.strip()]
    return " and ".join(dict.fromkeys(names)) or "such values"


def _kind(kind: str) -> str:
    return "a decimal" if kind.startswith("DECIMAL") else _TYPES.get(kind, kind.lower().replace("_", " "))


def _function(found: re.Match[str]) -> str:
    name = "LIKE" if found[1] == "~~" else found[1]
    return f"`{name}` does not take {_types(found[2])}. Convert the value first, such as `CAST(x AS DECIMAL(18,2))`."


def _several(found: re.Match[str]) -> str:
    ways = re.findall(r"'([^']+)'", found[2])
    return f"Several of its tables have a column `{found[1]}`. Write {' or '.join(f'`{way}`' for way in ways)}."


# DuckDB's first line -> our words; only names of columns, tables and functions are taken over
_WORDS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r'Column "(.+?)" does not exist on (?:left|right) side of join',
     lambda it: f"USING names `{it[1]}`, which one side of the join does not have."),
    (r'Referenced table "(.+?)" not found', lambda it: f"There is no table or alias `{it[1]}` in its FROM."),
    (r'Ambiguous reference to column name "(.+?)" \(use: (.+)\)', _several),
    (r'Ambiguous reference to table "(.+?)"',
     lambda it: f"Two of its tables are called `{it[1]}`. Give one of them another alias."),
    (r'column "(.+?)" must appear in the GROUP BY',
     lambda it: f"`{it[1]}` must stand in GROUP BY, or in an aggregate such as `max({it[1]})`."),
    (r"No function matches the given name and argument types '(\w+|\W+?)\((.*)\)'", _function),
    (r"Function with name (\S+) does not exist", lambda it: f"There is no function `{it[1]}`."),
    (r"Type with name (\S+) does not exist", lambda it: f"There is no type `{it[1]}`."),
    (r"aggregate function calls cannot be nested", lambda _: "An aggregate stands inside another one."),
    (r"WHERE clause cannot contain aggregates", lambda _: "An aggregate cannot stand in WHERE. Use HAVING."),
    (r"(\w+(?: BY)?) clause cannot contain aggregates", lambda it: f"An aggregate cannot stand in {it[1]}."),
    (r"(\w+(?: BY)?) clause cannot contain window functions",
     lambda it: f"A window function cannot stand in {it[1]}. Use QUALIFY."),
    (r"Set operations can only apply", lambda _: "The parts of its UNION have different numbers of columns."),
    (r"Subquery returns (\d+) columns", lambda it: f"A query in brackets gives {it[1]} columns where one is needed."),
    (r"(ORDER|GROUP BY) term out of range - should be between 1 and (\d+)",
     lambda it: f"{it[1].removesuffix(' BY')} BY names a column by a number above {it[2]}."),
    (r"Cannot (?:mix|compare) values of type (.+?) and (?:type )?(.+?) (?:in |- an)",
     lambda it: f"{_kind(it[1])} and {_kind(it[2])} are mixed.".capitalize() + f" {_CAST}"),
    (r"Cannot extract field '(.+?)' from expression \"(.+?)\"",
     lambda it: f"`{it[2]}` is a column without fields, so there is no `{it[2]}.{it[1]}`."),
    (r'table "(.+?)" has (\d+) columns available but (\d+) columns specified',
     lambda it: f"`{it[1]}` has {it[2]} columns, and {it[3]} names are given."),
    (r"No matching columns found that match regex", lambda _: "`COLUMNS(…)` names no column."),
    (r"UNNEST\(\) can only be applied to lists", lambda _: "`unnest` takes lists only."),
    (r'window "(.+?)" does not exist', lambda it: f"There is no window `{it[1]}`."),
    (r"^Invalid Input Error: ((?:missing|unexpected) \S|invalid [a-z ]+|bad [a-z ]+|no argument [a-z ]+|trailing \\)",
     lambda it: f"A pattern is not valid: {it[1].strip()}."),
    (r"DECIMAL type width must be", lambda _: "A DECIMAL has 38 digits at most."),
)  # fmt: skip
