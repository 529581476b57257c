"""Rows of a JSON file, those from a tick on: a source that is read by a cursor, for tests. Two files of raw rows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from core.models import LINE, Rejects, SourcePart
from core.pipeline import Column, Strict


class Source(Strict):
    connector: Literal["changes"]
    path: str
    cursor: Column | None = None


def parts(source: Source, base: Path, since: str | None = None) -> list[SourcePart]:
    return [SourcePart(f"{source.path} {n}", {"half": n, "since": since}) for n in (0, 1)]


def read(source: Source, part: SourcePart) -> Iterator[pa.RecordBatch | Rejects]:
    rows: list[dict[str, Any]] = json.loads(Path(source.path).read_text())
    since = part.spec["since"]
    halved = [(n, row) for n, row in enumerate(rows) if n % 2 == part.spec["half"]]
    kept = [(n, row) for n, row in halved if since is None or int(row["tick"]) >= int(since)]
    names = list(rows[0]) if rows else ["id", "tick"]
    columns = [pa.array([row[name] for _, row in kept], pa.string()) for name in names]
    lines = pa.array([n + 1 for n, _ in kept], pa.int64())
    yield pa.RecordBatch.from_arrays([*columns, lines], names=[*names, LINE])
