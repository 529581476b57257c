"""Put the name of the kind in place of each cell: `[EMAIL]`."""

from typing import Any

import polars as pl


def label(type_: str | None) -> str:
    return f"[{type_ or 'REDACTED'}]"


def mask(cells: pl.Series, type_: str | None, options: dict[str, Any], key: bytes) -> pl.Series:  # noqa: ARG001
    return cells.to_frame("c").select(pl.when(pl.col("c").is_not_null()).then(pl.lit(label(type_)))).to_series()
