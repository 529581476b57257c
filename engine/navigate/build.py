"""Builds a model's table as one Parquet file in the model's own order, and reads its first rows."""

import datetime as dt
import decimal
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadPipeline
from core.models import Table
from engine import contained, sandbox, sql_faults
from engine.child import Limits, Link
from engine.navigate.models import Model

ROWS_AT_ONCE = 65_536
_WHOLE = re.compile(r"U?HUGEINT|DECIMAL\(\d+,0\)")  # sum() of whole numbers; Arrow and Parquet have decimals for it


@dataclass(frozen=True)
class Built:
    """A table that is written: its rows, and the DuckDB types of its columns in order."""

    rows: int
    columns: dict[str, str]


@dataclass(frozen=True)
class Rows:
    """The first rows of a table, as JSON has them: decimals are text, times text in UTC."""

    columns: list[str]
    rows: list[list[Any]]


def build(
    model: Model,
    tables: Mapping[str, Table],
    target: Path,
    timezone: str,
    wanted: Callable[[], None] = lambda: None,
    limits: Limits = contained.DEFAULT,
) -> Built:
    """Runs the SELECT in a child and writes what it gives, in its order. Raises BadPipeline, naming the model.

    Raises QueryStopped if the model crashed its child or passed a limit, and whatever `wanted` raises meanwhile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    spill = target.with_suffix(".spill")
    return contained.call(
        "build", model, dict(tables), target, timezone, spill,
        returns=Built, what=f"The model `{model.name}`", limits=limits, wanted=wanted, leaves=(target, spill),
    )  # fmt: skip


def run_select(model: Model, tables: Mapping[str, Table], target: Path, timezone: str, spill: Path, _: Link) -> Built:
    """What `build` has its child do."""
    with sandbox.connect(tables.values(), timezone, spill) as connection:
        columns = _columns(model, connection, {name: table.columns for name, table in tables.items()})
        try:
            rows = _write(connection.sql(model.sql).to_arrow_reader(ROWS_AT_ONCE), target)
            return Built(rows, columns)
        except (duckdb.Error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's; DuckDB's own come through Arrow as an OSError without a number
            hint = "ATLAS_QUERY_MEMORY_MB allows more." if isinstance(error, duckdb.OutOfMemoryException) else None
            raise not_built(model.name, sandbox.running_fault(error), hint) from None


def planned(model: Model, schemas: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The columns that a model would have over tables of these columns, without a row being read. Raises BadPipeline.

    SQL is planned in a child process.
    """
    asked = {name: dict(columns) for name, columns in schemas.items()}
    return contained.plan("columns", model, asked, returns=dict[str, str])


def plan_select(model: Model, schemas: dict[str, dict[str, str]], _: object) -> dict[str, str]:
    """What `planned` has its child do."""
    with sandbox.connect([Table(name, (), columns) for name, columns in schemas.items()], "UTC") as connection:
        return _columns(model, connection, schemas)


def rows(table: Table, limit: int = 50) -> Rows:
    """The first rows, in the order they were written in."""
    found: list[list[Any]] = []
    names = list(table.columns)
    whole = [bool(_WHOLE.fullmatch(kind)) for kind in table.columns.values()]
    for file in table.files:
        for batch in pq.ParquetFile(file).iter_batches(max(1, min(limit, ROWS_AT_ONCE)), columns=names):
            for row in zip(*map(_values, batch.slice(0, limit - len(found)).columns), strict=True):
                found.append(
                    [
                        int(value) if is_whole and value is not None else _json(value)
                        for value, is_whole in zip(row, whole, strict=True)
                    ]
                )
            if len(found) >= limit:
                return Rows(names, found)
    return Rows(names, found)


def _values(column: pa.Array) -> list[Any]:
    """The values of a column; times that Python has no years for are text."""
    if pa.types.is_timestamp(column.type) and column.type.tz:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))  # the last hour of 9999 is in the year after it
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except (OverflowError, ValueError):
        return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]


def _columns(
    model: Model, connection: duckdb.DuckDBPyConnection, schemas: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    try:
        relation = connection.sql(model.sql)
    except duckdb.Error as error:
        raise not_built(model.name, sql_faults.planning(error, model.sql, schemas)) from None
    columns = {name: str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    if len({name.lower() for name in columns}) != len(relation.columns):
        raise not_built(model.name, "two of its columns have the same name. Name them with AS.")
    for name, kind in columns.items():
        if kind == "INTERVAL" or kind.startswith("TIME WITH"):
            raise not_built(model.name, f"`{name}` is of the type {kind}, which a table cannot hold. "
                            f"Write CAST({name} AS VARCHAR).")  # fmt: skip
    return columns


def not_built(model: str, why: str, hint: str | None = None) -> BadPipeline:
    """What is wrong with a model, the file to correct, and what to say then."""
    return BadPipeline(
        f"`{model}` was not built: {why}", hint=hint or f"Correct navigate/{model}.sql, then: run {model}"
    )


def _write(reader: pa.RecordBatchReader, target: Path) -> int:
    count = 0
    with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _json(value: Any) -> Any:
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal():
            return f"{value:f}"
        case dt.datetime():
            if value.tzinfo is None:
                return value.isoformat()
            return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        case dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case dict():
            return {str(key): _json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_json(inner) for inner in value]
    return str(value)
