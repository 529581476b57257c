"""A program that reads a Parquet file as text: what is nested is JSON, and nothing is rounded."""

import json
import sys
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors._apart import ABOUT, BATCH_ROWS, Refused, main, slices
from core.models import MOST_COLUMNS

FEW_ROWS = 1 << 10  # rows of a batch whose columns hold long texts
_FRACTION = r"(\.\d*?)0+(Z?)$"


def read(_: dict[str, Any], out: Any) -> None:
    """Writes the batches. The file is opened again by its descriptor, for its end is read first."""
    try:
        file = pq.ParquetFile(pa.PythonFile(sys.stdin.buffer, mode="r"), thrift_string_size_limit=64 << 20)
        fields = list(file.schema_arrow)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Refused("is no Parquet file that can be read", "Was it written to the end?") from error
    if not fields or len(fields) > MOST_COLUMNS:
        raise Refused(f"has {len(fields):,} columns; 1 to {MOST_COLUMNS:,} can be read")
    named = {"names": [field.name for field in fields], "types": [str(field.type) for field in fields]}
    about = json.dumps(named).encode()
    schema = pa.schema([(str(n), pa.string()) for n in range(len(fields))], {ABOUT: about})
    rows = max(file.metadata.num_rows, 1)
    size = sum(file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups))
    try:
        with pa.ipc.new_stream(out, schema) as stream:
            stream.write_batch(pa.RecordBatch.from_arrays([pa.nulls(0, pa.string())] * len(fields), schema=schema))
            for batch in file.iter_batches(FEW_ROWS if size / rows > 2000 else BATCH_ROWS, use_threads=False):
                text = pa.RecordBatch.from_arrays([as_text(column) for column in batch.columns], schema=schema)
                for part in slices(text):
                    stream.write_batch(part)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, MemoryError):
            raise
        raise Refused("is broken behind its beginning", "Was it written to the end?") from error


def as_text(column: pa.Array) -> pa.Array:
    """The values of any type as text; an empty text and NaN, which is how pandas writes an empty number, are null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.cast(kind.value_type))
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        text = column.cast(pa.string())
        return pc.if_else(pc.equal(text, ""), None, text)
    if pa.types.is_floating(kind):
        known = column.cast(pa.float32()) if pa.types.is_float16(kind) else column
        text = pc.replace_substring_regex(known.cast(pa.string()), r"\.0$", "")
        return pc.if_else(pc.is_nan(known), None, text)
    if pa.types.is_timestamp(kind):
        naive = column.cast(pa.timestamp(kind.unit))  # a time with a zone is given in UTC
        text = naive.cast(pa.string())
        if kind.tz:
            text = pc.binary_join_element_wise(text, "Z", "")
        return pc.replace_substring_regex(pc.replace_substring_regex(text, _FRACTION, r"\1\2"), r"\.(Z?)$", r"\1")
    if pa.types.is_time(kind):
        text = pc.replace_substring_regex(column.cast(pa.string()), _FRACTION, r"\1\2")
        return pc.replace_substring_regex(text, r"\.$", "")
    if pa.types.is_date64(kind):
        return column.cast(pa.date32()).cast(pa.string())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_date(kind):
        return column.cast(pa.string())
    return _by_polars(column)


def _by_polars(column: pa.Array) -> pa.Array:
    """Bytes as PostgreSQL writes them, `\\x` and hexadecimal digits; everything else as JSON."""
    import polars as pl

    series = pl.Series("v", column)
    if series.dtype == pl.Binary:
        return pc.binary_join_element_wise("\\x", series.bin.encode("hex").to_arrow().cast(pa.string()), "")
    if series.dtype == pl.Duration:
        return series.dt.to_string("iso").to_arrow().cast(pa.string())
    text = series.to_frame().select(pl.struct("v").struct.json_encode().str.slice(5).str.head(-1)).to_series()
    return pc.if_else(column.is_valid(), text.to_arrow().cast(pa.string()), None)


if __name__ == "__main__":
    main(read)
