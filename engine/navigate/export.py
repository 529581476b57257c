"""A table as CSV (RFC 4180) in which no cell is a formula to a spreadsheet."""

import csv
import io
from collections.abc import Iterator

import polars as pl
import pyarrow.parquet as pq
from polars import selectors as cs

from core.models import Table
from engine.navigate.build import ROWS_AT_ONCE

# The rule of bot/spreadsheet.py, letter by letter: tests/attack/test_formulas.py holds both against each other.
# Spreadsheets take such a cell for a formula; white space and invisible letters before the sign make no difference.
_IGNORED = (
    r"[\x00-\x20\x7f-\x{a0}\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{1680}\x{17b4}\x{17b5}\x{180b}-\x{180f}"
    r"\x{2000}-\x{200f}\x{2028}-\x{202f}\x{205f}-\x{206f}\x{2800}\x{3000}\x{3164}\x{fe00}-\x{fe0f}\x{feff}"
    r"\x{ffa0}\x{fff9}-\x{fffb}\x{e0000}-\x{e0fff}]"
)
_FORMULA = rf"^{_IGNORED}*[=+\-@＝＋－＠]|^[\t\r]"
_NUMBER = r"^[+-]?([0-9]+([.,][0-9]+)?|[.,][0-9]+)([eE][+-]?[0-9]+)?$"


def lines(table: Table, limit: int) -> Iterator[bytes]:
    """The first rows in the table's order, the names of the columns first; text is always in quotes."""
    names = list(table.columns)
    yield _header(names)
    left = limit
    for file in table.files:
        for batch in pq.ParquetFile(file).iter_batches(max(1, min(left, ROWS_AT_ONCE)), columns=names):
            frame = pl.from_arrow(batch.slice(0, left))
            assert isinstance(frame, pl.DataFrame)
            left -= frame.height
            yield _csv(frame)
            if left <= 0:
                return


def _header(names: list[str]) -> bytes:
    safe = pl.DataFrame({"name": names}, schema={"name": pl.String}).select(_harmless(pl.col("name")))
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(safe["name"])
    return file.getvalue().encode()


def _csv(frame: pl.DataFrame) -> bytes:
    shown = frame.with_columns(_text(name, kind) for name, kind in frame.schema.items())
    file = io.BytesIO()
    shown.with_columns(_harmless(cs.string())).write_csv(
        file, include_header=False, quote_style="non_numeric", line_terminator="\r\n"
    )
    return file.getvalue()


def _text(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as the API tells its values: times in UTC as ISO 8601, numbers as they are, no infinite ones."""
    column = pl.col(name)
    if kind.is_float():
        return pl.when(column.is_finite()).then(column)
    if isinstance(kind, pl.Datetime):
        zone = "Z" if kind.time_zone else ""
        utc = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        return utc.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.f{zone}")
    if isinstance(kind, pl.Binary):
        return column.bin.encode("hex")
    if kind.is_nested():
        wrapped = pl.struct(column.alias("")).struct.json_encode()
        return pl.when(column.is_not_null()).then(wrapped.str.slice(4, wrapped.str.len_chars() - 5)).alias(name)
    return column if kind.is_numeric() else column.cast(pl.String)


def _harmless(text: pl.Expr) -> pl.Expr:
    risky = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(risky).then(pl.lit("'") + text).otherwise(text).name.keep()
