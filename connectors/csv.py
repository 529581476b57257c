"""Read delimited text files: what separates the values, how they are encoded and the header are found out.

An empty cell is null, in quotes or not; `NULL`, `N/A` and the like are read as text here. Blank lines are no rows.
A row that cannot be read is rejected with its line and the reason, and the next one is read.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from connectors._columns import LONGEST
from connectors._dialect import Dialect, detect
from connectors._encoding import BYTEWISE, TURNED, Text
from connectors._files import FileSource
from connectors._header import names_of
from connectors._layout import cells, filled_after
from connectors._rows import Rows, split, table
from core.errors import SourceUnreadable
from core.models import LINE, MOST_COLUMNS, Rejects, Remark, SourcePart

BATCH_ROWS = 1 << 16
BATCH_BYTES = 32 << 20
PART_ROWS = 250_000
_TURNED = str.maketrans("\"'", "'\"")
WHOLE_BYTES = 16 << 20  # a file that is no larger is one part


class Source(FileSource):
    """`path` is relative to the pipeline file; a glob reads many files. The rest is found out where it is not given."""

    connector: Literal["csv"]
    delimiter: Annotated[str, Field(pattern=r'^[^"\r\n\x00\x80-\U0010ffff]$')] | None = None
    encoding: Literal[*BYTEWISE, "utf-16", "utf-16-le", "utf-16-be"] | None = None  # type: ignore[valid-type]
    header: bool | Annotated[int, Field(ge=1, le=10_000, strict=True)] | None = None  # or the line of the header


def parts(source: Source, base: Path) -> Iterator[SourcePart]:
    """The files in the order of their names; a large one in parts of its own."""
    files = source.files(base)
    some = [[file.name, file.spec["path"]] for file in [*files[:2], *files[2:][-1:]]]
    for file in files:
        if len(files) > 1:
            file.spec["beside"] = some
        with source.opened(file) as opened:
            large = os.fstat(opened.fileno()).st_size > WHOLE_BYTES
        if large:
            yield from cut(source, file)
        else:
            yield file


def cut(source: Source, file: SourcePart, rows: int = PART_ROWS) -> Iterator[SourcePart]:
    """The parts of a file: so many rows each, cut where a row begins. How it is written is found out once."""
    with source.opened(file) as opened:
        how = _how(source, file, opened)
        if how.encoding not in BYTEWISE:
            yield file
            return
        known = os.fstat(opened.fileno())
        names, assumed = _header(opened, how, file.name)
        kept = {key: value for key, value in vars(how).items() if key not in ("bom", "assumed")}
        spec = {
            **file.spec, "names": names, "assumed": assumed, "size": known.st_size, "changed": known.st_mtime_ns,
            "how": kept,
        }  # fmt: skip
        begun: dict[str, int] = {}
        seen, first = 0, int(how.header)
        for found in split(Text(opened, "utf-8", how.start, how.quote).read, how.delimiter, how.returns, how.line):
            for row in range(first + -seen % rows, len(found), rows):
                line = int(found.lines[row])
                if begun:
                    yield SourcePart(file.name, {**spec, **begun, "before": line})
                begun = {"from": how.start + found.at + int(found.starts[row]), "line": line, "first": not begun}
            seen += len(found) - first if len(found) else 0
            first = 0 if len(found) else first
        begun = begun or {"from": known.st_size, "line": 1, "first": True}
        yield SourcePart(file.name, {**spec, **begun, "before": None})


def read(source: Source, part: SourcePart) -> Iterator[pa.RecordBatch | Rejects | Remark]:
    """Batches of about 64k rows, every column text, and beside them the line each row begins on.

    A part of a file reads on after its last row: what is wrong with a quote may show only there.
    """
    with source.opened(part) as file:
        _is_as_it_was(file, part)
        if "names" in part.spec:
            how, names = Dialect(**part.spec["how"]), part.spec["names"]
            assumed = part.spec["assumed"] if part.spec["first"] else []
            at, line, header = part.spec["from"], part.spec["line"], False
        else:
            how = _how(source, part, file)
            names, assumed = _header(file, how, part.name)
            at, line, header = how.start, how.line, how.header
        yield from map(Remark, assumed)
        yield _nothing(names)
        text = Text(file, how.encoding, at, how.quote)
        waiting: list[pa.Table] = []
        waiting_rows = waiting_bytes = 0
        for rows in _before(part.spec.get("before"), split(text.read, how.delimiter, how.returns, line)):
            if header and len(rows):
                rows, header = rows.without_first(), False
            if not len(rows):
                continue
            wrong, good = _apart(rows, names, how, part.name)
            if wrong:
                bad = sorted(wrong)
                raw = _as_written(map(rows.text, bad), how)
                yield Rejects([int(rows.lines[row]) for row in bad], [wrong[row] for row in bad], raw)
            waiting.append(good)
            waiting_rows += good.num_rows
            waiting_bytes += good.nbytes
            if waiting_rows >= BATCH_ROWS or waiting_bytes >= BATCH_BYTES:
                yield from pa.concat_tables(waiting).combine_chunks().to_batches()
                waiting, waiting_rows, waiting_bytes = [], 0, 0
        if waiting_rows:
            yield from pa.concat_tables(waiting).combine_chunks().to_batches()
        _is_as_it_was(file, part)


def dialect(source: Source, part: SourcePart) -> Dialect:
    """How a file is written, for whoever writes another like it."""
    with source.opened(part) as file:
        return _how(source, part, file)


def _how(source: Source, part: SourcePart, file: BinaryIO) -> Dialect:
    """How a file is written. Where it seems to have no header, a file beside it may name the same columns.

    Raises SourceUnreadable if the other names its columns and this one does not: which is which cannot be known.
    """
    how = detect(file, part.name, source.delimiter, source.encoding, source.header)
    if how.header or source.header is not None:
        return how
    for name, path in part.spec.get("beside", ()):
        other = SourcePart(name, {"path": path})
        if path == part.spec["path"]:
            continue
        with source.opened(other) as opened:
            theirs = detect(opened, name, source.delimiter, source.encoding)
            if not theirs.header:
                continue
            names = _header(opened, theirs, name)[0]
        ours = detect(file, part.name, source.delimiter, source.encoding, how.line)
        if set(_header(file, ours, part.name)[0]) == set(names):
            return ours
        raise SourceUnreadable(
            f"`{part.name}` has no header and `{name}` has one, so which column is which cannot be known.",
            hint=f"Write the header into `{part.name}`, or read the two by pipelines of their own.",
        )
    return how


def _header(file: BinaryIO, how: Dialect, name: str) -> tuple[list[str], list[str]]:
    """The columns' names, and what was assumed to find them."""
    if how.width > MOST_COLUMNS:
        raise SourceUnreadable(
            f"`{name}` has {how.width:,} columns in line {how.line}; at most {MOST_COLUMNS:,} can be read.",
            hint="Does each line end with a line feed? If the delimiter is another one, say `delimiter:`.",
        )
    found = split(Text(file, how.encoding, how.start, how.quote).read, how.delimiter, how.returns)
    rows = next((rows for rows in found if len(rows)), None)
    if rows is None:
        raise SourceUnreadable(f"`{name}` is empty: it has not even a header.", hint="Was it written to the end?")
    if not how.header:
        return [f"column_{number}" for number in range(1, how.width + 1)], list(how.assumed)
    if 0 in rows.broken or next(_not_utf8(rows), None) == 0:
        raise SourceUnreadable(
            f"The header of `{name}`, line {how.line}, {rows.broken.get(0, f'is not written in {how.encoding}')}.",
            hint="Correct that line, or say `header: false` if the file has none."
            if 0 in rows.broken
            else "Write its `encoding`, or correct that line.",
        )
    names, said = names_of(_as_written(cells(rows, np.arange(len(rows)) == 0, how.delimiter)[0][: how.width], how))
    if any(len(column) > LONGEST for column in names):
        raise SourceUnreadable(
            f"The header of `{name}`, line {how.line}, has a name longer than 255 letters.",
            hint="Is it a CSV file? If it has no header, say `header: false`.",
        )
    return names, [*how.assumed, *said]


def _before(line: int | None, found: Iterator[Rows]) -> Iterator[Rows]:
    """The rows that begin before a line, all if it is None."""
    for rows in found:
        if line is not None and len(rows) and rows.lines[-1] >= line:
            yield rows.up_to(int(np.searchsorted(rows.lines, line)))
            return
        yield rows


def _is_as_it_was(file: BinaryIO, part: SourcePart) -> None:
    """Raises SourceUnreadable if a file is not the one any more that was cut into parts."""
    now = os.fstat(file.fileno())
    if "changed" in part.spec and (part.spec["size"], part.spec["changed"]) != (now.st_size, now.st_mtime_ns):
        raise SourceUnreadable(
            f"`{part.name}` was changed while it was read.", hint="Run it again when the file is written to the end."
        )


def _nothing(names: list[str]) -> pa.RecordBatch:
    """No rows: it names the columns."""
    return pa.RecordBatch.from_arrays([[] for _ in names] + [[]], schema=_schema(names))


def _schema(names: list[str]) -> pa.Schema:
    return pa.schema([*((name, pa.string()) for name in names), (LINE, pa.int64())])


def _apart(rows: Rows, names: list[str], how: Dialect, name: str) -> tuple[dict[int, str], pa.Table]:
    """What is wrong with which row, and the others. Their values are counted only if they cannot be read."""
    wrong = _wrong(rows, how)
    good = _table(rows, wrong, names, how)
    if good is None:
        wrong = _ragged(rows, len(names), how) | wrong
        good = _table(rows, wrong, names, how)
    if good is None:
        raise SourceUnreadable(f"`{name}` cannot be split into columns near line {rows.lines[0]}. Please report this.")
    return wrong, good


def _ragged(rows: Rows, width: int, how: Dialect) -> dict[int, str]:
    """The rows that have more or fewer values than there are columns."""
    others = "the header has" if how.header else "most rows have"
    wrong = (rows.fields < width) | (rows.fields > width + how.trailing)
    for many in range(width + 1, width + how.trailing + 1):
        chosen = rows.fields == many
        chosen[list(rows.broken)] = False
        if chosen.any():
            wrong[np.flatnonzero(chosen)[filled_after(rows, chosen, width, how.delimiter)]] = True
    ragged = np.flatnonzero(wrong)
    return {
        row: f"has {has} value{'' if has == 1 else 's'}, {others} {width}"
        for row, has in zip(ragged.tolist(), rows.fields[ragged].tolist(), strict=True)
    }


def _wrong(rows: Rows, how: Dialect) -> dict[int, str]:
    """What is wrong with the text of which row."""
    wrong: dict[int, str] = {}
    for text, why in how.no_rows:
        wrong |= dict.fromkeys(_rows_of(rows, text.encode(), b"\r" if how.returns else b"\n"), why)
    for row in _not_utf8(rows):
        wrong[row] = f"has bytes that are not {how.encoding.upper()}"
    if b"\0" in rows.data:
        zeros = np.flatnonzero(np.frombuffer(rows.data, np.uint8) == 0)
        for row in np.unique(_row_of(rows, zeros)).tolist():
            if row >= 0:
                wrong[row] = "has a NUL byte"
    return wrong | rows.broken


def _rows_of(rows: Rows, text: bytes, line_end: bytes) -> Iterator[int]:
    """The rows that are this text."""
    at = int(rows.starts[0]) if len(rows) else -1  # the first may stand at the beginning of a block
    while at >= 0:
        row = int(np.searchsorted(rows.starts, at))
        ends = int(rows.ends[row]) if row < len(rows) and rows.starts[row] == at else -1
        if ends == at + len(text) and rows.data.startswith(text, at):
            yield row
        found = rows.data.find(line_end + text, at)
        at = found + 1 if found >= 0 else -1


def _row_of(rows: Rows, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row each byte is in, -1 for the bytes between and after them."""
    row = np.searchsorted(rows.starts, positions, side="right") - 1
    return np.where((row >= 0) & (positions < rows.nexts[row]), row, -1)


def _not_utf8(rows: Rows) -> Iterator[int]:
    if rows.data.isascii():
        return
    view, at, end = memoryview(rows.data), int(rows.starts[0]), int(rows.nexts[-1])
    while at < end:
        try:
            str(view[at:end], "utf-8")
        except UnicodeDecodeError as error:
            row = int(np.searchsorted(rows.starts, at + error.start, side="right")) - 1
            yield row
            at = int(rows.nexts[row])
        else:
            return


def _table(rows: Rows, wrong: dict[int, str], names: list[str], how: Dialect) -> pa.Table | None:
    """The rows with which nothing is wrong, None if one of them has more or fewer values than there are names."""
    good = np.ones(len(rows), np.bool_)
    good[list(wrong)] = False
    if not good.any():
        return _schema(names).empty_table()
    if not how.trailing:
        return _values(rows, good, names, how)
    tables = []
    for many in np.unique(rows.fields[good]).tolist():
        more = [f"{LINE}_{number}" for number in range(many - len(names))]
        if not len(names) <= many <= len(names) + how.trailing:
            return None
        values = _values(rows, good & (rows.fields == many), [*names, *more], how)
        if values is None or any(values[name].null_count < len(values) for name in more):
            return None
        tables.append(values.drop_columns(more))
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).sort_by(LINE)


def _values(rows: Rows, good: NDArray[np.bool_], names: list[str], how: Dialect) -> pa.Table | None:
    lines = pa.array(rows.lines[good], pa.int64())
    try:
        values = table(rows, good, names, how.delimiter, pa.string())
    except pa.ArrowInvalid:  # its message holds a row
        return None
    if values.num_rows != len(lines):
        return None
    if how.quote == "'":
        values = pa.table({name: _turned(values[name]) for name in names}) if names else values
    return values.append_column(LINE, lines)


def _as_written(texts: Iterable[str], how: Dialect) -> list[str]:
    """Texts with their own quotes, which `Text` has exchanged in a file whose values stand in single ones."""
    return [text.translate(_TURNED) for text in texts] if how.quote == "'" else list(texts)


def _turned(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text in which single and double quotes are exchanged."""
    made = []
    for chunk in values.chunks:
        validity, offsets, data = chunk.buffers()
        turned = pa.py_buffer(data.to_pybytes().translate(TURNED) if data else b"")
        buffers = [validity, offsets, turned]
        made.append(pa.Array.from_buffers(chunk.type, len(chunk), buffers, chunk.null_count, chunk.offset))
    return pa.chunked_array(made, values.type)
