"""Leave the cells as they are."""

from typing import Any

import polars as pl


def mask(cells: pl.Series, type_: str | None, options: dict[str, Any], key: bytes) -> pl.Series:  # noqa: ARG001
    return cells
