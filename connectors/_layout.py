"""How the lines of a sample lie in columns when one delimiter splits them, and which of them names the columns."""

import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors._header import judged, kind
from connectors._rows import Rows, table
from core.models import MOST_COLUMNS

_SAMPLE_ROWS = 200
_MOST_ABOVE = 100  # lines above a header that are looked at
_TOTAL = re.compile(
    r"(?i)(?:grand |sub)?total(?:s|t|en|er|sum)?\b.{0,40}|i ?alt\b.{0,40}|sum(?:ma|me)?:?|samlet.{0,20}|gesamt.{0,20}"
)


@dataclass(frozen=True)
class Top:
    """The row of the header, or the first row where there is none.

    `sound`: the lines above it are no rows, and those below have its width. `uneven`: not every column is named, so
    that a line of names may follow.
    """

    row: int
    header: bool
    plain: bool = True
    sound: bool = True
    uneven: bool = False


@dataclass(frozen=True)
class Layout:
    """`fit`: the share of the rows below the header that have the columns' `width`, or `trailing` empty values more.

    `words`: what is split are words with a comma.
    """

    delimiter: str
    rows: Rows
    top: Top
    width: int
    trailing: int
    fit: float
    words: bool = False

    def outdone(self, others: "list[Layout]") -> bool:
        """Whether another delimiter than the comma, which stands in numbers too, splits nearly all lines evenly.

        That into at least as many columns: then this one splits what are values.
        """
        return any(
            other is not self and other.delimiter != "," and other.even[1] >= 0.9
            and other.even[0] > 1 and other.even[0] >= self.even[0]
            for other in others
        )  # fmt: skip

    @property
    def even(self) -> tuple[int, float]:
        """How many values most rows have, and their share."""
        many = Counter(self.rows.fields.tolist()).most_common(1)[0]
        return many[0], many[1] / len(self.rows)

    @property
    def line(self) -> int:
        return int(self.rows.lines[self.top.row])

    def rank(self) -> tuple[bool, float, int]:
        """The higher the better. Of equals, the layout in which fewer lines stand above the header is better."""
        return self.top.sound, self.fit - 1e-6 * self.top.row, self.width


def layout(rows: Rows, delimiter: str, header: bool | int | None) -> Layout | None:
    """None if there are no rows. A `header` that is given is where it is: in the first row, or nowhere."""
    if not len(rows):
        return None
    first, width = int(rows.fields[0]), _width(rows)
    if header is True or type(header) is int or max(first, width) > MOST_COLUMNS:
        return _counted(rows, delimiter, Top(0, header=True), first)
    if header is False:
        return _counted(rows, delimiter, Top(0, header=False), width)
    top = _top(rows, delimiter, width) if width > 1 or first == 1 else Top(0, header=True)
    found = _counted(rows, delimiter, top, int(rows.fields[top.row]) if top.header else width)
    if found.width > 1 and not top.row and found.fit <= 0 and len(rows) > 1:
        split = float((rows.fields[1:] > 1).mean()) > 0.5
        if not split and delimiter + " " in rows.text(0):
            return replace(found, words=True)
    return found


def cells(rows: Rows, chosen: NDArray[np.bool_], delimiter: str) -> list[list[str]]:
    """The values of some rows with equally many, in Python: for the header and a sample."""
    names = [str(number) for number in range(int(rows.fields[chosen][0]))]
    columns = table(rows, chosen, names, delimiter, pa.binary()).to_pydict().values()
    return [[(cell or b"").decode("utf-8", "replace") for cell in row] for row in zip(*columns, strict=True)]


def filled_after(rows: Rows, chosen: NDArray[np.bool_], width: int, delimiter: str) -> NDArray[np.bool_]:
    """Which of some rows with equally many values have one after the first `width`."""
    names = [str(number) for number in range(int(rows.fields[chosen][0]))]
    values = table(rows, chosen, names, delimiter, pa.binary())
    filled = np.zeros(len(values), np.bool_)
    for column in values.columns[width:]:
        filled |= column.is_valid().to_numpy()
    return filled


def is_total(values: list[str], found: Layout) -> bool:
    """Whether a line says that it is a total, and is empty where most others have a value."""
    filled = [value.strip() for value in values if value.strip()]
    if not filled or len(filled) == len(values) or not _TOTAL.fullmatch(filled[0]):
        return False
    chosen = np.ones(len(found.rows), np.bool_)
    chosen[[*range(found.top.row + 1), *found.rows.broken, -1]] = False
    if not chosen.any():
        return False
    chosen &= found.rows.fields == np.bincount(found.rows.fields[chosen]).argmax()
    others = list(zip(*cells(found.rows, chosen, found.delimiter), strict=True))
    first = next(number for number, value in enumerate(values) if value.strip())
    if all(kind(value) for value in others[first] if value.strip()):  # it stands among dates or numbers
        return True
    return any(
        not value and sum(map(bool, column)) > 0.5 * len(column) for value, column in zip(values, others, strict=False)
    )


def _width(rows: Rows) -> int:
    """How many values the rows have that hold most of the data. Each two neighbours with as many count once.

    A row that ends with a delimiter may stand below a header that does not, and a row alone below a blank line.
    """
    fields = rows.fields
    pairs = Counter(fields[1:][fields[1:] == fields[:-1]].tolist())
    longer = np.flatnonzero(fields[1:] == fields[:-1] + 1) + 1
    empty = rows.delimiter.encode(), rows.delimiter.encode() + b'""'
    trailed = {int(fields[row]) for row in longer.tolist() if rows.data[: rows.ends[row]].endswith(empty)}
    pairs.update(trailed)
    if not any(many > 1 for many in pairs):
        alone = (row + 1 for row in range(min(len(rows) - 1, 30)) if _gap(rows, row))
        pairs.update(int(fields[row]) for row in alone if fields[row] > 2)
    width = max(pairs, key=lambda many: pairs[many] * (many - 1), default=1)
    if width == 1 or width == fields[0]:
        return int(fields[0])
    fits = fields == width
    if width in trailed:
        fits |= fields == width - 1
    return width if float(fits[int(np.argmax(fits)) :].mean()) >= 0.5 else int(fields[0])


def _top(rows: Rows, delimiter: str, width: int) -> Top:
    """The first line that may be the header: all above it are a title, notes or comments.

    Where there is none, lines of one value and comments are left out; what else cannot be a row is rejected.
    """
    grid = _grid(rows, delimiter, width)
    if not grid:
        return Top(0, header=True)
    order, spare = list(grid), None
    for number, row in enumerate(order[:_MOST_ABOVE]):
        below = [grid[other] for other in order[number + 1 : number + 1 + _SAMPLE_ROWS]]
        if (number and not below) or not any(grid[row]):
            continue
        if _is_padded(grid[row]):
            continue
        verdict, title, uneven = judged(grid[row], below), _is_title(rows, row, grid), not all(grid[row])
        if spare and spare.uneven:
            good = verdict.strong and verdict.plain
        else:
            good = verdict.header and (verdict.strong or _is_apart(rows, row, grid))
        if good:
            plain = verdict.plain and not _is_doubtful(rows, row)
            found = Top(row, header=True, plain=plain, uneven=uneven and not title)
            if not (title or uneven):
                return found
            spare = spare or found
        if not (title or uneven):
            break
    return spare or _without_header(rows, delimiter, grid)


def _grid(rows: Rows, delimiter: str, width: int) -> dict[int, list[str]]:
    """The first rows with so many values, by their number, without the columns at the end that are empty in all."""
    sound = np.ones(len(rows), np.bool_)
    sound[list(rows.broken)] = False
    chosen = sound & (rows.fields == width)
    chosen[np.flatnonzero(chosen)[_SAMPLE_ROWS + _MOST_ABOVE :]] = False
    if not chosen.any():
        return {}
    found = [[cell.strip() for cell in row] for row in cells(rows, chosen, delimiter)]
    grid = dict(zip(np.flatnonzero(chosen).tolist(), found, strict=True))
    above = sound & (rows.fields == width - 1)
    above[next(iter(grid)) :] = False
    if width > 2 and above.any() and sum(not row[-1] for row in found) > 0.5 * len(found):
        # rows that end with a delimiter, below a header that does not
        lines = [[*map(str.strip, row), ""] for row in cells(rows, above, delimiter)]
        grid = dict(zip(np.flatnonzero(above).tolist(), lines, strict=True)) | grid
    filled = max(map(_filled, grid.values()))
    return {row: values[: max(filled, 1)] for row, values in grid.items()}


def _filled(values: list[str]) -> int:
    return max((number for number, cell in enumerate(values, 1) if cell), default=0)


def _is_padded(values: list[str]) -> bool:
    """Whether few cells of a line are filled, as where Excel writes out a title."""
    return sum(map(bool, values)) <= max(1, len(values) // 3) and len(values) > 2


def _is_title(rows: Rows, row: int, grid: dict[int, list[str]]) -> bool:
    """Whether a line with as many values as there are columns may still be a title above the header."""
    values = grid[row]
    if _is_comment(rows, row):
        return True
    end = next((at for at in range(row, min(row + 30, len(rows) - 1)) if _gap(rows, at)), None)
    if end is None:
        return False
    order = list(grid)
    after = next((at for at in order if at > end and any(grid[at])), None)
    if after is None or any(at in grid for at in range(end + 1, after) if any(grid.get(at, []))):
        return False
    below = [grid[at] for at in order if at > after][:_SAMPLE_ROWS]
    between = [grid[at] for at in order if row < at <= end and any(grid[at])]
    table = len(between) > 2 and judged(values, between).header
    return bool(below) and judged(grid[after], below).header and not table


def _is_doubtful(rows: Rows, row: int) -> bool:
    """Whether a header may be a title all the same: a blank line follows soon, or only there a space a delimiter."""
    below = range(row, min(row + 20, len(rows) - 1))
    for at in below[:3]:
        if _gap(rows, at) and (len(rows) - 1 - at > max(1, at - row) or rows.fields[at + 1] > rows.fields[row]):
            return True
    spaced = rows.delimiter + " "
    return spaced in rows.text(row) and not any(spaced in rows.text(at + 1) for at in below)


def _is_apart(rows: Rows, row: int, grid: dict[int, list[str]]) -> bool:
    """Whether a header is set apart from the lines above it, so that they are no rows of the table."""
    return (
        any(_gap(rows, above) or _is_comment(rows, above) for above in range(row))
        or all(rows.fields[above] == 1 or above in grid for above in range(row))
    )  # fmt: skip


def _without_header(rows: Rows, delimiter: str, grid: dict[int, list[str]]) -> Top:
    first = next(iter(grid))
    if first and 0 in rows.broken:
        return Top(0, header=True, sound=False)  # it cannot be read, and will be refused
    start = 0
    while start < first and (
        _is_comment(rows, start) or rows.fields[start] == 1 or any(_gap(rows, row) for row in range(start, first))
    ):
        start += 1
    while start in grid and start + 1 < len(rows) and _is_padded(grid[start]) and _gap(rows, start):
        start = next((row for row in grid if row > start and any(grid[row])), start + 1)
    if start < first and not start and rows.fields[0] > 1:
        (values,) = cells(rows, np.arange(len(rows)) == 0, delimiter)
        if not any(map(kind, values)):
            return Top(0, header=True, sound=False)  # it names more or fewer columns than there are
    return Top(start, header=False, plain=False, sound=start >= first)


def _is_comment(rows: Rows, row: int) -> bool:
    return rows.data[rows.starts[row] : rows.starts[row] + 3].lstrip(b'"').startswith((b"#", b"//", b"% "))


def _gap(rows: Rows, row: int) -> bool:
    """Whether a blank line follows, or one of delimiters only."""
    within = rows.data[rows.starts[row] : rows.nexts[row]]
    if rows.lines[row + 1] - rows.lines[row] > max(within.count(b"\n"), within.count(b"\r")):
        return True
    return not rows.data[rows.starts[row + 1] : rows.ends[row + 1]].strip(rows.delimiter.encode() + b'" ')


def _counted(rows: Rows, delimiter: str, top: Top, width: int) -> Layout:
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
            trailing = most - width if _empty_after(rows, first, most, width, delimiter) >= 0.75 else trailing
    fits = int(((below >= width) & (below <= width + trailing)).sum()) - sum(row >= first for row in rows.broken)
    return Layout(delimiter, rows, top, width, trailing, fits / len(below) if len(below) else 1.0)


def _empty_after(rows: Rows, first: int, many: int, width: int, delimiter: str) -> float:
    """Of the rows with so many values, the share in which all after the first ones are empty; 1 if there are none."""
    chosen = rows.fields == many
    chosen[:first] = False
    chosen[list(rows.broken)] = False
    return float(1 - filled_after(rows, chosen, width, delimiter).mean()) if chosen.any() else 1.0
