"""Read Parquet files: types are kept as they are written, and what is nested becomes JSON text.

An empty text is null, and so is NaN, as which pandas writes an empty number. Times with a zone are given in UTC.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from connectors._apart import batches, still_at_work
from connectors._columns import LONGEST
from connectors._files import FileSource
from connectors._header import names_of
from core.errors import SourceUnreadable
from core.models import LINE, Remark, SourcePart

TYPED = True  # numbers and times are written in one way


class Source(FileSource):
    """`path` is relative to the pipeline file; a glob reads many files."""

    connector: Literal["parquet"]


def parts(source: Source, base: Path) -> list[SourcePart]:
    """The files in the order of their names."""
    return source.files(base)


def types(source: Source, part: SourcePart) -> dict[str, str]:
    """The types that the file gives its columns, in the words of Arrow."""
    with source.opened(part) as file, closing(batches("_parquet", file, part.name, {})) as read:
        about = next(about for batch, about in read if batch is not None)
    return dict(zip(names_of(about["names"])[0], about["types"], strict=True))


def read(source: Source, part: SourcePart) -> Iterator[pa.RecordBatch | Remark]:
    """Batches of some ten thousand rows, every column text, and beside them the number of the row."""
    names: list[str] = []
    seen = 0
    with source.opened(part) as file:
        for batch, about in batches("_parquet", file, part.name, {}):
            if batch is None:
                yield still_at_work()
                continue
            if not names:
                names, said = names_of(about["names"])
                if any(len(name) > LONGEST for name in names):
                    raise SourceUnreadable(f"`{part.name}` has a column whose name is longer than 255 letters.")
                yield from map(Remark, said)
            lines = pa.array(np.arange(seen + 1, seen + 1 + batch.num_rows), pa.int64())
            seen += batch.num_rows
            yield pa.RecordBatch.from_arrays([*batch.columns, lines], names=[*names, LINE])
    if not names:
        raise SourceUnreadable(f"`{part.name}` has no rows.", hint="Was it written to the end?")
