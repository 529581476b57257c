"""Raw file in, charted file out: rejected rows left behind, personal data masked, columns in their types."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from core.models import LINE, ColumnType
from engine.chart.mask import Masker
from engine.explore import types as column_types

ROWS_AT_ONCE = 65_536


def rejected_rows(rejects: str | None, file: int) -> pl.Series:
    """The line numbers of one raw file that the contract rejects."""
    if rejects is None:
        return pl.Series(dtype=pl.Int64)
    return pl.scan_parquet(rejects).filter(pl.col("file") == file).select(LINE).collect().to_series()


def charted(
    raw: Path,
    rejected: pl.Series,
    masker: Masker,
    types: dict[str, ColumnType],
    timezone: str,
    target: Path,
    progress: Callable[[int], None],
) -> tuple[int, dict[str, str]]:
    """Writes the charted file. Returns its rows and the DuckDB types of its columns."""
    target.parent.mkdir(parents=True, exist_ok=True)
    rows, writer = 0, None
    try:
        for batch in _batches(raw):
            progress(rows)
            frame = _whole(batch, list(types)).filter(~pl.col(LINE).is_in(rejected.implode()))
            table = _typed(_masked(frame.drop(LINE), masker, types), masker, types, timezone).to_arrow(
                compat_level=None
            )
            writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
            writer.write_table(table)
            rows += len(frame)
    finally:
        if writer:
            writer.close()
    assert writer is not None  # there is at least one batch, if an empty one
    return rows, duckdb_types(writer.schema)


def _batches(raw: Path) -> Iterator[pl.DataFrame | pl.Series]:
    """The file piece by piece; an empty one is one empty piece, for its columns count."""
    file = pq.ParquetFile(raw)
    if file.metadata.num_rows == 0:
        yield pl.from_arrow(file.schema_arrow.empty_table())
    for batch in file.iter_batches(ROWS_AT_ONCE):
        yield pl.from_arrow(batch)


def _whole(frame: pl.DataFrame | pl.Series, columns: list[str]) -> pl.DataFrame:
    """A file of a glob may lack columns that others have: they are null in it."""
    assert isinstance(frame, pl.DataFrame)
    missing = [pl.lit(None, pl.String).alias(column) for column in columns if column not in frame.columns]
    return frame.with_columns(missing).select([LINE, *columns])


def _kept_in_type(masker: Masker, types: dict[str, ColumnType]) -> list[str]:
    return [c for c, kind in types.items() if kind.kind != "text" and masker.verdicts[c].action == "keep"]


def _masked(frame: pl.DataFrame, masker: Masker, types: dict[str, ColumnType]) -> pl.DataFrame:
    """The rows masked, but for kept columns of numbers and dates.

    Their verdict was given to the column as a whole. A label cannot stand among numbers, and a number that looks
    like a card's by chance would be lost without a word.
    """
    masked = masker(frame.drop(_kept_in_type(masker, types)))
    return frame.with_columns(masked.get_columns())


def _typed(frame: pl.DataFrame, masker: Masker, types: dict[str, ColumnType], timezone: str) -> pl.DataFrame:
    """The kept columns in their types."""
    return frame.with_columns(
        column_types.parse(pl.col(column), types[column], timezone).alias(column)
        for column in _kept_in_type(masker, types)
    )


def duckdb_types(schema: pa.Schema) -> dict[str, str]:
    """What DuckDB calls the types of an Arrow schema that Atlas writes."""
    names = {}
    for field in schema:
        if pa.types.is_decimal(field.type):
            names[field.name] = f"DECIMAL({field.type.precision},{field.type.scale})"
        elif pa.types.is_timestamp(field.type):
            names[field.name] = "TIMESTAMP WITH TIME ZONE"
        elif pa.types.is_date(field.type):
            names[field.name] = "DATE"
        elif pa.types.is_integer(field.type):
            names[field.name] = "BIGINT"
        else:
            names[field.name] = "VARCHAR"
    return names
