"""A few thousand rows of a dataset, chosen by what they hold: the same whatever the batches, their order or workers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from core.models import LINE

SIZE = 3000
HASH = f"{LINE}_hash"  # no column of a source begins like this

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def take(frame: pl.DataFrame, sample: pl.DataFrame | None = None, size: int = SIZE) -> pl.DataFrame:
    """The sample with further rows considered; equal rows count once. It is ordered by HASH, its last column."""
    hashes = _hashes(frame)
    low = np.ones(len(hashes), np.bool_)
    if sample is not None and sample.height == size:
        low = hashes <= np.uint64(sample.item(size - 1, HASH))
    if low.sum() > size and len(distinct := np.unique(hashes[low])) > size:
        low = hashes <= distinct[size - 1]
    chosen = _copied(frame.drop(LINE, strict=False).filter(low)).with_columns(pl.Series(HASH, hashes[low], pl.UInt64))
    return _lowest([chosen] if sample is None else [sample, chosen], size)


def merge(paths: Sequence[Path | str], size: int = SIZE) -> pl.DataFrame:
    """The sample of a whole dataset from those of its parts, without HASH; a column a part lacks is null there."""
    return _lowest([pl.read_parquet(path) for path in paths], size).drop(HASH)


def _lowest(samples: list[pl.DataFrame], size: int) -> pl.DataFrame:
    together = pl.concat(samples, how="diagonal")
    together = together.select(pl.exclude(HASH), HASH)
    return together.unique(HASH, keep="first", maintain_order=True).sort(HASH).head(size)


def _copied(frame: pl.DataFrame) -> pl.DataFrame:
    """With text of its own: a few rows that only point at theirs would keep all of their batch in memory."""
    copy = pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(copy, pl.DataFrame)
    return copy


def _hashes(frame: pl.DataFrame) -> NDArray[np.uint64]:
    """A hash of each row that is the same in every process and release: of its values, by the columns' names."""
    names = [name for name in frame.columns if name != LINE]
    salts = pl.DataFrame({"name": names}, {"name": pl.String}).select(plh.col("name").nchash.xxhash64()).to_series()
    mixed = np.zeros(frame.height, np.uint64)
    for name, salt in zip(names, salts, strict=True):
        cells = frame.get_column(name).to_frame("c")
        values = cells.select(plh.col("c").nchash.xxhash64().fill_null(0)).to_series().to_numpy()
        mixed += _mix(values * np.uint64(salt | 1))  # a null adds nothing, as if the column were missing
    return _mix(mixed)


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(32))) * _SPREAD
    return (value ^ (value >> np.uint64(29))) * _SPREAD
