"""Where the rows of delimited text begin and end, found without looking at cells one by one."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

Positions = NDArray[np.int64]

BLOCK = 1 << 20
LONGEST_ROW = 16 << 20  # bytes of the longest row; a quote open for longer was never closed

NEVER_CLOSED = "has a quote that is opened and never closed"
TEXT_AFTER_QUOTE = "has text after a closing quote"
LONE_RETURN = "has a carriage return outside quotes"
TOO_LONG = f"is longer than {LONGEST_ROW >> 20} MB"

_QUOTE, _LF, _CR = 34, 10, 13
_LINE_END = {False: re.compile(rb"\n"), True: re.compile(rb"[\r\n]")}


@dataclass(frozen=True)
class Rows:
    """Complete rows inside `data`; blank lines are none. `broken` says by row index what is wrong with its quotes.

    `inside`: which bytes stand in quotes (None: none do). `at`: where in the text `data` begins.
    """

    data: bytes
    starts: Positions
    ends: Positions  # without the line end
    nexts: Positions  # with it
    lines: Positions  # the physical line a row begins on, from 1
    broken: dict[int, str]
    delimiter: str
    inside: NDArray[np.bool_] | None
    at: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def fields(self) -> Positions:
        """How many values each row has: counted when somebody asks, for it takes as long as to find the rows."""
        until = int(self.nexts[-1]) if len(self) else 0
        delimiters = np.flatnonzero(np.frombuffer(self.data, np.uint8)[:until] == ord(self.delimiter))
        if self.inside is not None:
            delimiters = delimiters[~self.inside[delimiters]]
        return np.searchsorted(delimiters, self.nexts) - np.searchsorted(delimiters, self.starts) + 1

    def text(self, row: int) -> str:
        """The row as it stands in the file; what is no text becomes U+FFFD."""
        return self.data[self.starts[row] : self.ends[row]].decode("utf-8", errors="replace")

    def without_first(self) -> "Rows":
        broken = {row - 1: reason for row, reason in self.broken.items() if row}
        return self._sliced(slice(1, None), broken)

    def up_to(self, row: int) -> "Rows":
        return self._sliced(slice(row), {at: reason for at, reason in self.broken.items() if at < row})

    def _sliced(self, which: slice, broken: dict[int, str]) -> "Rows":
        starts, ends, nexts = self.starts[which], self.ends[which], self.nexts[which]
        return replace(self, starts=starts, ends=ends, nexts=nexts, lines=self.lines[which], broken=broken)

    def only(self, good: NDArray[np.bool_]) -> memoryview:
        """The bytes of the rows chosen, one after the other."""
        view = memoryview(self.data)
        if not len(self):
            return view[:0]
        joined = good & np.append(self.starts[1:] == self.nexts[:-1], False) & np.append(good[1:], False)
        first = self.starts[good & ~np.append(False, joined[:-1])]
        last = self.nexts[good & ~joined]
        if len(first) == 1:
            return view[first[0] : last[0]]
        return memoryview(b"".join(view[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)))


def split(read: Callable[[int], bytes], delimiter: str, returns: bool = False, line: int = 1) -> Iterator[Rows]:
    """The rows of a text in UTF-8, block by block; `read(n)` gives about n bytes more, nothing at the end.

    A row ends with a line feed, and if `returns` also with a carriage return alone.
    A field is quoted if a quote is its first character; its end is a quote that a delimiter or a line end follows.
    If there is no such end, that physical line alone is broken and the next line is read as if nothing had happened:
    one stray quote never swallows the rows after it.
    What a row is depends on nothing before it: a text may be cut where a row begins, the first on line `line`.
    """
    rest, at, size, ended, skipping = b"", 0, BLOCK, False, False
    while not ended:
        block = read(size)
        ended = not block
        if skipping:  # the remainder of a line that was too long
            end = _LINE_END[returns].search(block)
            at += end.start() if end else len(block)
            if end is None:
                continue
            block, skipping = block[end.start() :], False
        rest += block
        rows, used, passed = scan(rest, delimiter, line, returns, final=ended)
        if not used and not ended and len(rest) >= LONGEST_ROW:
            rows, used, passed = scan(rest, delimiter, line, returns, final=False, give_up=True)
            if len(rows) > 1:  # the rows after it may go on in the next block
                used, passed = int(rows.starts[1]), int(rows.lines[1]) - line
                rows = rows.up_to(1)
            if not used:
                end = _LINE_END[returns].search(rest)
                used, skipping = (end.start(), False) if end else (len(rest), True)
                rows = _too_long(rest[: min(used, BLOCK)], delimiter, line)
        if len(rows):
            yield replace(rows, at=at)
        line += passed
        at += used
        rest = rest[used:]
        # a row longer than the block: look again at twice as much
        size = BLOCK if used else max(1, min(max(BLOCK, len(rest)), LONGEST_ROW - len(rest)))


def scan(
    data: bytes, delimiter: str, line: int, returns: bool, *, final: bool, give_up: bool = False
) -> tuple[Rows, int, int]:
    """The complete rows of data that begin at a row, the bytes they take and the line ends passed.

    `final`: nothing comes after. `give_up`: a quote still open at the end is taken for one that is never closed.
    """
    text = np.frombuffer(data, np.uint8)
    inside, broken_at = _quoted(data, text, delimiter, returns, unclosed_is_broken=final or give_up)
    newlines = _line_ends(data, text, returns, final)
    ends_row = newlines if inside is None else newlines[~inside[newlines]]
    nexts = ends_row + 1
    ends = ends_row - ((text[ends_row] == _LF) & (text[ends_row - 1] == _CR) & (ends_row > 0))
    used = int(nexts[-1]) if len(nexts) else 0
    if final and used < len(data):
        used = len(data)
        nexts, ends = np.append(nexts, used), np.append(ends, used)
    starts = np.append(0, nexts[:-1]) if len(nexts) else nexts
    lines = np.searchsorted(newlines, starts) + line
    passed = int(np.searchsorted(newlines, used))
    if not returns and b"\r" in data:
        lone = np.flatnonzero(text[:used] == _CR)
        lone = lone[text[np.minimum(lone + 1, len(text) - 1)] != _LF]
        lone = lone if inside is None else lone[~inside[lone]]
        broken_at += [(at, LONE_RETURN) for at in lone.tolist()]
    broken = {int(np.searchsorted(starts, at, side="right")) - 1: why for at, why in reversed(broken_at) if at < used}
    filled = ends > starts
    if not filled.all():
        index = np.cumsum(filled) - 1
        broken = {int(index[row]): why for row, why in broken.items()}
        starts, ends, nexts, lines = (a[filled] for a in (starts, ends, nexts, lines))
    return Rows(data, starts, ends, nexts, lines, broken, delimiter, inside), used, passed


def table(rows: Rows, good: NDArray[np.bool_], names: list[str], delimiter: str, kind: pa.DataType) -> pa.Table:
    """The values of the rows chosen, which all have as many as there are names; an empty one is null."""
    data = rows.only(good)
    if not len(data):
        return pa.schema([(name, kind) for name in names]).empty_table()
    return arrow_csv.read_csv(
        pa.BufferReader(pa.py_buffer(data)),
        arrow_csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
        arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        arrow_csv.ConvertOptions(
            check_utf8=False,  # `good` leaves out rows that are not
            column_types=dict.fromkeys(names, kind),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _line_ends(data: bytes, text: NDArray[np.uint8], alone_too: bool, final: bool) -> Positions:
    """The last byte of every line end, in quotes or not."""
    if not alone_too or b"\r" not in data:
        return np.flatnonzero(text == _LF)
    returns = np.flatnonzero(text == _CR)
    if not final and returns[-1] == len(text) - 1:
        returns = returns[:-1]  # the next byte is not known yet
    alone = returns[text[np.minimum(returns + 1, len(text) - 1)] != _LF]
    newlines = np.flatnonzero(text == _LF)
    return np.sort(np.concatenate([newlines, alone])) if len(alone) else newlines


def _quoted(
    data: bytes, text: NDArray[np.uint8], delimiter: str, returns: bool, *, unclosed_is_broken: bool
) -> tuple[NDArray[np.bool_] | None, list[tuple[int, str]]]:
    """Which bytes stand in quotes (None: none do), and where a quote breaks the rules and which."""
    if b'"' not in data:
        return None, []
    boundary = np.zeros(256, np.bool_)
    boundary[[ord(delimiter), _LF, _CR, _QUOTE]] = True
    quotes = np.flatnonzero(text == _QUOTE)
    after = boundary[text[np.minimum(quotes + 1, len(text) - 1)]] | (quotes == len(text) - 1)
    boundary[_CR] = returns
    before = boundary[text[quotes - 1]] | (quotes == 0)
    literal = quotes[~(before | after)]  # in the middle of a field, as in 5" pipe
    if len(literal):
        counted = before | after
        quotes, before, after = quotes[counted], before[counted], after[counted]
    if before[0::2].all() and after[1::2].all() and not (unclosed_is_broken and len(quotes) % 2):
        inside = _between(len(text), quotes)
        if not inside[literal].any():
            return inside, []
    edges, broken = _one_by_one(data, delimiter, returns, unclosed_is_broken)
    return _between(len(text), np.array(edges, np.int64)), broken


def _between(size: int, edges: Positions) -> NDArray[np.bool_]:
    toggles = np.zeros(size, np.bool_)
    toggles[edges] = True
    return np.logical_xor.accumulate(toggles)


def _one_by_one(
    data: bytes, delimiter: str, returns: bool, unclosed_is_broken: bool
) -> tuple[list[int], list[tuple[int, str]]]:
    """The edges of quoted fields where some quotes break the rules: one match for each quoted field of this block."""
    pattern = _field(delimiter, returns)
    edges: list[int] = []
    broken: list[tuple[int, str]] = []
    at = 0
    while match := pattern.search(data, at):
        start, at = match.span()
        if match["closed"] is not None:
            edges += (start, at - 1)
        elif match["open"] is not None and not unclosed_is_broken:
            edges.append(start)
            break
        else:
            broken.append((start, NEVER_CLOSED if match["open"] is not None else TEXT_AFTER_QUOTE))
            end = _LINE_END[returns].search(data, start)
            if end is None:
                break
            at = end.start()
    return edges, broken


@cache
def _field(delimiter: str, returns: bool) -> re.Pattern[bytes]:
    separator = re.escape(delimiter.encode())
    begins = rb"(?:\A|(?<=[" + separator + (rb"\r\n" if returns else rb"\n") + b"]))"
    ends = b"(?=[" + separator + rb"\r\n]|\Z)"
    return re.compile(begins + rb'"[^"]*+(?:""[^"]*+)*+(?:(?P<closed>"' + ends + rb")|(?P<open>\Z)|)")


def _too_long(data: bytes, delimiter: str, line: int) -> Rows:
    one = np.zeros(1, np.int64)
    whole = np.ones(len(data), np.bool_)  # one value, whatever stands in it
    return Rows(data, one, one + len(data), one + len(data), one + line, {0: TOO_LONG}, delimiter, whole)
