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
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadPipeline
from core.models import Table
from engine.navigate.models import Model
from engine.sql import contained, mistakes, sandbox
from engine.sql.child import Limits, Link

ROWS_AT_ONCE = 65_536
EXACT = 2**53  # beyond it, most readers of JSON round whole numbers, so they are text
_ENDLESS, _ENDLESS_DAY = 2**63 - 1, 2**31 - 1  # DuckDB's infinity, and with a minus its other end
_WHOLE = re.compile(r"U?HUGEINT|DECIMAL\(\d+,0\)")  # sum() of whole numbers; Arrow and Parquet have decimals for it


@dataclass(frozen=True)
class Built:
    """A table that is written: its rows, and the DuckDB types of its columns in order."""

    rows: int
    columns: dict[str, str]


@dataclass(frozen=True)
class Rows:
    """The first rows of a table, as JSON has them: decimals and huge numbers are text, times text in UTC."""

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
            for row in zip(*batch.slice(0, limit - len(found)).columns, strict=True):
                found.append(
                    [
                        _exact(int(cell.as_py())) if is_whole and cell.is_valid else _json(cell)
                        for cell, is_whole in zip(row, whole, strict=True)
                    ]
                )
            if len(found) >= limit:
                return Rows(names, found)
    return Rows(names, found)


def _columns(
    model: Model, connection: duckdb.DuckDBPyConnection, schemas: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    try:
        relation = connection.sql(model.sql)
    except duckdb.Error as error:
        raise not_built(model.name, mistakes.planning(error, model.sql, schemas)) from None
    columns = {name: str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    if len({name.lower() for name in columns}) != len(relation.columns):
        raise not_built(model.name, "two of its columns have the same name. Name them with AS.")
    for name, kind in columns.items():
        if kind in ("INTERVAL", "BIT", "UHUGEINT") or kind.startswith("TIME WITH"):
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


def _json(cell: pa.Scalar) -> Any:
    kind = cell.type
    if not cell.is_valid:
        return None
    if pa.types.is_timestamp(kind):
        moment = _moment(cell.value, kind.unit)
        return moment if not kind.tz or moment.endswith("infinity") else f"{moment}Z"
    if pa.types.is_date32(kind):
        return _moment(cell.value, "D")
    if pa.types.is_map(kind):
        return [[_json(pair["key"]), _json(pair["value"])] for pair in cell.values]
    if pa.types.is_struct(kind):
        return {name: _json(inner) for name, inner in cell.items()}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [_json(inner) for inner in cell.values]
    match value := cell.as_py():
        case bool() | str():
            return value
        case int():
            return _exact(value)
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal():
            return f"{value:f}"
        case dt.time():
            return value.isoformat()
        case bytes():
            return value.hex()
    return str(value)


def _exact(number: int) -> int | str:
    return number if abs(number) <= EXACT else str(number)


def _moment(count: int, unit: str) -> str:
    """A date or time as ISO 8601, also one that Python has no date for: `infinity`, the year 10000."""
    if abs(count) == (_ENDLESS_DAY if unit == "D" else _ENDLESS):
        return "infinity" if count > 0 else "-infinity"
    text = re.sub(r"\.0+$", "", str(np.array(count, f"datetime64[{unit}]")))
    return re.sub(r"^-(\d{3})-", r"-0\1-", text)  # numpy counts the minus among the four digits of a year
