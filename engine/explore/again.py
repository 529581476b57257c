"""Reads raw files again, as a connector reads a source: without the rows that were read anew since."""

from collections.abc import Iterator

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from core.models import LINE, Rejects, SourcePart

BATCH_ROWS = 1 << 16


def read(part: SourcePart, key: list[str]) -> Iterator[pa.RecordBatch | Rejects]:
    """The rows of one part of an earlier run whose keys stand in no `later` file, and those that could not be read."""
    later = pl.concat([_keys(path, key) for path in part.spec["later"]]).unique() if part.spec["later"] else None
    for raw in part.spec["raw"]:
        file = pq.ParquetFile(raw["path"])
        yield _none(file)
        for batch in file.iter_batches(BATCH_ROWS):
            yield batch if later is None else _without(batch, later, key)
    if part.spec["rejects"]:
        for batch in pq.ParquetFile(part.spec["rejects"]).iter_batches(BATCH_ROWS):
            columns = batch.to_pydict()
            yield Rejects(columns["line"], columns["reason"], columns["raw"])


def _none(file: pq.ParquetFile) -> pa.RecordBatch:
    """No rows: it names the columns."""
    schema = file.schema_arrow
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def _without(batch: pa.RecordBatch, later: pl.DataFrame, key: list[str]) -> pa.RecordBatch:
    rows = pl.from_arrow(batch)
    assert isinstance(rows, pl.DataFrame)
    again = _with(rows, key).join(later, on=key, how="semi")[LINE]
    return batch.filter(pa.array((~rows[LINE].is_in(again.implode())).to_list()))


def _keys(path: str, key: list[str]) -> pl.DataFrame:
    names = pq.ParquetFile(path).schema_arrow.names
    return _with(pl.read_parquet(path, columns=[name for name in key if name in names]), key).select(key)


def _with(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return rows.with_columns(pl.lit(None, pl.String).alias(name) for name in key if name not in rows.columns)
