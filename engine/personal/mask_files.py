"""Finds and masks personal data in files without a pipeline: the same rows come out, masked."""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pyarrow as pa

from connectors import csv, excel, jsonl, parquet
from connectors._json import Number, written
from core.errors import AtlasError, BadInput, SourceUnreadable
from core.models import LINE, Rejects, Remark, SourcePart, Verdict
from core.roots import Roots
from engine.personal import retyped
from engine.personal.detect import verdicts
from engine.personal.mask import Masker

_EVERYWHERE = Roots((Path("/"),))  # these are the files of the person at the command line
SAMPLE = 5000
KEPT_BYTES = 192 << 20
_ENDIAN = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_LINES = 20_000
_TEXT = "text"
_DEEPER = (".", "[]")  # in the name of a path
_VALUE = re.compile(r"[^\s@]@[^\s@]|\b\d{6}[- ]?\d{4}\b|\+\d{8}")  # in the name of a field
_ORDER = f"{LINE}_order"  # no column of a source begins like this

_BOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_PARQUET = (".parquet", ".pq")

OnReject = Callable[[str, Rejects], None]
OnFailure = Callable[[str, AtlasError], None]
OnAssumed = Callable[[str, str], None]


def mask_files(
    files: list[Path],
    out: Path,
    key: bytes,
    on_reject: OnReject | None = None,
    on_failure: OnFailure | None = None,
    on_assumed: OnAssumed | None = None,
) -> dict[str, Any]:
    """Writes each file masked to `out` as `masked_name` says, and says what was found: {file: {column: …}}.

    A line that is no row of the table cannot be masked column by column: it is left out and told to `on_reject`, as are
    lines above the header to `on_assumed`, with what else was not plain about a file.
    A file that cannot be masked is told to `on_failure` and the others go on; without that it raises.
    """
    names = [masked_name(file) for file in files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"Two files would be written to `{twice[0]}`.", hint="Mask them into different folders.")
    if inside := [f for f in files if f.resolve().parent == out.resolve()]:
        raise BadInput(f"`{inside[0].name}` would be overwritten.", hint="Name another folder after --out.")
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for file in files:
        target, partial = out / masked_name(file), out / f".{file.name}.partial"
        try:
            if file.suffix.lower() in (".jsonl", ".ndjson"):
                found[file.name] = _mask_jsonl(file, partial, key, on_reject)
            elif file.suffix.lower() in _BOOKS:
                found[file.name] = _mask_book(file, partial, key, on_reject, on_assumed)
            elif file.suffix.lower() in _PARQUET:
                found[file.name] = _mask_parquet(file, partial, key, on_reject, on_assumed)
            else:
                found[file.name] = _mask_csv(file, partial, key, on_reject, on_assumed)
            partial.replace(target)
        except AtlasError as error:
            if on_failure is None:
                raise
            found.pop(file.name, None)
            on_failure(file.name, error)
        finally:
            partial.unlink(missing_ok=True)
    return found


def masked_name(file: Path) -> str:
    """The name of the masked file. Workbooks are only read, so that of a workbook is a CSV."""
    return f"{file.name}.csv" if file.suffix.lower() in _BOOKS else file.name


def _opened(connector: ModuleType, name: str, file: Path) -> tuple[Any, SourcePart]:
    source = connector.Source.model_validate({"connector": name, "path": str(file.absolute())}, context=_EVERYWHERE)
    return source, SourcePart(file.name, {"path": source.path})


def _mask_csv(
    file: Path, target: Path, key: bytes, on_reject: OnReject | None, on_assumed: OnAssumed | None
) -> dict[str, Any]:
    source, part = _opened(csv, "csv", file)
    table = _Table(lambda: csv.read(source, part), file.name, key, on_reject, on_assumed)
    how = csv.dialect(source, part)
    _write_csv(table.masked(), target, _ENDIAN.get(how.bom, how.encoding), how.bom, how.delimiter, header=how.header)
    return table.findings()


def _mask_book(
    file: Path, target: Path, key: bytes, on_reject: OnReject | None, on_assumed: OnAssumed | None
) -> dict[str, Any]:
    source, part = _opened(excel, "excel", file)
    table = _Table(lambda: excel.read(source, part), file.name, key, on_reject, on_assumed)
    _write_csv(table.masked(), target, "utf-8", codecs.BOM_UTF8)  # by this mark Excel knows the encoding
    if on_assumed:
        on_assumed(file.name, f"a masked workbook is written as CSV: `{masked_name(file)}`")
    return table.findings()


def _mask_parquet(
    file: Path, target: Path, key: bytes, on_reject: OnReject | None, on_assumed: OnAssumed | None
) -> dict[str, Any]:
    source, part = _opened(parquet, "parquet", file)
    types = parquet.types(source, part)
    table = _Table(lambda: parquet.read(source, part), file.name, key, on_reject, on_assumed)
    as_text = target.with_suffix(".text")
    try:
        retyped.write_text(table.masked(), types, as_text)
        changed = retyped.write(as_text, types, table.masker.cells, target)
    finally:
        as_text.unlink(missing_ok=True)
    if on_assumed and changed:
        names = ", ".join(f"`{name}`" for name in changed)
        on_assumed(file.name, f"written as text, because its type cannot hold masked values or is nested: {names}")
    return table.findings()


def _write_csv(
    frames: Iterable[pl.DataFrame], target: Path, encoding: str, bom: bytes, delimiter: str = ",", *,
    header: bool = True,
) -> None:  # fmt: skip
    first = True
    with target.open("wb") as output:
        output.write(bom)
        encode = codecs.getincrementalencoder(encoding)()
        for frame in frames:
            text = frame.write_csv(separator=delimiter, include_header=first and header, null_value="")
            output.write(encode.encode(text))
            first = False


class _Table:
    """A file with rows and columns: what was found in it, and its masked rows."""

    def __init__(
        self, read: Callable[[], Iterator[Any]], name: str, key: bytes, on_reject: OnReject | None,
        on_assumed: OnAssumed | None,
    ) -> None:  # fmt: skip
        assumed: list[str] = []
        self._read, self._kept = read, Kept(_frames(read(), None, assumed.append))
        self._found, self.masker = _decide(self._kept, key)
        self._tell = (lambda r: on_reject(name, r)) if on_reject else None
        for what in assumed if on_assumed else ():
            on_assumed(name, what)  # type: ignore[misc]

    def masked(self) -> Iterator[pl.DataFrame]:
        whole = self._kept.whole and self._tell is None
        for frame in self._kept.frames if whole else _frames(self._read(), self._tell):
            yield self.masker(frame.drop(LINE))

    def findings(self) -> dict[str, Any]:
        """Once all masked rows were taken."""
        return _findings(self._found, self.masker)


class Kept:
    """Passes frames on and keeps them while they fit in memory, so that a small file is read once."""

    def __init__(self, frames: Iterator[pl.DataFrame]) -> None:
        self._from, self.whole, self._size = frames, True, 0
        self.frames: list[pl.DataFrame] = []

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for frame in self._from:
            self._size += int(frame.estimated_size())
            if self._size > KEPT_BYTES:
                self.frames, self.whole = [], False
            if self.whole:
                self.frames.append(frame)
            yield frame


def _frames(
    batches: Iterator[Any],
    on_reject: Callable[[Rejects], None] | None,
    on_assumed: Callable[[str], None] = lambda _: None,
) -> Iterator[pl.DataFrame]:
    for batch in batches:
        if isinstance(batch, Rejects):
            if on_reject:
                on_reject(batch)
        elif isinstance(batch, Remark):
            on_assumed(batch.text)
        elif batch.schema.names != [LINE]:  # else it shows that a large file is still being opened
            frame = pl.from_arrow(pa.Table.from_batches([batch]))
            assert isinstance(frame, pl.DataFrame)
            yield frame


def _decide(frames: Iterable[pl.DataFrame], key: bytes) -> tuple[dict[str, Verdict], Masker]:
    """Verdicts from the rows with the smallest hashes: the same sample however the rows come in batches."""
    sample: pl.DataFrame | None = None
    for frame in frames:
        kept = frame.with_columns(frame.hash_rows(seed=7).alias(_ORDER)).bottom_k(SAMPLE, by=_ORDER)
        sample = kept if sample is None else pl.concat([sample, kept], how="diagonal").bottom_k(SAMPLE, by=_ORDER)
    assert sample is not None  # the connector gives a batch for the header at least
    found = verdicts(sample.sort(_ORDER).drop(_ORDER, LINE, strict=False), {}, {}, set())
    return found, Masker(found, key)


def _findings(found: dict[str, Verdict], masker: Masker) -> dict[str, Any]:
    """What is told of each column in which something was found or masked."""
    told: dict[str, Any] = {}
    for column, verdict in found.items():
        counts = masker.found.get(column, {})
        types = list(dict.fromkeys([*verdict.types, *sorted(counts, key=lambda t: -counts[t])]))
        if types:
            evidence = [verdict.reason] + [f"{count} cells held {type_}" for type_, count in counts.items()]
            told[column] = {
                "types": types,
                "confidence": verdict.confidence or 0.9,
                "evidence": evidence,
                "rows": masker.rows,
                "masked": masker.cells.get(column, 0),
            }
    return told


def _mask_jsonl(file: Path, target: Path, key: bytes, on_reject: OnReject | None) -> dict[str, Any]:
    """Every text and number of a record is masked in the column of its path: `kunde.navn`, `mails`.

    Top-level fields are treated like the columns of a CSV file; `text`, and what stands deeper, is read like
    sentences unless all of its path is personal. A masked number becomes text, any other stays what it is.
    """
    tell = (lambda r: on_reject(file.name, r)) if on_reject else None
    found, masker = _decide((_columns(_leaves(records)) for records in _records(file, None)), key)
    masker.by_row = False
    for name, verdict in found.items():
        if name == _TEXT or (verdict.scope != "column" and any(mark in name for mark in _DEEPER)):
            found[name] = Verdict(name, verdict.types, 0.9, verdict.reason, "redact", scope="spans")
    rows = 0
    with target.open("w", encoding="utf-8", newline="\n") as output:
        for records in _records(file, tell):
            leaves = _leaves(records)
            masked = masker(_columns(leaves))
            for name, places in leaves.items():
                for (holder, at), value in zip(places, masked[name].head(len(places)), strict=True):
                    if value != str(holder[at]):
                        holder[at] = value
            rows += len(records)
            output.writelines(written(record) + "\n" for record in records)
    masker.rows = rows
    return _findings(found, masker)


def _leaves(records: list[dict[str, Any]]) -> dict[str, list[tuple[Any, Any]]]:
    """Where the texts and numbers of all records stand, by their path: in which object or list, and at what key."""
    leaves: dict[str, list[tuple[Any, Any]]] = {_TEXT: []}
    left: list[tuple[str, Any]] = [("", record) for record in reversed(records)]
    while left:
        path, holder = left.pop()
        for at, value in list(enumerate(holder) if isinstance(holder, list) else holder.items()):
            name = path + ("[]" if isinstance(holder, list) else f".{at}" if path else str(at))
            if isinstance(value, dict | list):
                left.append((name, value))
            elif isinstance(value, str):  # numbers are text, too
                name = f".{name}" if name.lower().startswith(LINE) else name  # that name is ours
                leaves.setdefault(name, []).append((holder, at))
    return leaves


def _columns(leaves: dict[str, list[tuple[Any, Any]]]) -> pl.DataFrame:
    """The values of each path as a column of text. Lists make some longer than others: their ends are null."""
    height = max(len(places) for places in leaves.values())
    columns = {
        name: [str(holder[at]) for holder, at in places] + [None] * (height - len(places))
        for name, places in leaves.items()
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _records(file: Path, on_reject: Callable[[Rejects], None] | None) -> Iterator[list[dict[str, Any]]]:
    """The records of a JSONL file, some thousand at a time, their numbers as they are written."""
    source, part = _opened(jsonl, "jsonl", file)
    records: list[dict[str, Any]] = []
    good = 0
    with source.opened(part) as opened:
        for number, line in jsonl.lines(opened, file.name):
            record, why = jsonl.record(line)
            if record is None:
                if on_reject:
                    on_reject(Rejects([number], [why or ""], [""]))
                continue
            records.append(_maskable(record, file, number))
            good += 1
            if len(records) == _LINES:
                yield records
                records = []
    if not good:
        raise SourceUnreadable(f"`{file.name}` has no line that is a JSON object.", hint='Like {"id": 1, "text": "…"}.')
    yield records


def _maskable(record: dict[str, Any], file: Path, number: int) -> dict[str, Any]:
    if not isinstance(record.get(_TEXT), str | None) or isinstance(record.get(_TEXT), Number):
        raise SourceUnreadable(
            f"Line {number} of `{file.name}` has a `text` that is no text.", hint='Like {"id": 1, "text": "…"}.'
        )
    if any(_VALUE.search(name) for name in _names(record)):
        raise SourceUnreadable(
            f"Line {number} of `{file.name}` has an address or a personal number for the name of a field.",
            hint="Names of fields are not masked: write it as a value.",
        )
    return record


def _names(record: dict[str, Any]) -> Iterator[str]:
    """The names of all fields, however deep."""
    left: list[Any] = [record]
    while left:
        holder = left.pop()
        if isinstance(holder, dict):
            yield from holder
        values = holder.values() if isinstance(holder, dict) else holder
        left.extend(value for value in values if isinstance(value, dict | list))
