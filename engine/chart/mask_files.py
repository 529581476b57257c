"""Finds and masks personal data in CSV and JSONL files without a pipeline: the same rows come out, masked."""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from connectors import csv
from core.errors import AtlasError, BadInput, SourceUnavailable, SourceUnreadable
from core.models import LINE, Rejects, Remark, SourcePart, Verdict
from core.roots import Roots
from engine.chart.detect import verdicts
from engine.chart.mask import Masker

_EVERYWHERE = Roots((Path("/"),))  # these are the files of the person at the command line
SAMPLE = 5000
KEPT_BYTES = 192 << 20
_ENDIAN = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_LINES = 20_000
_TEXT = "text"
_DEEPER = (".", "[]")  # in the name of a path
_VALUE = re.compile(r"[^\s@]@[^\s@]|\b\d{6}[- ]?\d{4}\b|\+\d{8}")  # in the name of a field
_ORDER = f"{LINE}_order"  # no column of a source begins like this

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
    """Writes each file masked to `out` under its own name, and says what was found: {file: {column: …}}.

    A line that is no row of the table cannot be masked column by column: it is left out and told to `on_reject`, as are
    lines above the header to `on_assumed`, with what else was not plain about a file.
    A file that cannot be masked is told to `on_failure` and the others go on; without that it raises.
    """
    if twice := sorted({f.name for f in files if sum(g.name == f.name for g in files) > 1}):
        raise BadInput(f"Two files are called `{twice[0]}`.", hint="Mask them into different folders.")
    if inside := [f for f in files if f.resolve().parent == out.resolve()]:
        raise BadInput(f"`{inside[0].name}` would be overwritten.", hint="Name another folder after --out.")
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for file in files:
        target, partial = out / file.name, out / f".{file.name}.partial"
        try:
            if file.suffix.lower() in (".jsonl", ".ndjson"):
                found[file.name] = _mask_jsonl(file, partial, key)
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


def _mask_csv(
    file: Path, target: Path, key: bytes, on_reject: OnReject | None, on_assumed: OnAssumed | None
) -> dict[str, Any]:
    source = csv.Source.model_validate({"connector": "csv", "path": str(file.absolute())}, context=_EVERYWHERE)
    part = SourcePart(file.name, {"path": source.path})
    how = csv.dialect(source, part)
    assumed: list[str] = []
    kept = Kept(_frames(source, part, None, assumed.append))
    found, masker = _decide(kept, key)
    if on_assumed:
        for what in assumed:
            on_assumed(file.name, what)
    tell = (lambda r: on_reject(file.name, r)) if on_reject else None
    frames = kept.frames if kept.whole and tell is None else _frames(source, part, tell)
    first = True
    with target.open("wb") as output:
        output.write(how.bom)
        encode = codecs.getincrementalencoder(_ENDIAN.get(how.bom, how.encoding))()
        for frame in frames:
            text = masker(frame.drop(LINE)).write_csv(
                separator=how.delimiter, include_header=first and how.header, null_value=""
            )
            output.write(encode.encode(text))
            first = False
    return _findings(found, masker)


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
    source: csv.Source,
    part: Any,
    on_reject: Callable[[Rejects], None] | None,
    on_assumed: Callable[[str], None] = lambda _: None,
) -> Iterator[pl.DataFrame]:
    for batch in csv.read(source, part):
        if isinstance(batch, Rejects):
            if on_reject:
                on_reject(batch)
        elif isinstance(batch, Remark):
            on_assumed(batch.text)
        else:
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


def _mask_jsonl(file: Path, target: Path, key: bytes) -> dict[str, Any]:
    """Every text and number of a record is masked in the column of its path: `kunde.navn`, `mails`.

    Top-level fields are treated like the columns of a CSV file; `text`, and what stands deeper, is read like
    sentences unless all of its path is personal. A masked number becomes text, any other stays what it is.
    """
    found, masker = _decide((_columns(_leaves(records)) for records in _records(file)), key)
    masker.by_row = False
    for name, verdict in found.items():
        if name == _TEXT or (verdict.scope != "column" and any(mark in name for mark in _DEEPER)):
            found[name] = Verdict(name, verdict.types, 0.9, verdict.reason, "redact", scope="spans")
    rows = 0
    with target.open("w", encoding="utf-8", newline="\n") as output:
        for records in _records(file):
            leaves = _leaves(records)
            masked = masker(_columns(leaves))
            for name, places in leaves.items():
                for (holder, at), value in zip(places, masked[name].head(len(places)), strict=True):
                    if value != str(holder[at]):
                        holder[at] = value
            rows += len(records)
            output.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
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
            elif isinstance(value, str | int | float) and not isinstance(value, bool):
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


def _records(file: Path) -> Iterator[list[dict[str, Any]]]:
    """The lines of a JSONL file, some thousand at a time."""
    records: list[dict[str, Any]] = []
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                record = _record(line, file, number)
                records.append(record)
                if len(records) == _LINES:
                    yield records
                    records = []
    except OSError as error:
        raise SourceUnavailable(f"`{file.name}` cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SourceUnreadable(f"`{file.name}` is not written in UTF-8.", hint="JSONL always is.") from error
    yield records


def _record(line: str, file: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise SourceUnreadable(f"Line {number} of `{file.name}` is no JSON.", hint="One object a line.") from error
    if not isinstance(record, dict) or not isinstance(record.get(_TEXT), str | None):
        raise SourceUnreadable(
            f"Line {number} of `{file.name}` is no object with a `text`.", hint='Like {"id": 1, "text": "…"}.'
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
