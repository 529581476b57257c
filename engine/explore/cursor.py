"""How far a source has been read: the text of its cursor column's highest value."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import polars as pl

from core.models import ColumnType
from engine.explore import types as column_types


def highest(texts: Iterable[str | None], type_: ColumnType, timezone: str, now: datetime) -> str | None:
    """The text with the highest value, as it was written. One that lies in the future counts for nothing.

    Else one slip of a finger, or a clock that goes back, would hide every later row.
    """
    written = pl.Series("text", texts, pl.String)
    value = column_types.parse(pl.col("text"), type_, timezone)
    found = written.to_frame().with_columns(value.alias("value")).drop_nulls()
    if type_.kind == "datetime":
        found = found.filter(pl.col("value") <= now.astimezone(UTC))
    elif type_.kind == "date":
        found = found.filter(pl.col("value") <= (now.astimezone(UTC) + timedelta(hours=14)).date())
    if found.is_empty():
        return None
    return str(found.item(found["value"].arg_max(), "text"))
