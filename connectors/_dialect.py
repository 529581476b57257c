"""How a delimited file is written: its encoding, its delimiter, and which line names the columns.

It is decided from the many lines of a sample: each delimiter lays them out in columns in its own way, and the best
layout is taken. Lines above the header are a title, notes or comments, not rows. What was not plain is said.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from connectors._encoding import Text, encoding_of, length
from connectors._layout import Layout, cells, is_total, layout
from connectors._rows import LONGEST_ROW, Rows, scan
from core.errors import SourceUnreadable
from core.models import MOST_COLUMNS

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_SAMPLE = 256 << 10
_TAIL = 64 << 10
_LINES = 200  # in which a sign that may be the delimiter must stand equally often
_OTHER_DELIMITERS = "^~:#*!§&"
_LINE_END = re.compile(rb"[\r\n]")
_SEP = re.compile(rb'"?sep=([^"\r\n])"?[,;\t|]*[ ]*(\r?\n|\r)')  # Excel's own way to tell the delimiter

_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel or zip file", "Read Excel by `connector: excel`; unpack a zip file first."),
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

    `quote`: what values stand in. `width`: how many columns there are; a row may have as many as `trailing` empty
    values more. `returns`: rows end with \\r alone. `no_rows`: lines that are no rows, and why. `assumed`: what
    was not plain, for the answer of a run.
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
    quote: str = '"'


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
    sample, whole = _sample(text)
    quote = "'" if _is_in_single_quotes(sample, DELIMITERS if delimiter is None else [delimiter]) else '"'
    if quote == "'":
        text = Text(file, found.name, len(found.bom), quote)
        sample, whole = _sample(text)
    bare = re.sub(rb'"[^"]*"', b"", sample)
    returns = b"\r" in bare and b"\n" not in bare
    begins, line, wanted = 0, 1, delimiter
    if (told := _SEP.match(sample)) is not None:
        begins, line = told.end(), 2
        wanted = delimiter or (told[1].decode() if told[1].decode() in DELIMITERS else None)
    if type(header) is int:
        begins, line = _line_at(sample, header, returns, name), header
    layouts = {
        one: layout(_rows(sample[begins:], one, line, returns, whole), one, header)
        for one in dict.fromkeys([*([wanted] if wanted else []), *DELIMITERS])
    }
    chosen = _chosen(layouts, wanted, name)
    if chosen is None:  # there are no rows
        return Dialect(
            wanted or ",", found.name, True, len(found.bom) + begins, line, 1, 0, found.bom, returns, quote=quote
        )
    _names_all(chosen, header, name)
    start = begins + int(chosen.rows.starts[chosen.top.row])
    assumed = [*([found.assumed] if found.assumed else []), *_assumed(chosen, line, delimiter, header)]
    return Dialect(
        chosen.delimiter, found.name, chosen.top.header, len(found.bom) + length(sample[:start], found.name),
        chosen.line, chosen.width, chosen.trailing, found.bom, returns, _no_rows(chosen, text, whole), tuple(assumed),
        quote,
    )  # fmt: skip


def _is_in_single_quotes(sample: bytes, delimiters: Iterable[str]) -> bool:
    """Whether values stand in single quotes: one in most lines, or some that hold a delimiter."""
    if sample.count(b"'") < 4:
        return False
    lines = len(sample.splitlines())
    for delimiter in delimiters:
        sign = re.escape(delimiter.encode())
        values = re.findall(rb"(?:^|(?<=%b))'((?:[^'\r\n]|'')*)'(?=%b|\r|\n|\Z)" % (sign, sign), sample, re.MULTILINE)
        if len(values) >= max(3, 0.9 * lines) or sum(delimiter.encode() in value for value in values) >= 2:
            return True
    return False


def _sample(text: Text) -> tuple[bytes, bool]:
    """The beginning of a text, with a whole line in it, and whether that is all."""
    sample, more = b"", b"x"
    while more and (len(sample) < _SAMPLE or (len(sample) < LONGEST_ROW and not _LINE_END.search(sample))):
        more = text.read(_SAMPLE)
        sample += more
    return sample, not more


def _rows(sample: bytes, delimiter: str, line: int, returns: bool, whole: bool) -> Rows:
    rows, _, _ = scan(sample, delimiter, line, returns, final=whole)
    return rows if len(rows) else scan(sample, delimiter, line, returns, final=True)[0]


def _line_at(sample: bytes, line: int, returns: bool, name: str) -> int:
    """Where a physical line begins."""
    starts = [0, *(found.end() for found in re.finditer(rb"\r\n|\r|\n" if returns else rb"\n", sample))]
    if line > len(starts) or starts[line - 1] >= len(sample):
        raise SourceUnreadable(f"`{name}` has no line {line} near its beginning.", hint="Correct `header`.")
    return starts[line - 1]


def _chosen(layouts: dict[str, Layout | None], given: str | None, name: str) -> Layout | None:
    """The layout that fits most rows; where none has several columns, one that splits no row.

    Raises SourceUnreadable if the given delimiter does not fit and another does.
    """
    found = [one for one in layouts.values() if one]
    many = [one for one in found if one.width > 1 and not one.words and not one.outdone(found)]
    best = max(many, key=Layout.rank, default=None)
    if given is not None:
        said = layouts[given]
        poor = said and said.width <= MOST_COLUMNS and (said.width == 1 or said.fit < 0.5 or said.outdone(found))
        if poor and best and best.delimiter != given and best.fit >= 0.9 and len(best.rows) > 1:
            raise SourceUnreadable(
                f"`{name}` does not fit its `delimiter`: it has {best.width} columns if `{_written(best.delimiter)}` "
                "is the delimiter.",
                hint=f'Write `delimiter: "{_written(best.delimiter)}"`, or leave it out.',
            )
        return said
    single = max((one for one in found if one.width == 1), key=Layout.rank, default=None)
    if best is None and single and (other := _other_delimiter(single.rows)):
        raise SourceUnreadable(
            f"`{name}` would be a single column: no comma, semicolon, tab or bar splits its lines.",
            hint=f'It has {other[1]} columns if `{other[0]}` is the delimiter: write `delimiter: "{other[0]}"`. '
            'If it is a single column, write `delimiter: ","`.',
        )
    return best or single or max(found, key=Layout.rank, default=None)


def _written(delimiter: str) -> str:
    return "\\t" if delimiter == "\t" else delimiter


def _other_delimiter(rows: Rows) -> tuple[str, int] | None:
    """A sign that stands equally often in all lines, so that it may be the delimiter."""
    lines = [rows.text(row) for row in range(min(len(rows), _LINES))]
    for sign in _OTHER_DELIMITERS:
        many = {line.count(sign) for line in lines}
        if len(lines) > 2 and len(many) == 1 and (each := many.pop()) > (1 if sign == ":" else 0):
            return sign, each + 1
    return None


def _names_all(found: Layout, header: bool | int | None, name: str) -> None:
    """Raises SourceUnreadable if the line that must be the header names more or fewer columns than the rows have."""
    if header is not None or found.top.sound or not found.top.header or found.top.row in found.rows.broken:
        return
    below = found.rows.fields[1:]
    raise SourceUnreadable(
        f"The header of `{name}`, line {found.line}, names {found.width} columns, but most lines have "
        f"{int(np.bincount(below).argmax())} values.",
        hint="Correct that line. If another line is the header, write its number: `header: 3`; if none is: "
        "`header: false`.",
    )


def _no_rows(found: Layout, text: Text, whole: bool) -> tuple[tuple[str, str], ...]:
    """The header, should it come again, and a last line of totals."""
    if not found.top.header or not 1 < found.width <= MOST_COLUMNS:
        return ()
    last = found.rows if whole else _rows(text.end(_TAIL), found.delimiter, 1, False, True)
    told, row = [(found.rows.text(found.top.row), "is the header again")], len(last) - 1
    if row > (found.top.row + 1 if whole else 0) and row not in last.broken and last.fields[row] >= found.width:
        (values,) = cells(last, np.arange(len(last)) == row, found.delimiter)
        if is_total(values[: found.width], found):
            told.append((last.text(row), "looks like a line of totals"))
    return tuple(told)


def _assumed(found: Layout, line: int, delimiter: str | None, header: bool | int | None) -> list[str]:
    """What was not plain, in words that quote nothing of the file; `line` is the first that was looked at."""
    told, top, at = [], found.top, found.line
    if header is None:
        above = "line 1 was" if at == 2 else f"lines {line} to {at - 1} were"
        if at > line and top.header:
            told.append(f"{above} left out as a title, and line {at} taken for the header; if another line is the "
                        "header, write its number: `header: 1`")  # fmt: skip
        elif top.header and not top.plain:
            told.append(f"line {at} was taken for the header; if it holds data, write `header: false`")
        elif not top.header:
            start = f"{above} left out as a title, and no" if at > line else "no"
            named = "1" if found.width == 1 else f"1 to column_{found.width}"
            told.append(f"{start} header was found: its columns are called column_{named}; if a line names them, write "
                        f"its number: `header: {at}`")  # fmt: skip
    if found.width == 1 and delimiter is None and any(sign.encode() in found.rows.data for sign in DELIMITERS):
        told.append("it was read as a single column, because no delimiter splits its lines evenly")
    return told
