"""Rows of an incremental run are merged by key, and only files with changed rows are written anew."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chart.merge import Merge

Rows = list[tuple[str, int | None]]
ODD = 'file_row_number "n" ; --'


def written(path: Path, rows: Rows) -> tuple[str, int]:
    schema = {ODD.replace('"', "'"): pl.String, "paid": pl.Int64}
    pl.DataFrame(rows, schema, orient="row").write_parquet(path)
    return str(path), len(rows)


def merged(
    folder: Path, before: list[Rows], now: list[Rows], gone: list[str], **more: Any
) -> tuple[list[Any], list[Any]]:
    key = ODD.replace('"', "'")
    old = [written(folder / f"old-{number}.parquet", rows) for number, rows in enumerate(before)]
    new = [written(folder / f"new-{number}.parquet", rows) for number, rows in enumerate(now)]
    rejected = pl.DataFrame({key: gone}, {key: pl.String})
    files = Merge(old, new, rejected, [key], [key, "paid"], **more).into(
        lambda number: folder / f"merged-{number}.parquet", lambda _: None, folder / "spill"
    )
    rows = [(pl.read_parquet(path).rows(), count) for path, count in files]
    assert all(len(found) == count for found, count in rows)
    return files, [row for found, _ in rows for row in found]


key = st.sampled_from("abcdef")
some = st.lists(st.lists(st.tuples(key, st.integers(0, 2) | st.none()), max_size=5), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(before=some, now=some, gone=st.lists(key, max_size=2))
def test_every_key_that_was_read_is_as_it_was_read_and_every_other_stays(
    tmp_path_factory: pytest.TempPathFactory, before: list[Rows], now: list[Rows], gone: list[str]
) -> None:
    files, rows = merged(tmp_path_factory.mktemp("merge"), before, now, gone)
    read = {name for part in now for name, _ in part}
    stay = [row for part in before for row in part if row[0] not in read | set(gone)]
    assert Counter(rows) == Counter([*stay, *(row for part in now for row in part)])
    for number, part in enumerate(before):
        if part and not {name for name, _ in part} & (read | set(gone)):
            assert any(path.endswith(f"old-{number}.parquet") for path, _ in files)


def test_rows_that_are_as_they_were_change_nothing(tmp_path: Path) -> None:
    before: list[Rows] = [[("a", 1), ("b", None)], [("c", 3)]]
    files, _ = merged(tmp_path, before, [[("b", None), ("c", 3)], []], [])
    assert [Path(path).name for path, _ in files] == ["old-0.parquet", "old-1.parquet"]


def test_many_small_files_become_one(tmp_path: Path) -> None:
    before: list[Rows] = [[(str(number), number)] for number in range(4)]
    files, rows = merged(tmp_path, before, [[("new", 1)]], [], most_small=3)
    assert len(files) == 1
    assert rows == [("0", 0), ("1", 1), ("2", 2), ("3", 3), ("new", 1)]
