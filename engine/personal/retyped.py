"""Parquet files of text whose columns get the types back that their source had."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

_WHOLE = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_ALIKE = {"bool", "float", "double", "date32[day]", *_WHOLE}
_MOMENT = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([\w/+:-]+))?\]")
_DECIMAL = re.compile(r"decimal(128|256)\((\d+), (-?\d+)\)")
_TEXT = {"string", "large_string", "string_view"}


def write_text(frames: Iterable[pl.DataFrame], columns: Iterable[str], path: Path) -> None:
    """Writes the frames with all columns as text."""
    schema = pa.schema([(name, pa.string()) for name in columns])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for frame in frames:
            writer.write_table(frame.to_arrow().cast(schema))


def write(path: Path, types: Mapping[str, str], masked: Collection[str], target: Path) -> list[str]:
    """Writes a file of text to `target`, its columns in the types given in the words of Arrow, unless they are masked.

    Returns the columns that were no text and are text now.
    """
    file = pq.ParquetFile(path)
    known = {name: None if name in masked else _type(kind) for name, kind in types.items()}
    schema = pa.schema([(name, known[name] or pa.string()) for name in types])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in file.iter_batches():
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
    return [name for name, kind in types.items() if known[name] is None and kind not in _TEXT]


def _type(kind: str) -> pa.DataType | None:
    """None where text cannot be read as the type without loss, such as a list."""
    if kind in _ALIKE:
        return pa.type_for_alias(kind)
    if found := _MOMENT.fullmatch(kind):
        return pa.timestamp(found[1], found[2])
    if found := _DECIMAL.fullmatch(kind):
        make = pa.decimal128 if found[1] == "128" else pa.decimal256
        return make(int(found[2]), int(found[3]))
    return None
