"""How a delimited file is written: its encoding, its delimiter, and which line names the columns.

It is decided from the many lines of a sample: each delimiter lays them out in columns in its own way, and the best layout
is taken. Lines above the header are a title, notes or comments, not rows. What was not plain is said in `assumed`.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors._encoding import Text, encoding_of, length
from connectors._header import judged, kind
from connectors._rows import LONGEST_ROW, Rows, scan, table
from core.errors import SourceUnreadable
from core.models import MOST_COLUMNS

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_SAMPLE = 256 << 10
_SAMPLE_ROWS = 200
_MOST_ABOVE = 100  # lines above a header that are looked at
_TAIL = 64 << 10
_LINE_END = re.compile(rb"[\r\n]")
_OTHER_DELIMITERS = "^~:#*!§&"
_TOTAL = re.compile(r"(?i)(?:grand |sub)?total(?:s|t|en|er|sum)?\b.{0,40}|i ?alt\b.{0,40}|sum(?:ma|me)?:?|samlet.{0,20}|gesamt.{0,20}")

_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel or zip file", 'Read Excel by `connector: excel`; unpack a zip file first.'),
    (b"\xd0\xcf\x11\xe0", "an Excel file", "Read it by `connector: excel`."),
    (b"\x1f\x8b", "a gzip file", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "Unpack it first."),
    (b"PAR1", "a Parquet file", "Read it by `connector: parquet`."),
    (b"%PDF", "a PDF", "Only delimited text can be read here."),
    (b"SQLite format 3\x00", "a SQLite database", "Only delimited text can be read here."),
)


@dataclass(frozen=True)
class Dialect:
    """`bom` precedes the text. The header, or without one the first row, begins at byte `start` on line `line`.

    `width`: how many columns there are; a row may have as many as `trailing` empty values more. `returns`: rows end with
    \\r alone. `no_rows`: lines that are no rows, and why. `assumed`: what was not plain, for the answer of the run.
    """

    delimiter: str
    encoding: str
    header: bool
    start: int
    line: int
    width: int
    trailing: int = 0
    bom: bytes = b""
    returns: bool = False
    no_rows: tuple[tuple[str, str], ...] = ()
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Layout:
    """The lines of a sample as one delimiter splits them; `fit`: the share of its rows that have the columns' width."""

    delimiter: str
    rows: Rows
    top: "_Top"
    width: int
    trailing: int
    fit: float
    words: bool = False  # what it splits are words with a comma


def detect(
    file: BinaryIO, name: str, delimiter: str | None = None, encoding: str | None = None,
    header: bool | int | None = None,
) -> Dialect:  # fmt: skip
    """How the file is written. What is given is taken as given; `header` may be the line of the header.

    Raises SourceUnreadable if it is no text, or if what is given does not fit and something else does.
    """
    file.seek(0)
    head = file.read(32)
    for magic, what, hint in _NOT_TEXT:
        if head.startswith(magic):
            raise SourceUnreadable(f"`{name}` is {what}, not CSV.", hint=hint)
    found = encoding_of(file, name, encoding)
    text = Text(file, found.name, len(found.bom))
    sample = b""
    more = b"x"
    while more and (len(sample) < _SAMPLE or (len(sample) < LONGEST_ROW and not _LINE_END.search(sample))):
        more = text.read(_SAMPLE)
        sample += more
    whole = not more
    bare = re.sub(rb'"[^"]*"', b"", sample)
    returns = b"\r" in bare and b"\n" not in bare
    told = re.match(rb'"?sep=([^"\r\n])"?[,;\t|]*[ ]*(\r?\n|\r)', sample)
    before = told.end() if told else 0
    line = 2 if told else 1
    if told and delimiter is None and told[1].decode() in DELIMITERS:
        delimiter = told[1].decode()
    scanned = sample[before:]
    if type(header) is int:
        at = _line_at(sample, header, returns, name)
        scanned, before, line = sample[at:], at, header
    layouts = {
        one: _layout(_rows(scanned, one, line, returns, whole), one, header)
        for one in dict.fromkeys([*([delimiter] if delimiter else []), *DELIMITERS])
    }
    chosen = _chosen(layouts, delimiter, name)
    if chosen is None:
        return Dialect(delimiter or ",", found.name, True, len(found.bom) + before, line, 1, 0, found.bom, returns)
    start, first = before + int(chosen.rows.starts[chosen.top.row]), int(chosen.rows.lines[chosen.top.row])
    assumed = [found.assumed] if found.assumed else []
    return Dialect(
        chosen.delimiter, found.name, chosen.top.header, len(found.bom) + length(sample[:start], found.name), first,
        chosen.width, chosen.trailing, found.bom, returns, _no_rows(chosen, text, file, whole),
        (*assumed, *_assumed(chosen, line, delimiter, header)),
    )  # fmt: skip


def cells(rows: Rows, chosen: NDArray[np.bool_], delimiter: str) -> list[list[str]]:
    """The values of some rows with equally many, in Python: for the header and a sample."""
    names = [str(number) for number in range(int(rows.fields[chosen][0]))]
    columns = table(rows, chosen, names, delimiter, pa.binary()).to_pydict().values()
    return [[(cell or b"").decode("utf-8", "replace") for cell in row] for row in zip(*columns, strict=True)]


def _line_at(sample: bytes, line: int, returns: bool, name: str) -> int:
    """Where a physical line begins."""
    ends = [found.end() for found in re.finditer(rb"\r\n|\r|\n" if returns else rb"\n", sample)]
    if line - 1 > len(ends) or (line > 1 and ends[line - 2] >= len(sample)):
        raise SourceUnreadable(f"`{name}` has no line {line} near its beginning.", hint="Correct `header`.")
    return ends[line - 2] if line > 1 else 0


def _rows(sample: bytes, delimiter: str, line: int, returns: bool, whole: bool) -> Rows:
    rows, _, _ = scan(sample, delimiter, line, returns, final=whole)
    return rows if len(rows) else scan(sample, delimiter, line, returns, final=True)[0]


def _chosen(layouts: dict[str, _Layout | None], given: str | None, name: str) -> _Layout | None:
    """The layout that fits most rows; where none has several columns, one that splits no row.

    Raises SourceUnreadable if the given delimiter does not fit and another does.
    """
    found = [one for one in layouts.values() if one]
    best = max((one for one in found if one.width > 1 and not one.words), key=_rank, default=None)
    if given is not None:
        said = layouts[given]
        poor = said is not None and said.width <= MOST_COLUMNS and (said.width == 1 or said.fit < 0.5)
        if poor and best and best.delimiter in DELIMITERS and best.fit >= 0.9 and len(best.rows) > 1:
            raise SourceUnreadable(
                f"`{name}` does not fit its `delimiter`: it has {best.width} columns if `{_written(best.delimiter)}` "
                "is the delimiter.",
                hint=f'Write `delimiter: "{_written(best.delimiter)}"`, or leave it out.',
            )
        return said
    single = max((one for one in found if one.width == 1), key=_rank, default=None)
    if best is None and single and (other := _other_delimiter(single.rows)):
        raise SourceUnreadable(
            f"`{name}` would be a single column: no comma, semicolon, tab or bar splits its lines.",
            hint=f'It has {other[1]} columns if `{other[0]}` is the delimiter: write `delimiter: "{other[0]}"`. '
            'If it is a single column, write `delimiter: ","`.',
        )
    return best or single or max(found, key=_rank, default=None)


def _rank(found: _Layout) -> tuple[bool, float, int]:
    """Layouts in which fewer lines stand above the header are better, all else being equal."""
    return found.top.sound, found.fit - 1e-6 * found.top.row, found.width


def _written(delimiter: str) -> str:
    return "\\t" if delimiter == "\t" else delimiter


def _other_delimiter(rows: Rows) -> tuple[str, int] | None:
    """A sign that stands equally often in all lines, so that it may be the delimiter."""
    lines = [rows.text(row) for row in range(min(len(rows), _SAMPLE_ROWS))]
    for sign in _OTHER_DELIMITERS:
        many = {line.count(sign) for line in lines}
        if len(lines) > 2 and len(many) == 1 and (each := many.pop()) > (1 if sign == ":" else 0):
            return sign, each + 1
    return None


def _layout(rows: Rows, delimiter: str, header: bool | int | None) -> _Layout | None:
    if not len(rows):
        return None
    first, width = int(rows.fields[0]), _width(rows)
    if header is True or type(header) is int or max(first, width) > MOST_COLUMNS:
        return _with(rows, delimiter, _Top(0, header=True), first)
    if header is False:
        return _with(rows, delimiter, _Top(0, header=False), width)
    top = _top(rows, delimiter, width) if width > 1 or first == 1 else _Top(0, header=True)
    layout = _with(rows, delimiter, top, int(rows.fields[top.row]) if top.header else width)
    if layout.width > 1 and not top.row and layout.fit <= 0 and len(rows) > 1:
        split = float((rows.fields[1:] > 1).mean()) > 0.5
        if not split and delimiter + " " in rows.text(0):  # words with a comma
            return replace(layout, words=True)
    return layout


def _width(rows: Rows) -> int:
    """How many values the rows have that hold most of the data; those that nothing like them stands beside count less."""
    fields = rows.fields
    pairs = Counter(fields[1:][fields[1:] == fields[:-1]].tolist())
    width = max(pairs, key=lambda many: pairs[many] * (many - 1), default=1)
    if width == 1 or width == fields[0]:
        return int(fields[0])
    below = fields[int(np.argmax(fields == width)) :]
    return width if float((below == width).mean()) > 0.5 else int(fields[0])


@dataclass(frozen=True)
class _Top:
    """The row of the header, or the first row where there is none. `sound`: the lines above it are no rows."""

    row: int
    header: bool
    plain: bool = True
    sound: bool = True


def _top(rows: Rows, delimiter: str, width: int) -> _Top:
    """The first line that may be the header: all above it are a title, notes or comments, and those below look like data.

    Where there is none, only comments are left out: what else cannot be a row is rejected.
    """
    fields = rows.fields
    sound = np.ones(len(rows), np.bool_)
    sound[list(rows.broken)] = False
    chosen = sound & (fields == width)
    chosen[np.flatnonzero(chosen)[_SAMPLE_ROWS + _MOST_ABOVE :]] = False
    if not chosen.any():
        return _Top(0, header=True)
    body = dict(zip(np.flatnonzero(chosen).tolist(), cells(rows, chosen, delimiter), strict=True))
    order = list(body)
    one_less = sound & (fields == width - 1)
    if width > 2 and one_less.any() and sum(not row[-1] for row in body.values()) > 0.5 * len(body):
        at = int(np.argmax(one_less))  # rows that end with a delimiter, below a header that does not
        if at < order[0]:
            only = np.arange(len(rows)) == at
            body[at] = [*cells(rows, only, delimiter)[0], ""]
            order.insert(0, at)
    spare: _Top | None = None
    for number, row in enumerate(order[:_MOST_ABOVE]):
        verdict = judged(body[row], [body[other] for other in order[number + 1 : number + 1 + _SAMPLE_ROWS]])
        title = _is_title(rows, row, body[row], order)
        apart = row == 0 or any(_gap(rows, above) or _is_comment(rows, above) for above in range(row))
        apart = apart or all(fields[above] == 1 or above in body for above in range(row))
        if verdict.header and (verdict.strong or apart):
            found = _Top(row, header=True, plain=verdict.plain)
            if not title:
                return found
            spare = spare or found
        if not title:
            break
    if spare:
        return spare
    if order[0] > 0 and not sound[0]:
        return _Top(0, header=True, sound=False)  # it cannot be read, and will be refused
    if order[0] > 0 and fields[0] > 1 and not any(map(kind, cells(rows, np.arange(len(rows)) == 0, delimiter)[0])):
        return _Top(0, header=True, sound=False)  # it names more or fewer columns than there are
    comments = next(row for row in range(len(rows)) if row in body or not _is_comment(rows, row))
    return _Top(comments, header=False, plain=False, sound=comments in body)


def _is_title(rows: Rows, row: int, values: list[str], order: list[int]) -> bool:
    """Whether a line with as many values as there are columns may still be a title above the header."""
    filled = max((number for number, cell in enumerate(values, 1) if cell.strip()), default=0)
    padded = filled <= max(1, len(values) // 3) and len(values) > 2
    return padded or _is_comment(rows, row) or (row + 1 < len(rows) and _gap(rows, row))


def _is_comment(rows: Rows, row: int) -> bool:
    return rows.data[rows.starts[row] : rows.starts[row] + 2].lstrip(b'"').startswith((b"#", b"//"))


def _gap(rows: Rows, row: int) -> bool:
    """Whether a blank line follows."""
    within = rows.data[rows.starts[row] : rows.nexts[row]]
    return bool(rows.lines[row + 1] - rows.lines[row] > max(within.count(b"\n"), within.count(b"\r")))


def _with(rows: Rows, delimiter: str, top: _Top, width: int) -> _Layout:
    """The layout from a line on: counts the rows that fit. Empty values after the last name are no columns."""
    first = top.row + top.header
    below = rows.fields[first:]
    trailing = 0
    if top.header and 1 < width <= MOST_COLUMNS and top.row not in rows.broken:
        (names,) = cells(rows, np.arange(len(rows)) == top.row, delimiter)
        named = max((number for number, cell in enumerate(names, 1) if cell.strip()), default=width)
        if named < width and _empty_after(rows, first, width, named, delimiter) == 1:
            width, trailing = named, width - named
        longer = Counter(below[below > width + trailing].tolist())
        most = max(longer, key=lambda many: longer[many], default=0)
        if most and most <= MOST_COLUMNS and longer[most] >= 0.5 * len(below):
            trailing = most - width if _empty_after(rows, first, most, width, delimiter) >= 0.9 else trailing
    fits = int(((below >= width) & (below <= width + trailing)).sum()) - sum(row >= first for row in rows.broken)
    return _Layout(delimiter, rows, top, width, trailing, fits / len(below) if len(below) else 1.0)


def _empty_after(rows: Rows, first: int, many: int, width: int, delimiter: str) -> float:
    """Of the rows with so many values, the share in which all after the first ones are empty; 1 if there are none."""
    chosen = rows.fields == many
    chosen[:first] = False
    chosen[list(rows.broken)] = False
    return float(1 - filled_after(rows, chosen, width, delimiter).mean()) if chosen.any() else 1.0


def filled_after(rows: Rows, chosen: NDArray[np.bool_], width: int, delimiter: str) -> NDArray[np.bool_]:
    """Which of some rows with equally many values have one after the first `width`."""
    names = [str(number) for number in range(int(rows.fields[chosen][0]))]
    values = table(rows, chosen, names, delimiter, pa.binary())
    filled = np.zeros(len(values), np.bool_)
    for column in values.columns[width:]:
        filled |= column.is_valid().to_numpy()
    return filled


def _no_rows(found: _Layout, text: Text, file: BinaryIO, whole: bool) -> tuple[tuple[str, str], ...]:
    """The header, should it come again, and a last line of totals."""
    if not found.top.header or found.width < 2 or found.width > MOST_COLUMNS:
        return ()
    rows = found.rows
    last = rows if whole else _rows(text.end(file, _TAIL), found.delimiter, 1, False, True)
    told = [(rows.text(found.top.row), "is the header again")]
    row = len(last) - 1
    if row > (found.top.row + 1 if whole else 0) and row not in last.broken and last.fields[row] >= found.width:
        (values,) = cells(last, np.arange(len(last)) == row, found.delimiter)
        if _is_total(values[: found.width], found):
            told.append((last.text(row), "looks like a line of totals"))
    return tuple(told)


def _is_total(values: list[str], found: _Layout) -> bool:
    """Whether a line says that it is a total, and is empty where all others have a value."""
    filled = [value.strip() for value in values if value.strip()]
    if not filled or len(filled) == len(values) or not _TOTAL.fullmatch(filled[0]):
        return False
    chosen = np.ones(len(found.rows), np.bool_)
    chosen[[*range(found.top.row + 1), *found.rows.broken, -1]] = False
    if not chosen.any():
        return False
    chosen &= found.rows.fields == np.bincount(found.rows.fields[chosen]).argmax()
    others = list(zip(*cells(found.rows, chosen, found.delimiter), strict=True))
    return any(not value and all(column) for value, column in zip(values, others, strict=False))


def _assumed(found: _Layout, line: int, delimiter: str | None, header: bool | int | None) -> list[str]:
    """What was not plain, in words that quote nothing of the file but its width."""
    told, top = [], found.top
    above = int(found.rows.lines[top.row]) - line
    if header is None:
        at = int(found.rows.lines[top.row])
        if above and top.header:
            lines = "line 1 was" if at == 2 else f"lines {line} to {at - 1} were"
            told.append(f"{lines} left out as a title, and line {at} taken for the header; if that is wrong, write the "
                        "line of the header: `header: 1`")  # fmt: skip
        elif top.header and not top.plain:
            told.append(f"line {at} was taken for the header; if it holds data, write `header: false`")
        elif not top.header:
            named = "column is called column_1" if found.width == 1 else f"columns are called column_1 to column_{found.width}"
            left = f" (after {above} lines of comments)" if above else ""
            told.append(f"no header was found{left}, so its {named}; if line {at} names them, write `header: {at}`")
    if found.width == 1 and delimiter is None and any((found.rows.data.find(sign.encode()) >= 0) for sign in DELIMITERS):
        told.append("it was read as a single column, because no delimiter splits its lines evenly")
    return told
