"""The columns of a published table: their types, how empty they are, and an example that tells nothing of a person."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.models import Table
from engine.sandbox import connect, quoted

EXACT = 100_000  # rows up to which different values are counted one by one; beyond, within about 2 %
SHARED_BY = 10  # rows that share a value before it may be shown
_BLANK = r"[\s\x0b\x{1c}-\x{1f}\x{85}\p{Z}]*"  # what Python strips from a text
MOST_DIFFERENT = 10_000  # values among which a frequent one is looked for


@dataclass(frozen=True)
class Described:
    """A column: rows without a value, different values, and a value that at least SHARED_BY rows share."""

    name: str
    type: str  # as DuckDB names it
    empty: int
    distinct: int
    example: str | None = None


def columns(table: Table, shown: Collection[str] = ()) -> list[Described]:
    """The columns in their order, with an example of those `shown`, which must hold nothing personal."""
    return list(_columns(table.files, tuple(table.columns.items()), table.rows, frozenset(shown)))


def is_exact(table: Table) -> bool:
    """Whether different values are counted one by one."""
    return table.rows <= EXACT


# a version never changes; its files are named anew with each
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
    """SQL for the rows without a value, and the number of different values of the others."""
    empty, filled = _empty(name, kind), f"CASE WHEN NOT ({_empty(name, kind)}) THEN {quoted(name)} END"
    different = f"count(DISTINCT {filled})" if exact else f"approx_count_distinct({filled})"
    return f"count(*) FILTER (WHERE {empty}), {different}"


def _empty(name: str, kind: str) -> str:
    """SQL that is true where a row has no value: null, or a text of white space alone."""
    column = quoted(name)
    return f"{column} IS NULL" + (f" OR regexp_full_match({column}, '{_BLANK}')" if kind == "VARCHAR" else "")


def _most_frequent(name: str, kind: str) -> str:
    column = quoted(name)
    return (
        f"SELECT CAST({column} AS VARCHAR) FROM described WHERE NOT ({_empty(name, kind)}) GROUP BY {column} "  # noqa: S608 - the same
        f"HAVING count(*) >= {SHARED_BY} ORDER BY count(*) DESC, {column} LIMIT 1"
    )
