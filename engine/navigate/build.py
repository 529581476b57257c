"""Builds a model's table as one Parquet file in the model's own order, and reads its first rows."""

import datetime as dt
import decimal
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadPipeline
from core.models import Table
from engine import sandbox
from engine.navigate.models import Model

ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Built:
    """A table that is written: its rows, and the DuckDB types of its columns in order."""

    rows: int
    columns: dict[str, str]


@dataclass(frozen=True)
class Rows:
    """The first rows of a table, as JSON has them: decimals and times are text."""

    columns: list[str]
    rows: list[list[Any]]


def build(model: Model, tables: Mapping[str, Table], target: Path, timezone: str) -> Built:
    """Runs the SELECT and writes what it gives. Raises BadPipeline, naming the model."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with sandbox.connect(tables.values(), timezone) as connection:
        try:
            described = connection.execute(f"DESCRIBE {model.sql}").fetchall()
            columns = {str(row[0]): str(row[1]) for row in described}
            if len(columns) != len(described):
                raise BadPipeline(f"Two columns of `{model.name}` have the same name.", hint="Name them with AS.")
            rows = _write(connection.sql(model.sql).to_arrow_reader(ROWS_AT_ONCE), target)
        except duckdb.Error as error:
            raise BadPipeline(f"`{model.name}` cannot be built: {_told(error)}") from None
    return Built(rows, columns)


def rows(table: Table, limit: int = 50) -> Rows:
    """The first rows, in the order they were written in."""
    found: list[list[Any]] = []
    names = list(table.columns)
    for file in table.files:
        for batch in pq.ParquetFile(file).iter_batches(max(1, min(limit, ROWS_AT_ONCE))):
            found += [
                [_json(value) for value in row.values()] for row in batch.slice(0, limit - len(found)).to_pylist()
            ]
            if len(found) >= limit:
                return Rows(names, found)
    return Rows(names, found)


def _write(reader: pa.RecordBatchReader, target: Path) -> int:
    count = 0
    with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _json(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _told(error: duckdb.Error) -> str:
    """DuckDB's first sentence, without the values it likes to quote."""
    first = str(error).strip().splitlines()[0]
    without = re.sub(r"'[^']*'", "'…'", re.sub(r"\b(Could not convert string) .*", r"\1 to the type asked for", first))
    return without.removesuffix(".") + "."
