"""Measures column lineage against what the database does with marked values.

    python -m tests.lineage.traced --queries 1000 --seed 7

Each generated query runs over small tables, and again over copies in which one column holds other values. A value
*arrives* where a marker that only this column holds shows up in a column of the result. A column *decides* where the
result changes without a marker. What arrives must be an edge of values, what changes must be an edge; an edge that
neither arrives nor changes anything is an extra one.
"""

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb

from core.errors import AtlasError
from engine.lineage.columns import ColumnEdge, columns
from engine.sql import sandbox
from tests.lineage.queries import KEYS, TABLES, Generator, Query

SCHEMAS = {table: {name: kind for name, (kind, _) in names.items()} for table, names in TABLES.items()}
COLUMNS = [(table, column) for table, names in SCHEMAS.items() for column in names]
ROWS = 9
OWN, SHARED = "own", "shared"  # each text column has texts of its own, or all have the same
BASES = (OWN, SHARED)
MORE = tuple(f"more{n}" for n in range(40))  # further tables, each of other sizes, for what did not change in these
TEXTS = ("DK", "SE", "a1", "b2", "no", "c3", "x")
Column = tuple[str, str]
Rows = list[tuple[str, ...]]
Results = dict[str, Rows | None]


class Copies:
    """The tables in many schemas: as they are, and with other values in one column or in two that are joined.

    A schema holds only the tables that are changed; the others are found in that of its base.
    """

    def __init__(self, seed: int, *, thorough: bool) -> None:
        self.more = MORE if thorough else ()
        self.random = random.Random(seed)
        self.connection = duckdb.connect(config={"threads": 1, "preserve_insertion_order": True})
        self.paths: dict[str, str] = {}
        self.data: dict[str, dict[Column, list[Any]]] = {}
        for base in (*BASES, *self.more):
            self.data[base] = {column: self._values(column, base) for column in COLUMNS}
            self._write(base, base, list(TABLES), self.data[base])

    def variants(self, column: Column) -> Iterator[tuple[str, str, bool]]:
        """A base, a schema in which one column has other values, and whether these are markers."""
        for bases, hows in (
            (BASES, ("marked", "redrawn0", "turned")), (self.more, ("redrawn0",)),
            (BASES, ("mixed", "redrawn1", "one0", "null")), (self.more, ("null", "one0", "turned", "redrawn1")),
        ):  # fmt: skip
            for how in hows:
                for base in bases:
                    yield base, self._changed(base, column, how), how in ("marked", "mixed")

    def pair(self, base: str, pair: tuple[Column, Column]) -> str:
        """A schema in which both columns of a join have markers that still meet."""
        name = f"{base}_pair_{_id(pair[0])}"
        if name not in self.paths:
            data = {one: [None if v is None else _marker(pair[0], v) for v in self.data[base][one]] for one in pair}
            self._write(name, base, [table for table, _ in pair], self.data[base] | data)
        return name

    @contextmanager
    def together(self, base: str, columns: set[Column], how: str) -> Iterator[str]:
        """A schema for a while, in which several columns are changed."""
        data = {column: self._other(base, column, how) for column in sorted(columns)}
        self._write("together", base, sorted({table for table, _ in columns}), self.data[base] | data)
        try:
            yield "together"
        finally:
            self.connection.execute("DROP SCHEMA together CASCADE")

    def turned(self, base: str) -> str:
        """A schema in which all tables hold their rows in another order."""
        name = f"{base}_turned"
        if name not in self.paths:
            order = self.random.sample(range(ROWS), ROWS)
            self._write(name, base, list(TABLES), {c: [v[i] for i in order] for c, v in self.data[base].items()})
        return name

    def counts(self, base: str, table: str) -> list[str]:
        """Schemas in which a table has fewer rows, and more."""
        names = [f"{base}_fewer_{table}", f"{base}_more_{table}"]
        if names[0] not in self.paths:
            data = self.data[base]
            self._write(names[0], base, [table], {c: values[: len(values) // 2] for c, values in data.items()})
            self._write(names[1], base, [table], {c: values + values[:2] for c, values in data.items()})
        return names

    def rows_of(self, schema: str, sql: str) -> Rows | None:
        """The rows of the result, their values as text; None if the query fails over these tables."""
        self.connection.execute(f"SET search_path = '{self.paths[schema]}'")
        try:
            rows = self.connection.execute(sql).fetchall()
        except duckdb.Error:
            return None
        return [tuple(map(str, row)) for row in rows]

    def _changed(self, base: str, column: Column, how: str) -> str:
        name = f"{base}_{_id(column)}_{how}"
        if name not in self.paths:
            values = self._other(base, column, how)
            self._write(name, base, [column[0]], self.data[base] | {column: values})
        return name

    def _other(self, base: str, column: Column, how: str) -> list[Any]:
        values = self.data[base][column]
        marked = [_marker(column, i) for i in range(len(values))]
        if how == "marked":
            return marked
        if how == "mixed":
            return [new if i % 2 else old for i, (new, old) in enumerate(zip(marked, values, strict=True))]
        if how == "turned":
            return values[1:] + values[:1]  # each row has the value of the next
        if how == "null":
            return [None] * len(values)
        if how.startswith("one") and values:
            i = int(how[3:]) % len(values)
            return [*values[:i], self._values(column, base)[i], *values[i + 1 :]]
        return self._values(column, base)

    def _write(self, schema: str, base: str, tables: list[str], data: dict[Column, list[Any]]) -> None:
        self.paths[schema] = schema if schema == base else f"{schema},{base}"
        self.connection.execute(f"CREATE SCHEMA {schema}")
        for table in tables:
            names = SCHEMAS[table]
            rows = zip(*(data[table, column] for column in names), strict=True)
            values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
            types = ", ".join(f'"{column}" {kind}' for column, kind in names.items())
            self.connection.execute(f"CREATE TABLE {schema}.{table} ({types})")
            if values:
                self.connection.execute(f"INSERT INTO {schema}.{table} VALUES {values}")

    def _values(self, column: Column, base: str) -> list[Any]:
        like = _like(base, column)
        values = [self._value(column, base, like) for _ in range(like.rows)]
        if base in MORE[::3]:  # rows that are there twice
            values[like.rows // 2 + 1 :] = values[: like.rows - like.rows // 2 - 1]
        if column[1] == "id" and base in BASES:
            values = list(range(1, ROWS))
            self.random.shuffle(values)
            values.append(values[0])
        return values

    def _value(self, column: Column, base: str, like: "Like") -> Any:
        kind = SCHEMAS[column[0]][column[1]]
        if self.random.random() < like.nulls:
            return None
        if kind == "VARCHAR":
            return self._text(column, base, like)
        if kind == "INTEGER":
            return self.random.choice(like.numbers)
        if kind == "DATE":
            return f"2024-0{self.random.randrange(1, 7)}-{self.random.randrange(10, 28)}"
        if kind.startswith("DECIMAL"):
            return self.random.randrange(100, 800) / 100 if base == OWN else float(self.random.choice(like.numbers))
        if kind.endswith("[]"):
            return [self._text(column, base, like) for _ in range(self.random.randrange(1, 4))]
        return {"street": self._text(column, base, like), "city": self._text(column, base, like)}

    def _text(self, column: Column, base: str, like: "Like") -> str:
        if base != OWN or column[1] == "country":
            return self.random.choice(like.texts)
        n = self.random.randrange(1, 5)
        return f"{'wbmf'[(n + _id(column)) % 4]}.{column[0]}.{column[1].lower()}.{n}"


@dataclass(frozen=True)
class Like:
    """What the values of a column are like in the tables of a schema."""

    rows: int = ROWS
    nulls: float = 0.08
    numbers: Sequence[int] = range(1, 8)
    texts: Sequence[str] = TEXTS


def _like(base: str, column: Column) -> Like:
    if base in BASES:
        return Like(texts=TEXTS if base == SHARED else TEXTS[:4])
    table, own = random.Random(f"{base} {column[0]}"), random.Random(f"{base} {column}")
    few = own.sample(TEXTS, 2)
    return Like(
        rows=table.choice((0, 1, 2, 3, 5, ROWS, ROWS)),  # of many rows some always meet, of few some never do
        nulls=own.choice((0, 0.08, 0.08, 0.5, 0.9)),
        numbers=own.choice((range(1, 4), range(1, 4), range(2, 9), (3, 5), (1, 2))),
        texts=own.choice((TEXTS, TEXTS[:4], TEXTS[:4], few)),
    )


def _id(column: Column) -> int:
    return COLUMNS.index(column)


def _marker(column: Column, n: int) -> Any:
    """A value that no other column has, and that is found again inside others."""
    kind, number = SCHEMAS[column[0]][column[1]], _id(column)
    text = f"{'wbmf'[n % 4]}qz{number:02d}zq{n}"
    if kind == "VARCHAR":
        return text
    if kind == "DATE":
        return f"{3000 + 10 * number + n}-0{n % 9 + 1}-11"
    if kind.endswith("[]"):
        return [text, text + "b"]
    if kind.startswith("STRUCT"):
        return {"street": text, "city": text + "b"}
    return 70_000_000 + number * 100_000 + n


def _arrived(column: Column, values: Sequence[str]) -> bool:
    kind, number = SCHEMAS[column[0]][column[1]], _id(column)
    if kind in ("INTEGER", "DECIMAL(18,2)"):
        pattern = rf"(?<!\d)7{number // 10}{number % 10}0\d{{4}}(?!\d)"
    elif kind == "DATE":
        pattern = rf"(?<!\d){300 + number}\d"
    else:
        pattern = rf"qz{number:02d}zq|qz{(number % 10)}{number // 10}zq"  # as it is, or turned round
    return re.search(pattern, "\n".join(values), re.IGNORECASE) is not None


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{chr(39)}{key}{chr(39)}: {_literal(one)}' for key, one in value.items())}}}"
    return f"'{value}'" if isinstance(value, str) else str(value)


@dataclass
class Truth:
    """By column of the source and position in the result: whose values arrive, and what else changes."""

    arrived: set[tuple[Column, int]] = field(default_factory=set)
    changed: set[tuple[Column, int]] = field(default_factory=set)  # of those that are told
    untold: set[tuple[Column, tuple[int, ...]]] = field(default_factory=set)  # what changes without an edge
    by_place: bool = False  # the result depends on the order in which the tables hold their rows
    either: list[tuple[tuple[Column, Column], int]] = field(default_factory=list)  # values of one of two arrive
    rows: set[tuple[str, int]] = field(default_factory=set)  # tables whose number of rows changes the result


def truth(copies: Copies, sql: str, width: int, told: set[tuple[Column, int]]) -> Truth | None:
    """What arrives where; None if the query fails over the tables as they are, or gives no row.

    `told` says where to look longer: a column is changed in all the copies there are before its edge is an extra one.
    Columns of which the same is told are changed together to see that they change nothing else.
    """
    found = Truth()
    before = {base: copies.rows_of(base, sql) for base in BASES}
    if not all(before.values()):
        return None
    for base in BASES:
        turned = copies.rows_of(copies.turned(base), sql)
        if turned is None or Counter(turned) != Counter(before[base]):
            found.by_place = True  # or by how another window sorted them, of which SQL says nothing either
    if len(re.findall(r"\bover\b|\bqualify\b", sql)) > 1 or re.search(r"\bover\b.*\blimit\b|\blimit\b.*\bover\b", sql):
        found.by_place = True
    words = set(re.findall(r"\w+", sql.lower()))
    here = [column for column in COLUMNS if column[0] in words]
    alike: dict[frozenset[int], set[Column]] = {}
    for column in here:
        alike.setdefault(frozenset(i for c, i in told if c == column), set()).add(column)
    for wanted, group in alike.items():
        free = [i for i in range(width) if i not in wanted]
        suspects = sorted(group) if free and _changes(copies, sql, group, before, free) else []
        for column in suspects:
            if places := _changes(copies, sql, {column}, before, free):
                found.untold.add((column, places))
        for column in sorted(group):
            _look(copies, sql, column, sorted(wanted), free, before, found)
    for base in BASES:
        for left, right in KEYS:
            pair = (_named(left), _named(right))
            if pair[0] in here and pair[1] in here:
                after = copies.rows_of(copies.pair(base, pair), sql) or []
                found.either += [(pair, i) for i in range(width) if _arrived(pair[0], [row[i] for row in after])]
    for table, i in {(column[0], i) for column, i in told if not column[1]}:
        for base in (*BASES, *copies.more[:6]):
            full = before[base] if base in before else copies.rows_of(base, sql)
            for schema in copies.counts(base, table):
                other = copies.rows_of(schema, sql)
                if other is not None and full is not None and _part(full, [i]) != _part(other, [i]):
                    found.rows.add((table, i))
    return found


def _look(
    copies: Copies, sql: str, column: Column, wanted: list[int], free: list[int], before: Results, found: Truth
) -> None:
    """Changes one column until each of its edges is seen to hold, and looks where its values arrive."""
    own = _own(column)
    for row in (before[OWN] or ()) if own else ():
        here = {(column, i) for i, text in enumerate(row) if str(own) in text.lower()}
        found.arrived |= here
        found.changed |= here
    for n, (base, schema, marked) in enumerate(copies.variants(column)):
        if (own or n > 1) and all((column, i) in found.changed for i in wanted):
            break
        if base not in before:
            before[base] = copies.rows_of(base, sql)
        was, after = before[base], copies.rows_of(schema, sql)
        if was is None or after is None or was == after:
            continue
        same = _part(was, free) == _part(after, free)
        for i in wanted:
            # a column changes by itself, or against those that the edges leave alone
            if _part(was, [i]) != _part(after, [i]) or (same and _part(was, [*free, i]) != _part(after, [*free, i])):
                found.changed.add((column, i))
        if marked:
            found.arrived |= {(column, i) for i in [*wanted, *free] if _arrived(column, [row[i] for row in after])}


def _own(column: Column) -> str | None:
    """What stands in all texts of a column that has texts of its own."""
    kind = SCHEMAS[column[0]][column[1]]
    return f".{column[0]}.{column[1].lower()}." if "VARCHAR" in kind and column[1] != "country" else None


def _changes(copies: Copies, sql: str, group: set[Column], before: Results, free: list[int]) -> tuple[int, ...]:
    """Which columns of the result change among those of which nothing is told, when a group is changed at once."""
    for how in ("marked", "redrawn0", "turned"):
        for base in BASES:
            with copies.together(base, group, how) as schema:
                was, after = before[base] or [], copies.rows_of(schema, sql)
            if after is not None and _part(was, free) != _part(after, free):
                return tuple(i for i in free if _part(was, [i]) != _part(after, [i])) or tuple(free)
    return ()


def _part(rows: Rows, places: Sequence[int]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(row[i] for i in places) for row in rows)


def _named(name: str) -> Column:
    table, column = name.split(".")
    return table, column


@dataclass
class Verdict:
    """One query: the edges that were told, and what is wrong with them, in words."""

    query: Query
    told: int
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


def judge(query: Query, edges: Sequence[ColumnEdge], names: Sequence[str], found: Truth) -> Verdict:
    place = {name: i for i, name in enumerate(names)}
    any_edge = {((e.from_table, e.from_column or ""), place[e.to_column]) for e in edges}
    values = {((e.from_table, e.from_column or ""), place[e.to_column]) for e in edges if e.direct}
    verdict = Verdict(query, len(any_edge))
    for column, i in sorted(found.arrived - values):
        verdict.missing.append(f"{'.'.join(column)} arrives in {names[i]}")
    for column, places in sorted(found.untold):
        if not found.by_place and not any((column, i) in found.arrived for i in places):
            verdict.missing.append(f"{'.'.join(column)} decides about {', '.join(names[i] for i in places)}")
    for pair, i in found.either:
        if not any((column, i) in values for column in pair):
            verdict.missing.append(f"one of {pair} arrives in {names[i]}")
    for column, i in sorted(any_edge):
        confirmed = (column, i) in found.changed if column[1] else (column[0], i) in found.rows
        if not confirmed:
            direct = "value" if (column, i) in values else "decides"
            verdict.extra.append(f"{'.'.join(column)} → {names[i]} ({direct})")
    return verdict


@dataclass
class Measured:
    verdicts: list[Verdict] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    by_place: int = 0

    @property
    def told(self) -> int:
        return sum(verdict.told for verdict in self.verdicts)

    @property
    def missing(self) -> list[str]:
        return [f"{what}: {verdict.query.sql}" for verdict in self.verdicts for what in verdict.missing]

    @property
    def extra(self) -> list[str]:
        return [f"{what}: {verdict.query.sql}" for verdict in self.verdicts for what in verdict.extra]

    def __str__(self) -> str:
        return (
            f"{len(self.verdicts)} queries, {self.told} edges, {len(self.missing)} missing, "
            f"{len(self.extra)} extra ({100 * self.extra_share:.2f} %)"
        )

    @property
    def extra_share(self) -> float:
        return len(self.extra) / max(self.told, 1)


def measure(queries: int, seed: int, *, thorough: bool = True) -> Measured:
    """Traces that many generated queries that run and that people may write.

    Only a thorough measure looks long enough to tell an extra edge from one that rarely matters.
    """
    copies, generator, measured = Copies(seed, thorough=thorough), Generator(seed), Measured()
    began = time.monotonic()
    while len(measured.verdicts) < queries:
        if _judged(copies, generator.query(), measured) and len(measured.verdicts) % 50 == 0:
            print(f"{measured}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return measured


def measure_given(given: Sequence[str], seed: int) -> Measured:
    """The same of SELECTs that somebody has written."""
    copies, measured = Copies(seed, thorough=False), Measured()
    for sql in given:
        _judged(copies, Query(sql, []), measured)
    return measured


def _judged(copies: Copies, query: Query, measured: Measured) -> bool:
    """Whether a query is one that counts; then its verdict is added."""
    copies.connection.execute(f"SET search_path = '{OWN}'")
    try:
        names = copies.connection.sql(query.sql).columns
    except duckdb.Error:
        measured.left_out["not valid"] += 1
        return False
    try:
        sandbox.selected(query.sql, list(TABLES), None)
    except AtlasError:
        measured.left_out["not allowed"] += 1
        return False
    if len({name.lower() for name in names}) < len(names):
        measured.left_out["a name comes twice"] += 1
        return False
    edges = columns(query.sql, SCHEMAS, names)
    place = {name: i for i, name in enumerate(names)}
    told = {((e.from_table, e.from_column or ""), place[e.to_column]) for e in edges}
    found = truth(copies, query.sql, len(names), told)
    if found is None:
        measured.left_out["no row, or fails"] += 1
        return False
    measured.by_place += found.by_place
    measured.verdicts.append(judge(query, edges, names, found))
    return True


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--queries", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--show", type=int, default=0, help="print so many faults")
    asked = options.parse_args()
    began = time.monotonic()
    measured = measure(asked.queries, asked.seed)
    features: Counter[str] = Counter()
    for verdict in measured.verdicts:
        features.update(verdict.query.features)
    for what in [*measured.missing[: asked.show], *measured.extra[: asked.show]]:
        print(what)
    print(f"seed {asked.seed}: {measured}, {time.monotonic() - began:.0f} s")
    print(f"left out: {dict(measured.left_out)}; {measured.by_place} depend on the order of rows in a table, of these "
          "only what arrives is asked for")  # fmt: skip
    print("features:", ", ".join(f"{name} {count}" for name, count in features.most_common()))
    sys.exit(1 if measured.missing or measured.extra_share >= 0.03 else 0)


if __name__ == "__main__":
    main()
