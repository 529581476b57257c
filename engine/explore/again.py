"""Reads raw files again, as a connector reads a source: without the rows that were read anew since."""

from collections.abc import Iterator

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from core.models import LINE, Rejects, Remark, SourcePart

BATCH_ROWS = 1 << 16
_ROW, _WHOLE = f"{LINE}_row", f"{LINE}_whole"  # as no column of a source is called


def read(part: SourcePart, key: list[str]) -> Iterator[pa.RecordBatch | Rejects | Remark]:
    """The rows of one part of an earlier run that stand in no `later` file, those that could not be read, and what was
    assumed about the source.

    A row is found again by its key; one that lacks a part of its key only if all of it is the same.
    """
    files = [_known(pl.read_parquet(path), key) for path in part.spec["later"]]
    later = pl.concat(files).unique() if files else None
    yield from map(Remark, part.spec.get("remarks", ()))  # a part that an earlier Atlas has planned has none
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
    again = rows.select(LINE).with_columns(_known(rows, key)).join(
        later, on=later.columns, how="semi", nulls_equal=True
    )[LINE]  # fmt: skip
    return batch.filter(pa.array((~rows[LINE].is_in(again.implode())).to_list()))


def _known(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """What each row is found again by: its key, and of one that lacks a part of it the text of all its cells."""
    rows = rows.with_columns(pl.lit(None, pl.String).alias(name) for name in key if name not in rows.columns)
    columns = sorted(name for name in rows.columns if name != LINE)
    cells = [pl.lit(f"{name}=") + pl.col(name).str.len_bytes().cast(pl.String) + ":" + pl.col(name) for name in columns]
    lacks = rows.with_row_index(_ROW).filter(pl.any_horizontal(pl.col(name).is_null() for name in key))
    texts = lacks.select(_ROW, pl.concat_str(cells, ignore_nulls=True).alias(_WHOLE))
    return rows.select(key).with_row_index(_ROW).join(texts, on=_ROW, how="left", maintain_order="left").drop(_ROW)
