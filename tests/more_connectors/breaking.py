"""A connector with a bug that shows when a file appears."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa

from core.models import Rejects, SourcePart
from core.pipeline import Strict


class Source(Strict):
    connector: Literal["breaking"]
    when: str


def parts(source: Source, base: Path) -> list[SourcePart]:
    return [SourcePart("breaking", {})]


def read(source: Source, part: SourcePart) -> Iterator[pa.RecordBatch | Rejects]:
    while not Path(source.when).exists():
        time.sleep(0.01)
    raise RuntimeError("cannot schedule new futures after interpreter shutdown")
    yield  # type: ignore[unreachable]
