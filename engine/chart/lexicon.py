"""The word lists beside this file, as sets and as polars series."""

from functools import cache
from pathlib import Path

import polars as pl

_FOLDER = Path(__file__).parent / "words"


@cache
def words(*names: str) -> frozenset[str]:
    """The lower-case words of these lists; a line that starts with # is a remark."""
    lines = (line for name in names for line in (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines())
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def series(*names: str) -> pl.Series:
    return pl.Series(sorted(words(*names)), dtype=pl.String)
