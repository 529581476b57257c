"""Raw file in, charted file out: rejected rows left behind, personal data masked, columns in their types."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars.selectors import by_name  # `pl.col` takes a column called `*` or `^…$` for a pattern

from core.models import LINE, PERSONAL_TYPES, ColumnType, Verdict
from engine.explore import types as column_types
from engine.explore.profile import repeated
from engine.personal.mask import Masker

ROWS_AT_ONCE = 65_536
_MASKED = rf"^(?:[ht]_[a-z2-7]{{26}}|\[(?:REDACTED|{'|'.join(PERSONAL_TYPES)})\])$"  # a cell that was masked as a whole


class Misfit(Exception):
    """A value that does not fit the type its column was published in, by column and line."""

    def __init__(self, column: str, line: int) -> None:
        self.column, self.line = column, line


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
    look: Callable[[pl.DataFrame], None] = lambda _: None,
) -> tuple[int, dict[str, str]]:
    """Writes the charted file. Returns its rows and the DuckDB types of its columns.

    `look` is shown the accepted rows as they were read. Raises Misfit.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    rows, writer = 0, None
    try:
        for batch in _batches(raw):
            progress(rows)
            frame = _whole(batch, list(types)).filter(~pl.col(LINE).is_in(rejected.implode()))
            look(frame)
            typed = _typed(_masked(frame.drop(LINE), masker, types), masker, types, timezone)
            for column in _kept_in_type(masker, types):
                if typed[column].null_count() > frame[column].null_count():
                    missing = by_name(column).as_expr().is_null() | column_types.is_missing(by_name(column).as_expr())
                    lost = frame.filter(typed[column].is_null()).filter(~missing)
                    if not lost.is_empty():
                        raise Misfit(column, int(lost[LINE][0]))
            table = typed.to_arrow(compat_level=None)
            writer = writer or _writer(target, table.schema, typed, masker)
            writer.write_table(table)
            rows += len(frame)
    finally:
        if writer:
            writer.close()
    assert writer is not None  # there is at least one batch, if an empty one
    return rows, duckdb_types(writer.schema)


def keys(
    raw: Path, rejected: pl.Series, key: list[str], masker: Masker, types: dict[str, ColumnType], timezone: str
) -> pl.DataFrame:
    """The lines of the rejected rows of a raw file and their keys, as they would be published."""
    rows = _whole(pl.scan_parquet(raw).filter(pl.col(LINE).is_in(rejected.implode())).collect(), key)
    own = {column: types[column] for column in key}
    return _typed(_masked(rows, masker, own), masker, own, timezone)


def picked(published: Path, rows: pl.Series) -> Iterator[pl.DataFrame]:
    """Some rows of a charted file, by number."""
    seen = 0
    for batch in _batches(published):
        yield batch.filter(pl.int_range(seen, seen + len(batch), eager=True).is_in(rows.implode()))
        seen += len(batch)


def without(published: Path, rows: pl.Series, target: Path, progress: Callable[[int], None]) -> int:
    """Writes a charted file anew without some of its rows, by number. Returns how many are left."""
    left, seen, writer = 0, 0, None
    try:
        for batch in _batches(published):
            progress(seen)
            kept = batch.filter(~pl.int_range(seen, seen + len(batch), eager=True).is_in(rows.implode()))
            seen += len(batch)
            table = kept.to_arrow(compat_level=None)
            writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
            writer.write_table(table)
            left += len(kept)
    finally:
        if writer:
            writer.close()
    return left


def joined(published: Sequence[tuple[str, int]], target: Path, progress: Callable[[int], None]) -> tuple[str, int]:
    """Writes charted files into one, whose path and rows it returns."""
    rows, writer = 0, None
    try:
        for path, _ in published:
            for batch in _batches(Path(path)):
                progress(rows)
                assert isinstance(batch, pl.DataFrame)
                table = batch.to_arrow(compat_level=None)
                writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
                writer.write_table(table)
                rows += len(batch)
    finally:
        if writer:
            writer.close()
    return str(target), rows


def remasked(
    published: Path,
    before: dict[str, Verdict],
    masker: Masker,
    types: dict[str, ColumnType],
    target: Path,
    progress: Callable[[int], None],
    columns: dict[str, str] | None = None,
) -> tuple[int, dict[str, str]]:
    """Writes a charted file anew, the columns in `before` masked. Returns its rows and the types of its columns.

    `columns` are those it is to have, in the DuckDB types they are to have: wider ones, or new ones without a value.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    rows, writer = 0, None
    try:
        for batch in _batches(published):
            progress(rows)
            text = batch.select(
                column_types.text(pl.col(c), types[c] if batch[c].dtype != pl.String else ColumnType()).alias(c)
                for c in before
            )
            masked = masker(text)
            masked = masked.with_columns(
                pl.when(text[c].str.contains(_MASKED)).then(text[c]).otherwise(masked[c]).alias(c)
                for c, verdict in before.items()
                if verdict.action != "keep" or not verdict.options.get("decided")
            )
            frame = batch.with_columns(masked.get_columns())
            frame = _widened(frame, columns) if columns else frame
            table = frame.to_arrow(compat_level=None)
            writer = writer or _writer(target, table.schema, frame, masker)
            writer.write_table(table)
            rows += len(batch)
    finally:
        if writer:
            writer.close()
    assert writer is not None
    return rows, duckdb_types(writer.schema)


def _widened(frame: pl.DataFrame, columns: dict[str, str]) -> pl.DataFrame:
    kinds = {column: _polars_type(kind) for column, kind in columns.items()}
    new = [pl.lit(None, kind).alias(column) for column, kind in kinds.items() if column not in frame.columns]
    return frame.with_columns(new).select(by_name(column).as_expr().cast(kind) for column, kind in kinds.items())


def _polars_type(duckdb_type: str) -> pl.DataType:
    if found := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", duckdb_type):
        return pl.Decimal(int(found[1]), int(found[2]))
    kinds: dict[str, pl.DataType] = {
        "TIMESTAMP WITH TIME ZONE": pl.Datetime("us", "UTC"), "DATE": pl.Date(), "BIGINT": pl.Int64(),
    }  # fmt: skip
    return kinds.get(duckdb_type, pl.String())


def _writer(target: Path, schema: pa.Schema, rows: pl.DataFrame, masker: Masker) -> pq.ParquetWriter:
    """A dictionary pays where values come again. Hashes that do not are random: nothing would make them smaller."""
    again = repeated(rows)
    random = {c for c, verdict in masker.verdicts.items() if verdict.action in ("hash", "tokenize")}.difference(again)
    return pq.ParquetWriter(
        target,
        schema,
        compression={column: "none" if column in random else "zstd" for column in schema.names},
        use_dictionary=again,
        write_statistics=[column for column in schema.names if column not in random],
    )


def _batches(raw: Path) -> Iterator[pl.DataFrame]:
    """The file a row group at a time; an empty one is one empty piece, for its columns count."""
    about = pq.read_metadata(raw)
    rows = pl.scan_parquet(raw, glob=False)
    at = 0
    for group in range(max(about.num_row_groups, 1)):
        count = about.row_group(group).num_rows if about.num_row_groups else 0
        for start in range(at, at + max(count, 1), ROWS_AT_ONCE):
            yield rows.slice(start, min(ROWS_AT_ONCE, at + count - start)).collect()
        at += count


def _whole(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """A file of a glob may lack columns that others have: they are null in it."""
    missing = [pl.lit(None, pl.String).alias(column) for column in columns if column not in frame.columns]
    return frame.with_columns(missing).select(by_name(LINE, *columns))


def _kept_in_type(masker: Masker, types: dict[str, ColumnType]) -> list[str]:
    return [c for c, kind in types.items() if kind.kind != "text" and masker.verdicts[c].action == "keep"]


def _masked(frame: pl.DataFrame, masker: Masker, types: dict[str, ColumnType]) -> pl.DataFrame:
    """The rows masked, but for kept columns of numbers and dates.

    Their verdict was given to the column as a whole. A label cannot stand among numbers, and a number that looks
    like a card's by chance would be lost without a word.
    """
    masked = masker(frame.drop(by_name(*_kept_in_type(masker, types))))
    return frame.with_columns(masked.get_columns())


def _typed(frame: pl.DataFrame, masker: Masker, types: dict[str, ColumnType], timezone: str) -> pl.DataFrame:
    """The kept columns in their types."""
    return frame.with_columns(
        column_types.parse(by_name(column).as_expr(), types[column], timezone).alias(column)
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
