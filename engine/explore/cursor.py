"""How far a source has been read: the text of its cursor column's highest value."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import polars as pl

from core.models import ColumnType
from engine.explore import types as column_types

ENDLESS = r"(?i)^-?(?:infinity|nan)$"  # how databases write an infinite number or time
_KINDS = (
    ColumnType("datetime", "%Y-%m-%d", zoned=True), ColumnType("datetime", "%Y-%m-%d"), ColumnType("date", "%Y-%m-%d"),
)  # fmt: skip


def highest(texts: Iterable[str | None], type_: ColumnType, timezone: str, now: datetime) -> str | None:
    """The text with the highest value, as it was written. One that lies in the future counts for nothing.

    Else one slip of a finger, or a clock that goes back, would hide every later row; nor does `infinity` count.
    A cursor may be published as text, for its numbers are too long or not all its values are numbers or times: it is
    then read by its first value, and what is of another kind counts for nothing either.
    """
    written = pl.Series("text", texts, pl.String).drop_nulls()
    written = written.filter(~written.str.contains(ENDLESS))
    if written.is_empty():
        return None
    if type_.kind == "text":
        return _highest_number(written) or next(
            filter(None, (highest(written, k, timezone, now) for k in _KINDS)), None
        )
    value = column_types.parse(pl.col("text"), type_, timezone)
    found = written.to_frame().with_columns(value.alias("value")).drop_nulls()
    if type_.kind == "datetime":
        found = found.filter(pl.col("value") <= now.astimezone(UTC))
    elif type_.kind == "date":
        found = found.filter(pl.col("value") <= (now.astimezone(UTC) + timedelta(hours=14)).date())
    if found.is_empty():
        return None
    return str(found.item(found["value"].arg_max(), "text"))


def _highest_number(written: pl.Series) -> str | None:
    """The highest of numbers of any length, which are compared by their digits and never as floats."""
    parts = written.to_frame().filter(pl.col("text").str.contains(r"^-?[0-9]+(?:\.[0-9]+)?$"))
    if parts.is_empty():
        return None
    digits = pl.col("text").str.strip_prefix("-")
    whole = digits.str.extract(r"^0*([0-9]*)").fill_null("")
    parts = parts.with_columns(
        below=pl.col("text").str.starts_with("-"),
        long=whole.str.len_bytes(), whole=whole, rest=digits.str.extract(r"\.([0-9]+)").fill_null(""),
    )  # fmt: skip
    above = parts.filter(~pl.col("below"))
    order = (above if len(above) else parts).sort("long", "whole", "rest")
    return str(order["text"][-1 if len(above) else 0])
