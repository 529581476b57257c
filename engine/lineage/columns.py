"""Which columns a SQL model's columns come from, and how: read from DuckDB's plan of it, never from the data."""

import atexit
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import duckdb

from engine.lineage.plan import Plan, Relation, Unfollowed
from engine.lineage.values import LIGHT, Flow, Value
from engine.sql import sandbox

INDIRECT = ("grouped by", "joined on", "filtered by", "sorted by", "depending on")

Schemas = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class ColumnEdge:
    """One way from an input column to a column of the model.

    `from_column` is None where only the number of rows counts. `direct`: the value itself flows;
    otherwise the column decides which rows or groups there are.
    """

    from_table: str
    from_column: str | None
    to_column: str
    via: str
    direct: bool


def traced(sql: str, schemas: Schemas, outputs: Sequence[str] | None, _: object) -> list[ColumnEdge]:
    """What a child does to trace a model: a short text can mean a very large plan."""
    return columns(sql, schemas, outputs)


def untraced(schemas: Schemas, outputs: Sequence[str]) -> list[ColumnEdge]:
    """The edges of a SELECT that cannot be traced: each column is computed from all columns it may read."""
    read = [Flow(table, column, "computed from") for table, names in schemas.items() for column in names]
    return _edges(outputs, Relation([Value(tuple(read))] * len(outputs)))


def columns(sql: str, schemas: Schemas, outputs: Sequence[str] | None = None) -> list[ColumnEdge]:
    """The column edges of one SELECT.

    `schemas` are the tables that it reads. `outputs` are the names that the built table really has, where they are
    known. What cannot be followed comes "computed from" every column of these tables.
    """
    try:
        names, relation = followed(sql, schemas, outputs)
    except (Unfollowed, duckdb.Error, RecursionError):
        return untraced(schemas, outputs or [])
    return _edges(names, relation)


def followed(sql: str, schemas: Schemas, outputs: Sequence[str] | None = None) -> tuple[Sequence[str], Relation]:
    """The columns of a SELECT, and what flows into them. Raises Unfollowed, or what DuckDB says of the SQL."""
    with _tables(schemas) as connection:
        ((told,),) = connection.execute(
            "SELECT json_serialize_plan(CAST(? AS VARCHAR), skip_null := true, skip_empty := true, optimize := false)",
            [sql],
        ).fetchall()
        plan = json.loads(told)
        if plan["error"] or len(plan["plans"]) != 1:
            raise Unfollowed(plan.get("error_type", "not one SELECT"))
        names = outputs if outputs is not None else connection.sql(sql).columns
    try:
        relation = Plan().relation(plan["plans"][0])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Unfollowed("a plan of a shape that is not known") from error
    if len(names) != len(relation.columns):
        raise Unfollowed("another number of columns")
    return names, relation


@contextmanager
def _tables(schemas: Schemas) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB with an empty table for each schema, which are gone afterwards."""
    with _planner().cursor() as connection:
        connection.execute("BEGIN")
        try:
            connection.execute("CREATE SCHEMA navigate")
            for table, names in schemas.items():
                types = ", ".join(f"{sandbox.quoted(name)} {kind}" for name, kind in names.items())
                connection.execute(f"CREATE TABLE {sandbox.quoted(table)} ({types})")
                connection.execute(f"CREATE VIEW navigate.{sandbox.quoted(table)} AS FROM main.{sandbox.quoted(table)}")
            yield connection
        finally:
            connection.execute("ROLLBACK")


@cache
def _planner() -> duckdb.DuckDBPyConnection:
    """A locked DuckDB that plans and runs nothing. Opening one takes longer than most plans."""
    connection = sandbox.open_duckdb("UTC", workers=1)
    sandbox.lock(connection, [])
    atexit.register(_planner.cache_clear)  # Python would never free it, and DuckDB says so on the terminal
    return connection


def _edges(names: Sequence[str], relation: Relation) -> list[ColumnEdge]:
    edges = []
    for name, value in zip(names, relation.columns, strict=True):
        direct: dict[tuple[str, str | None], set[str]] = {}
        for flow in value.flows:
            if flow.direct:
                direct.setdefault((flow.table, flow.column), set()).add(flow.via.replace(LIGHT, "computed from"))
        for (table, column), vias in direct.items():
            via = vias.pop() if len(vias) == 1 else "computed from"
            edges.append(ColumnEdge(table, column, name, via, True))
        decides = {
            (flow.table, flow.column, flow.via): None
            for flow in [*value.flows, *relation.counted()]
            if not flow.direct and flow.column is not None and (flow.table, flow.column) not in direct
        }
        edges += [ColumnEdge(table, column, name, via, False) for table, column, via in decides]
    return edges
