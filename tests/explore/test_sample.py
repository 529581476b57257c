"""The sample is a matter of the rows alone."""

from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import LINE
from engine.explore import sample


def rows(count: int, start: int = 0) -> pl.DataFrame:
    number = pl.int_range(start, start + count, eager=True)
    return pl.DataFrame({"id": number.cast(pl.String), "name": ("row " + (number % 97).cast(pl.String)), LINE: number})


def taken(frame: pl.DataFrame, sizes: list[int], size: int = sample.SIZE) -> pl.DataFrame:
    found, at, turn = None, 0, 0
    while at < frame.height:
        step = sizes[turn % len(sizes)]
        found = sample.take(frame.slice(at, step), found, size)
        at, turn = at + step, turn + 1
    assert found is not None
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=5), st.integers(0, 1000), st.integers(1, 2500))
def test_the_sample_is_the_same_whatever_the_batches_and_their_order(sizes: list[int], seed: int, size: int) -> None:
    frame = rows(2000)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
    assert taken(frame, [2000], size).equals(taken(shuffled, sizes, size))


def test_the_sample_is_the_same_whatever_the_parts(tmp_path: Path) -> None:
    frame = rows(20_000)
    whole = taken(frame, [20_000])
    for number in range(4):
        taken(frame.slice(number * 5000, 5000), [1700]).write_parquet(tmp_path / f"{3 - number}.parquet")
    merged = sample.merge(sorted(tmp_path.iterdir()))
    assert merged.equals(whole.drop(sample.HASH))
    assert merged.columns == ["id", "name"]
    assert merged.height == sample.SIZE


def test_the_hash_is_the_same_in_every_process_and_release() -> None:
    frame = pl.DataFrame({"id": ["1", "2"], "name": ["Anna", None], LINE: [2, 3]})
    assert sample.take(frame)[sample.HASH].to_list() == [1324750023557574794, 18117812212771090952]


def test_equal_rows_count_once_and_their_lines_do_not_matter() -> None:
    frame = pl.DataFrame({"a": ["x", "x", "y"], LINE: [2, 3, 4]})
    assert sorted(sample.take(frame)["a"]) == ["x", "y"]


def test_a_column_that_a_part_lacks_is_null_there(tmp_path: Path) -> None:
    sample.take(pl.DataFrame({"a": ["1"]})).write_parquet(tmp_path / "1.parquet")
    sample.take(pl.DataFrame({"a": ["1"], "b": [None]}, {"a": pl.String, "b": pl.String})).write_parquet(
        tmp_path / "2.parquet"
    )
    sample.take(pl.DataFrame({"b": ["2"]})).write_parquet(tmp_path / "3.parquet")
    merged = sample.merge(sorted(tmp_path.iterdir()))
    assert sorted(merged.rows(), key=str) == [("1", None), (None, "2")]


def test_the_sample_is_spread_over_the_whole_input() -> None:
    found = taken(rows(60_000), [10_000])["id"].cast(pl.Int64)
    counts = (found // 6000).value_counts()["count"]
    assert counts.len() == 10
    assert counts.min() > 230  # type: ignore[operator]
    assert counts.max() < 370  # type: ignore[operator]


def test_a_column_may_be_called_like_the_hash_once_was() -> None:
    frame = pl.DataFrame({"_hash": ["a", "b"], LINE: [2, 3]})
    assert sorted(sample.take(frame)["_hash"]) == ["a", "b"]
