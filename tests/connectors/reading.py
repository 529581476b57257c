"""Everything that a connector reads of one file."""

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from core.models import LINE, Rejects, Remark
from core.roots import Roots


@dataclass
class Reading:
    """`rows` without the line each began on, which is in `lines`."""

    names: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def reading(connector: ModuleType, path: Path, **given: Any) -> Reading:
    name = connector.__name__.rpartition(".")[2]
    source = connector.Source.model_validate(
        {"connector": name, "path": str(path), **given}, context=Roots((path.parent,))
    )
    found = Reading()
    for part in connector.parts(source, path.parent):
        for batch in connector.read(source, part):
            if isinstance(batch, Remark):
                found.said.append(batch.text)
            elif isinstance(batch, Rejects):
                found.rejected += zip(batch.lines, batch.reasons, strict=True)
            else:
                assert isinstance(batch, pa.RecordBatch)
                found.names += [name for name in batch.schema.names if name not in (*found.names, LINE)]
                found.rows += [[row.get(name) for name in found.names] for row in batch.to_pylist()]
                found.lines += batch.column(LINE).to_pylist()
    return found
