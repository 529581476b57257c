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
from dataclasses import dataclass, field
from typing import Any

import duckdb

from core.errors import AtlasError
from engine import sandbox
from engine.lineage.columns import ColumnEdge, columns
from tests.lineage.queries import KEYS, TABLES, Generator, Query

SCHEMAS = {table: {name: kind for name, (kind, _) in names.items()} for table, names in TABLES.items()}
COLUMNS = [(table, column) for table, names in SCHEMAS.items() for column in names]
BASES = ("own", "shared")  # each text column has texts of its own, or all have the same
SHARED = ("DK", "SE", "NO", "a1", "b2", "c3", "x")
ROWS = 9
Column = tuple[str, str]


class Copies:
    """The tables in many schemas: as they are, and with other values in one column or two that are joined."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.connection = duckdb.connect(config={"threads": 1, "preserve_insertion_order": True})
        self.schemas: list[str] = []
        self.data = {base: {column: self._values(column, base) for column in COLUMNS} for base in BASES}
        for base in BASES:
            self._write(base, self.data[base])

    def variants(self, base: str, column: Column) -> Iterator[tuple[str, bool]]:
        """Schemas in which one column has other values, and whether they are markers."""
        values = self.data[base][column]
        marked = [_marker(column, i) for i in range(ROWS)]
        mixed = [new if i % 2 else old for i, (new, old) in enumerate(zip(marked, values, strict=True))]
        yield self._changed(base, column, "marked", marked), True
        yield self._changed(base, column, "mixed", mixed), True
        yield self._changed(base, column, "turned", values[1:] + values[:1]), False
        for n in range(4):
            name = f"redrawn{n}"
            yield self._changed(base, column, name, self._values(column, BASES[n % 2] if n > 1 else base)), False
        for i in range(0, ROWS, 2):
            other = self._values(column, base)[i]
            yield self._changed(base, column, f"one{i}", [*values[:i], other, *values[i + 1 :]]), False
        yield self._changed(base, column, "null", [None] * ROWS), False

    def pair(self, base: str, pair: tuple[Column, Column]) -> str:
        """A schema in which both columns of a join have markers that still meet."""
        name = f"{base}_pair_{_id(pair[0])}"
        if name not in self.schemas:
            of = {value: _marker(pair[0], n) for n, value in enumerate(range(ROWS))}
            data = {one: [None if v is None else of[v] for v in self.data[base][one]] for one in pair}
            self._write(name, self.data[base] | data)
        return name

    def rows(self, base: str, table: str) -> list[str]:
        """Schemas in which a table has fewer rows, and more."""
        names = [f"{base}_fewer_{table}", f"{base}_more_{table}"]
        if names[0] not in self.schemas:
            for name, change in zip(names, (lambda v: v[: ROWS // 2], lambda v: v + v[:2]), strict=True):
                data = {c: change(v) if c[0] == table else v for c, v in self.data[base].items()}
                self._write(name, data)
        return names

    def results(self, schema: str, sql: str) -> list[list[str]] | None:
        """The values of each column, sorted as text; None if the query fails over these values."""
        self.connection.execute(f"SET schema = '{schema}'")
        try:
            rows = self.connection.execute(sql).fetchall()
        except duckdb.Error:
            return None
        return [sorted(map(str, column)) for column in zip(*rows, strict=True)]

    def _changed(self, base: str, column: Column, how: str, values: list[Any]) -> str:
        name = f"{base}_{_id(column)}_{how}"
        if name not in self.schemas:
            self._write(name, self.data[base] | {column: values})
        return name

    def _write(self, schema: str, data: dict[Column, list[Any]]) -> None:
        self.schemas.append(schema)
        self.connection.execute(f"CREATE SCHEMA {schema}")
        for table, names in SCHEMAS.items():
            rows = zip(*(data[table, column] for column in names), strict=True)
            values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
            types = ", ".join(f'"{column}" {kind}' for column, kind in names.items())
            self.connection.execute(f"CREATE TABLE {schema}.{table} ({types})")
            self.connection.execute(f"INSERT INTO {schema}.{table} VALUES {values}")

    def _values(self, column: Column, base: str) -> list[Any]:
        kind = SCHEMAS[column[0]][column[1]]
        values = [self._value(column, kind, base) for _ in range(ROWS)]
        if kind == "INTEGER" and column[1] == "id":
            values = list(range(1, ROWS))
            self.random.shuffle(values)
            values.append(values[0])
        return values

    def _value(self, column: Column, kind: str, base: str) -> Any:
        if self.random.random() < 0.08:
            return None
        if kind == "VARCHAR":
            return self._text(column, base)
        if kind == "INTEGER":
            return self.random.randrange(1, 8)
        if kind == "DATE":
            return f"2024-0{self.random.randrange(1, 7)}-{self.random.randrange(10, 28)}"
        if kind.startswith("DECIMAL"):
            return self.random.randrange(100, 800) / 100 if base == "own" else float(self.random.randrange(1, 8))
        if kind.endswith("[]"):
            return [self._text(column, base) for _ in range(self.random.randrange(1, 4))]
        return {"street": self._text(column, base), "city": self._text(column, base)}

    def _text(self, column: Column, base: str) -> str:
        if base == "shared" or column[1] == "country":
            return self.random.choice(SHARED if base == "shared" else SHARED[:3])
        n = self.random.randrange(1, 5)
        return f"{'wbmf'[(n + _id(column)) % 4]}.{column[0]}.{n}"


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
    changed: set[tuple[Column, int]] = field(default_factory=set)
    either: list[tuple[tuple[Column, Column], int]] = field(default_factory=list)  # values of one of two arrive
    rows: set[tuple[str, int]] = field(default_factory=set)  # tables whose number of rows changes the result


def truth(copies: Copies, sql: str, width: int) -> Truth | None:
    """What arrives where; None if the query fails over the tables as they are, or gives no row."""
    found = Truth()
    before = {base: copies.results(base, sql) for base in BASES}
    if not all(before.values()):
        return None
    words = set(re.findall(r"\w+", sql.lower()))
    here = [column for column in COLUMNS if column[0] in words]
    for base, results in before.items():
        assert results
        for column in here:
            for schema, marked in copies.variants(base, column):
                if not marked and all((column, i) in found.changed for i in range(width)):
                    break
                after = copies.results(schema, sql)
                if after is None:
                    continue
                after = after or [[] for _ in range(width)]
                for i, values in enumerate(after):
                    if values != results[i]:
                        found.changed.add((column, i))
                        if marked and _arrived(column, values):
                            found.arrived.add((column, i))
        for left, right in KEYS:
            pair = (_named(left), _named(right))
            if pair[0] in here and pair[1] in here:
                after = copies.results(copies.pair(base, pair), sql) or []
                found.either += [(pair, i) for i, values in enumerate(after) if _arrived(pair[0], values)]
        for table in dict.fromkeys(table for table, _ in here):
            for schema in copies.rows(base, table):
                after = copies.results(schema, sql)
                if after is not None:
                    after = after or [[] for _ in range(width)]
                    found.rows |= {(table, i) for i, values in enumerate(after) if values != results[i]}
    return found


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
    for column, i in sorted(found.changed - found.arrived - any_edge):
        verdict.missing.append(f"{'.'.join(column)} decides about {names[i]}")
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

    @property
    def told(self) -> int:
        return sum(verdict.told for verdict in self.verdicts)

    @property
    def missing(self) -> list[str]:
        return [f"{what}: {verdict.query.sql}" for verdict in self.verdicts for what in verdict.missing]

    @property
    def extra(self) -> list[str]:
        return [f"{what}: {verdict.query.sql}" for verdict in self.verdicts for what in verdict.extra]

    @property
    def extra_share(self) -> float:
        return len(self.extra) / max(self.told, 1)


def measure(queries: int, seed: int) -> Measured:
    """Traces that many generated queries that run and that people may write."""
    copies, generator, measured = Copies(seed), Generator(seed), Measured()
    while len(measured.verdicts) < queries:
        query = generator.query()
        try:
            copies.connection.execute("SET schema = 'own'")
            names = copies.connection.sql(query.sql).columns
        except duckdb.Error:
            measured.left_out["not valid"] += 1
            continue
        try:
            sandbox.selected(query.sql, list(TABLES), None)
        except AtlasError:
            measured.left_out["not allowed"] += 1
            continue
        if len({name.lower() for name in names}) < len(names):
            measured.left_out["a name comes twice"] += 1
            continue
        found = truth(copies, query.sql, len(names))
        if found is None:
            measured.left_out["no row, or fails"] += 1
            continue
        edges = columns(query.sql, SCHEMAS, names)
        measured.verdicts.append(judge(query, edges, names, found))
    return measured


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
    print(f"seed {asked.seed}: {len(measured.verdicts)} queries, {measured.told} edges, {len(measured.missing)} missing, "
          f"{len(measured.extra)} extra ({100 * measured.extra_share:.2f} %), {time.monotonic() - began:.0f} s")  # fmt: skip
    print("left out:", dict(measured.left_out))
    print("features:", ", ".join(f"{name} {count}" for name, count in features.most_common()))
    sys.exit(1 if measured.missing or measured.extra_share >= 0.03 else 0)


if __name__ == "__main__":
    main()
