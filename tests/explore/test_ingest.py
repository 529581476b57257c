"""Raw files, rejects, profile and sample of one part, and what is left when it is stopped."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import csv
from core.errors import Cancelled
from core.models import LINE, Rejects
from core.roots import Roots
from engine.explore import profile, sample
from engine.explore.ingest import FILE_ROWS, GROUP_ROWS, Ingested, ingest


def quiet(_: int) -> None:
    pass


def batch(start: int, count: int, *columns: str) -> pa.RecordBatch:
    texts = pa.array([str(number) for number in range(start, start + count)])
    lines = pa.array(range(start, start + count), pa.int64())
    return pa.RecordBatch.from_arrays([*([texts] * len(columns)), lines], [*columns, LINE])


def raw(found: Ingested) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(file.path) for file in found.files], how="diagonal")


def test_a_csv_file_becomes_raw_files_rejects_profile_and_sample(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id;name\n1;Anna\n2\n3;Bo;x\n4;\n5\n")
    source = csv.Source.model_validate({"connector": "csv", "path": "people.csv"}, context=Roots((tmp_path,)))
    (part,) = source.files(tmp_path)
    progress: list[int] = []
    found = ingest(csv.read(source, part), tmp_path / "raw", "people", progress.append)
    assert raw(found).rows() == [("1", "Anna", 2), ("4", None, 5)]
    assert (found.rows, found.rejected, progress[-1]) == (2, 3, 5)
    assert found.causes == {"has 1 value, the header has 2": 2, "has 3 values, the header has 2": 1}
    assert found.reject_lines == {"has 1 value, the header has 2": [3, 6], "has 3 values, the header has 2": [4]}
    assert found.rejects_file is not None
    assert pl.read_parquet(found.rejects_file)["raw"].to_list() == ["2", "3;Bo;x", "5"]
    assert {name: str(kind) for name, kind in profile.types(found.profile).items()} == {"id": "integer", "name": "text"}
    assert sorted(sample.merge([found.sample_file])["id"]) == ["1", "4"]
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == [
        "people-00000.parquet",
        "people-rejects.parquet",
        "people-sample.parquet",
    ]
    assert Ingested.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    ingest([batch(0, 1, "a")], tmp_path / "explore" / "people", "x", quiet)
    for folder in (tmp_path / "explore", tmp_path / "explore" / "people"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_many_small_batches_become_few_large_row_groups(tmp_path: Path) -> None:
    total = FILE_ROWS + 10_000
    found = ingest((batch(at, 1000, "a") for at in range(0, total, 1000)), tmp_path, "x", quiet)
    assert [file.rows for file in found.files] == [FILE_ROWS, 10_000]
    groups = pq.ParquetFile(found.files[0].path).metadata
    assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [GROUP_ROWS] * 2
    assert raw(found)["a"].to_list() == [str(number) for number in range(total)]
    assert found.profile.rows == total


def test_one_large_batch_becomes_several_files(tmp_path: Path) -> None:
    found = ingest([batch(0, 2 * FILE_ROWS, "a")], tmp_path, "x", quiet)
    assert [(Path(file.path).name, file.rows) for file in found.files] == [
        ("x-00000.parquet", FILE_ROWS),
        ("x-00001.parquet", FILE_ROWS),
    ]


def test_columns_are_united_by_name(tmp_path: Path) -> None:
    found = ingest([batch(0, 2, "a", "b"), batch(2, 1, "b"), batch(3, 1, "c", "a")], tmp_path, "x", quiet)
    assert found.columns == ["a", "b", "c"]
    assert raw(found).select("a", "b", "c", LINE).rows() == [
        ("0", "0", None, 0),
        ("1", "1", None, 1),
        (None, "2", None, 2),
        ("3", None, "3", 3),
    ]
    assert [found.profile.nulls(name) for name in found.columns] == [1, 1, 3]


@pytest.mark.parametrize("batches", [[], [batch(0, 0, "a", "b")], [Rejects([2], ["has 1 value"], ["x"])]])
def test_no_rows_are_a_file_without_rows(tmp_path: Path, batches: list[pa.RecordBatch | Rejects]) -> None:
    found = ingest(batches, tmp_path, "x", quiet)
    assert [file.rows for file in found.files] == [0]
    assert raw(found).columns == [*found.columns, LINE]
    assert list(found.profile.columns) == found.columns
    assert sample.merge([found.sample_file]).columns == found.columns


def test_stopped_it_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(rows: int) -> None:
        if rows > FILE_ROWS:
            raise Cancelled("Somebody asked for it.")

    def endless() -> Iterator[pa.RecordBatch | Rejects]:
        while True:
            yield Rejects([1], ["is wrong"], ["x"])
            yield batch(0, 100_000, "a")

    with pytest.raises(Cancelled):
        ingest(endless(), tmp_path / "raw", "x", stop)
    assert list((tmp_path / "raw").iterdir()) == []


def test_memory_stays_flat_however_long_the_input(tmp_path: Path) -> None:
    before, most = pa.total_allocated_bytes(), 0

    def watch(_: int) -> None:
        nonlocal most
        most = max(most, pa.total_allocated_bytes() - before)

    def batches() -> Iterator[pa.RecordBatch]:
        for turn in range(12):
            texts = pa.array([f"{number:0100}" for number in range(turn * GROUP_ROWS, (turn + 1) * GROUP_ROWS)])
            yield pa.RecordBatch.from_arrays([texts, pa.array(range(GROUP_ROWS), pa.int64())], ["a", LINE])

    ingest(batches(), tmp_path, "x", watch)
    assert most < 4 * GROUP_ROWS * 108
