"""Raw files are read again as their source was."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.models import LINE, Remark, SourcePart
from engine.explore import again
from engine.explore.ingest import ingest


def test_what_was_said_of_a_source_is_said_again(tmp_path: Path) -> None:
    path = tmp_path / "raw.parquet"
    pq.write_table(pa.table({"id": ["1", "2"], LINE: pa.array([2, 3], pa.int64())}), path)
    spec = {"raw": [{"path": str(path), "rows": 2}], "rejects": None, "later": [], "remarks": ["has no header"]}
    part = SourcePart("people.csv of run #3", spec)
    assert Remark("has no header") in list(again.read(part, ["id"]))
    read = ingest(again.read(part, ["id"]), tmp_path / "zone", "part", lambda _: None)
    assert (read.rows, read.remarks, read.records) == (2, ["has no header"], None)
