"""The word lists beside this file, as sets, and what of a column stands in them."""

from functools import cache
from pathlib import Path

import polars as pl

_FOLDER = Path(__file__).parent / "words"


@cache
def words(*names: str) -> frozenset[str]:
    """The lower-case words of these lists; a line that starts with # is a remark."""
    lines = (line for name in names for line in (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines())
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def among(some: pl.Series, *names: str) -> pl.Series:
    """Those of some different words that stand in these lists: few, where the lists are long."""
    listed = words(*names)
    return pl.Series(sorted(word for word in some.unique().drop_nulls() if word in listed), dtype=pl.String)
