"""From a connector's batches to raw Parquet files, with their profile, a sample, and the rows that were rejected.

Files of one input may have different columns: they are united by name, and a column that a file lacks is null there.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from core.models import LINE, RawFile, Rejects, Remark
from engine.explore import sample
from engine.explore.profile import Profile, repeated

FILE_ROWS = 125_000  # a part of Chart: half of one of Explore, so that workers end at about the same time
GROUP_ROWS = 62_500
GROUP_BYTES = 64 << 20

_LINES_KEPT = 5  # lines kept for each cause, to show where to look
_REJECTS = pa.schema([("line", pa.int64()), ("reason", pa.string()), ("raw", pa.string())])


@dataclass(frozen=True)
class Ingested:
    """What was read of one part. `causes`: rejected rows by reason; `reject_lines`: the first lines of each.

    `remarks` are sentences of the source's for the answer; `records` how many different rows it says that it has.
    """

    files: list[RawFile]
    columns: list[str]
    rows: int
    rejected: int
    causes: dict[str, int]
    reject_lines: dict[str, list[int]]
    rejects_file: str | None
    sample_file: str
    profile: Profile
    remarks: list[str]
    records: int | None

    def as_json(self) -> dict[str, Any]:
        return {
            **vars(self),
            "files": [{"path": file.path, "rows": file.rows} for file in self.files],
            "profile": self.profile.to_json(),
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Ingested":
        known = {name: value[name] for name in Ingested.__dataclass_fields__}
        files = [RawFile(**file) for file in value["files"]]
        return Ingested(**{**known, "files": files, "profile": Profile.from_json(value["profile"])})


def ingest(
    batches: Iterable[pa.RecordBatch | Rejects | Remark], folder: Path, stem: str, on_progress: Callable[[int], None]
) -> Ingested:
    """Writes what a connector reads into `folder`, which is closed to others.

    After each batch `on_progress` gets the rows seen so far; if it raises, what was written is removed again.
    """
    _make_closed(folder)
    with _Raw(folder, stem) as raw:
        for batch in batches:
            if isinstance(batch, Rejects):
                raw.reject(batch)
            elif isinstance(batch, Remark):
                raw.note(batch)
            else:
                raw.add(batch)
            on_progress(raw.rows + raw.rejected)
        return raw.finish()


@dataclass
class _Raw:
    """The files of one part while they are written: whole row groups, so many small batches make no small ones."""

    folder: Path
    stem: str
    rows: int = 0
    columns: list[str] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    reject_lines: dict[str, list[int]] = field(default_factory=dict)
    profile: Profile = field(default_factory=Profile)
    sample: pl.DataFrame | None = None
    remarks: list[str] = field(default_factory=list)
    records: int | None = None

    def __post_init__(self) -> None:
        self._files: list[RawFile] = []
        self._writer: pq.ParquetWriter | None = None
        self._rejects: pq.ParquetWriter | None = None
        self._in_file = 0
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self._waiting_bytes = 0

    def __enter__(self) -> "_Raw":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for writer in (self._writer, self._rejects):
            if writer is not None:
                writer.close()
        if kind is not None:
            for path in (self._sample_path, self._rejects_path, *map(self._path, range(len(self._files) + 1))):
                path.unlink(missing_ok=True)

    @property
    def rejected(self) -> int:
        return self.causes.total()

    @property
    def _sample_path(self) -> Path:
        return self.folder / f"{self.stem}-sample.parquet"

    @property
    def _rejects_path(self) -> Path:
        return self.folder / f"{self.stem}-rejects.parquet"

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.stem}-{number:05}.parquet"

    def add(self, batch: pa.RecordBatch) -> None:
        new = [name for name in batch.schema.names if name not in self.columns and name != LINE]
        if new:
            self._write(0)
            self._close_file()
            self.columns += new
        if not batch.num_rows:  # it names columns, or shows that the source is still at work
            return
        table = pa.Table.from_batches([batch])
        if table.schema.names != [*self.columns, LINE]:
            nulls = pa.nulls(table.num_rows, pa.string())
            known = {name: table[name] for name in table.schema.names}
            table = pa.table({name: known.get(name, nulls) for name in (*self.columns, LINE)})
        self.rows += table.num_rows
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self._waiting_bytes += table.nbytes
        if self._waiting_bytes >= GROUP_BYTES:
            self._write(0)
        elif self._waiting_rows >= GROUP_ROWS:
            self._write(GROUP_ROWS - 1)

    def reject(self, rejects: Rejects) -> None:
        if self._rejects is None:
            self._rejects = pq.ParquetWriter(self._rejects_path, _REJECTS, compression="zstd")
        columns = (rejects.lines, rejects.reasons, rejects.raw)
        self._rejects.write_table(pa.table(dict(zip(_REJECTS.names, columns, strict=True)), schema=_REJECTS))
        self.causes.update(rejects.reasons)
        for line, reason in zip(rejects.lines, rejects.reasons, strict=True):
            lines = self.reject_lines.setdefault(reason, [])
            if len(lines) < _LINES_KEPT:
                lines.append(line)

    def note(self, remark: Remark) -> None:
        if remark.text and remark.text not in self.remarks:
            self.remarks.append(remark.text)
        self.records = self.records if remark.records is None else remark.records

    def finish(self) -> Ingested:
        self._write(0)
        if self.sample is None:  # the columns are known by a file, even without rows
            self._add_group(self._schema().empty_table())
        self._close_file()
        assert self.sample is not None
        self.sample.write_parquet(self._sample_path)
        return Ingested(
            files=self._files,
            columns=self.columns,
            rows=self.rows,
            rejected=self.rejected,
            causes=dict(self.causes),
            reject_lines=self.reject_lines,
            rejects_file=str(self._rejects_path) if self._rejects is not None else None,
            sample_file=str(self._sample_path),
            profile=self.profile,
            remarks=self.remarks,
            records=self.records,
        )

    def _write(self, leave: int) -> None:
        """Writes row groups until no more rows wait than may be left."""
        if self._waiting_rows <= leave:
            return
        table = pa.concat_tables(self._waiting)
        at = 0
        while table.num_rows - at > leave:
            group = table.slice(at, min(GROUP_ROWS, FILE_ROWS - self._in_file))
            self._add_group(group)
            at += group.num_rows
            if self._in_file == FILE_ROWS:
                self._close_file()
        rest = table.slice(at)
        self._waiting = [rest] if rest.num_rows else []
        self._waiting_rows, self._waiting_bytes = rest.num_rows, rest.nbytes

    def _add_group(self, group: pa.Table) -> None:
        frame = pl.from_arrow(group)
        assert isinstance(frame, pl.DataFrame)
        if self._writer is None:
            # written once, read twice and deleted after some days: no larger than the source, and quick
            self._writer = pq.ParquetWriter(
                self._path(len(self._files)), self._schema(), compression="none", use_dictionary=repeated(frame),
                write_statistics=[LINE],
            )  # fmt: skip
        self._writer.write_table(group, row_group_size=GROUP_ROWS)
        self._in_file += group.num_rows
        self.profile = self.profile.add(frame)
        self.sample = sample.take(frame, self.sample)

    def _schema(self) -> pa.Schema:
        return pa.schema([*((name, pa.string()) for name in self.columns), (LINE, pa.int64())])

    def _close_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._files.append(RawFile(str(self._path(len(self._files))), self._in_file))
            self._writer, self._in_file = None, 0


def _make_closed(folder: Path) -> None:
    for part in reversed((folder, *folder.parents)):
        if not part.exists():
            part.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
