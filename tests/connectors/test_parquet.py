"""What is read of Parquet files: every type as text without loss, and what is refused."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import parquet
from core.errors import SourceUnreadable
from tests.connectors.reading import reading

UTC = dt.UTC
COLUMNS = {
    "whole": (pa.array([2**63 - 1, None]), ["9223372036854775807", None]),
    "unsigned": (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
    "float": (pa.array([3.0, 0.1]), ["3", "0.1"]),
    "not a number": (pa.array([float("nan"), -0.5]), [None, "-0.5"]),
    "half": (pa.array([0.1, None], pa.float32()), ["0.1", None]),
    "decimal": (pa.array([Decimal("1.10"), Decimal("-12345678901234567890.12")]), ["1.10", "-12345678901234567890.12"]),
    "text": (pa.array(["æ\n", ""]), ["æ\n", None]),
    "category": (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    "truth": (pa.array([True, False]), ["true", "false"]),
    "date": (pa.array([dt.date(2026, 3, 1), dt.date(9999, 12, 31)]), ["2026-03-01", "9999-12-31"]),
    "moment": (
        pa.array([dt.datetime(2026, 3, 1, 12, 30, 15, 250000), dt.datetime(2026, 3, 1)], pa.timestamp("us")),  # noqa: DTZ001
        ["2026-03-01 12:30:15.25", "2026-03-01 00:00:00"],
    ),
    "zoned": (
        pa.array([dt.datetime(2026, 3, 1, 11, tzinfo=UTC), None], pa.timestamp("ms", "Europe/Copenhagen")),
        ["2026-03-01 11:00:00Z", None],
    ),
    "time": (pa.array([dt.time(8, 5), None], pa.time64("us")), ["08:05:00", None]),
    "bytes": (pa.array([b"\x00\xff", None]), ["\\x00ff", None]),
    "list": (pa.array([[1, 2], None]), ["[1,2]", None]),
    "object": (pa.array([{"a": 1, "b": "æ"}, None]), ['{"a":1,"b":"æ"}', None]),
    "nothing": (pa.nulls(2), [None, None]),
}


def test_every_type_is_text_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    pq.write_table(pa.table({name: values for name, (values, _) in COLUMNS.items()}), path)
    found = reading(parquet, path)
    assert found.names == list(COLUMNS)
    assert {name: [row[n] for row in found.rows] for n, name in enumerate(found.names)} == {
        name: text for name, (_, text) in COLUMNS.items()
    }
    assert (found.lines, found.said) == ([1, 2], [])


def test_a_file_without_rows_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    pq.write_table(pa.table({"id": pa.array([], pa.int64()), "Id": pa.array([], pa.string())}), path)
    found = reading(parquet, path)
    assert (found.names, found.rows) == (["id", "Id_2"], [])
    assert found.said == ["a column has a name that another has before, and is read as `Id_2`"]


@pytest.mark.parametrize("how", ["empty", "cut", "no end", "text", "zeros"])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, how: str) -> None:
    path = tmp_path / "broken.parquet"
    pq.write_table(pa.table({"a": list(range(5000)), "b": ["x" * 20] * 5000}), path)
    whole = path.read_bytes()
    path.write_bytes({
        "empty": b"", "cut": whole[:-20], "no end": whole[:-4], "text": b"a;b\n1;2\n",
        "zeros": whole[:100] + bytes(4000) + whole[4100:],
    }[how])  # fmt: skip
    with pytest.raises(SourceUnreadable, match=r"`.*broken.parquet` "):
        reading(parquet, path)


def test_a_short_file_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 60_000, pa.int32()), pa.array(["y" * 4_000_000]))
    pq.write_table(pa.table({"a": long}), path)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(SourceUnreadable, match=r"needs more memory than a source may take|is broken"):
        reading(parquet, path)
