"""The columns of a published table: type, empty rows, different values, and an example that is not personal."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.models import Table
from engine.sql.sandbox import connect, quoted

EXACT = 100_000  # rows; in larger tables different values are estimated, within about 2 %
SHARED_BY = 10  # a value is shown only if at least so many rows have it
# matches what Python strips from a text
_BLANK = r"[\s\x0b\x{1c}-\x{1f}\x{85}\p{Z}]*"
MOST_DIFFERENT = 10_000  # a column with more different values gets no example


@dataclass(frozen=True)
class Described:
    """A column: how many rows are empty, how many values differ, and a value that at least SHARED_BY rows share."""

    name: str
    type: str  # as DuckDB names it
    empty: int
    distinct: int
    example: str | None = None


def columns(table: Table, shown: Collection[str] = ()) -> list[Described]:
    """Describes the columns in table order. Only those in `shown` get an example: they must hold nothing personal."""
    return list(_columns(table.files, tuple(table.columns.items()), table.rows, frozenset(shown)))


def is_exact(table: Table) -> bool:
    """Whether different values are counted exactly, not estimated."""
    return table.rows <= EXACT


# safe to cache: a version never changes, and every version has files of its own names
@lru_cache(64)
def _columns(
    files: tuple[Any, ...], columns: tuple[tuple[str, str], ...], rows: int, shown: frozenset[str]
) -> tuple[Described, ...]:
    table = Table("described", files, dict(columns), rows=rows)
    with connect([table], "UTC") as connection:
        asked = ", ".join(_counts(name, kind, exact=rows <= EXACT) for name, kind in columns)
        counted = connection.execute(f"SELECT {asked} FROM described").fetchone() or ()  # noqa: S608 - names are quoted
        found = []
        for (name, kind), empty, distinct in zip(columns, counted[::2], counted[1::2], strict=True):
            example = None
            if name in shown and 0 < distinct <= MOST_DIFFERENT:
                frequent = connection.execute(_most_frequent(name, kind)).fetchone()
                example = frequent[0] if frequent else None
            found.append(Described(name, kind, empty, distinct, example))
    return tuple(found)


def _counts(name: str, kind: str, *, exact: bool) -> str:
    """SQL that counts the empty rows of a column, and the different values in the other rows."""
    empty, filled = _empty(name, kind), f"CASE WHEN NOT ({_empty(name, kind)}) THEN {quoted(name)} END"
    different = f"count(DISTINCT {filled})" if exact else f"approx_count_distinct({filled})"
    return f"count(*) FILTER (WHERE {empty}), {different}"


def _empty(name: str, kind: str) -> str:
    """SQL that is true for an empty row: null, or a text of only white space."""
    column = quoted(name)
    return f"{column} IS NULL" + (f" OR regexp_full_match({column}, '{_BLANK}')" if kind == "VARCHAR" else "")


def _most_frequent(name: str, kind: str) -> str:
    """SQL for the most frequent value of a column as text, if at least SHARED_BY rows have it."""
    column = quoted(name)
    return (
        f"SELECT CAST({column} AS VARCHAR) FROM described WHERE NOT ({_empty(name, kind)}) GROUP BY {column} "  # noqa: S608 - the same
        f"HAVING count(*) >= {SHARED_BY} ORDER BY count(*) DESC, {column} LIMIT 1"
    )
