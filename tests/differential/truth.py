"""What is right: the truth of a made table, and the verdict on what was published of it.

Equal     every published cell is what the source holds.
Told      something differs, and the answer of the run names the column or the cause.
Refused   nothing was published, and the answer says why.
Different something differs, and no word about it.
"""

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal

from tests.differential.reading import Outcome

Status = Literal["equal", "told", "refused", "different"]

BAD = object()  # the value of a cell that is none of its column's type: its row is rejected, or the column is text
HEADER = r"header|column_\d|column names|names? the columns|named|no names"
SHAPE = (
    r"\blines?\b|\brows? \d|delimiter|separator|header|footer|total|comment|preamble|title|quot|encod|fields?\b"
    r"|values\b"
)
LETTERS = r"encod|utf|windows-|latin|iso-8859|cp\d{3,4}|code ?page"
TWICE = r"duplicate|twice|same name|more than once|several columns|\b_2\b|_2`?"
ROWS = SHAPE + r"|key\b|not a\b|is no\b|cannot be|does not fit|too (many|few)"


class Json(str):
    """JSON text: its spaces and the order of its keys do not matter."""


@dataclass
class Reading:
    """One way to read a column: a value for each row. `told`: only right if the answer says so."""

    name: str
    values: Sequence[Any]
    told: bool = False


@dataclass
class Column:
    """A column of a source: its name, its text, and how it may be read. The text as it stands is one more way."""

    name: str | None  # None: any name is right
    kind: str
    cells: Sequence[Any]
    readings: list[Reading] = field(default_factory=list)
    text: bool = True  # whether the text as it stands is right without a word
    about: str = r"(?!)"  # what the answer may say instead of the name
    optional: bool = False  # it holds nothing and may be missing
    file_name: str | None = None  # as the source spells it, if the published name must differ from it


@dataclass
class Table:
    """A source as people understand it."""

    columns: list[Column]
    key: int = 0  # the column whose text is another in each row
    quirks: list[str] = field(default_factory=list)  # what makes it hard to read
    order: bool = True  # whether its columns have an order
    doubles: bool = False  # whether a key may come more than once, as in what the source gave
    must_say: str = ""  # what the answer must say, whatever is published
    headless: bool = False  # it names no columns, and nobody said so: the answer must
    refusal: bool = False  # whether a refusal with a reason is as right as reading it

    @property
    def size(self) -> int:
        return len(self.columns[self.key].cells)


# what seldom is the cause, and what mostly is
_LEAST = (
    "bad cells",
    "few bad cells",
    "odd name",
    "paging",
    "gzip",
    "bom",
    "name with spaces",
    "sep=",
    "run 2",
    "view",
)
_MOST = (
    "wrong",
    "above",
    "no header",
    "rows end",
    "all lines",
    "a quote",
    "below",
    "the header again",
    "two files",
    "ends with",
)


def blamed(quirks: Sequence[str]) -> str:
    """What is told as the cause of a difference: the quirk that most likely is."""
    causes = [quirk for quirk in quirks if not quirk.startswith(_LEAST)] or quirks
    return next((q for most in _MOST for q in causes if q.startswith(most)), causes[0] if causes else "plain")


@dataclass
class Verdict:
    status: Status
    kind: str = ""  # of fault
    detail: str = ""
    noise: bool = False  # the answer has notes although there was nothing to say
    text: bool = False  # the only difference is that a column was kept as its text
    masked: int = 0  # columns that were not compared


@dataclass
class Deviation:
    kind: str
    detail: str
    about: str  # what the answer must say


def plain(text: str) -> str:
    """A text whose spelling in Unicode and whose line ends do not matter."""
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")


def name_of(text: str) -> str:
    return re.sub(r"\s+", " ", plain(text)).strip()


def same(got: Any, right: Any) -> bool:
    """Whether a published value is that of the source."""
    if right is BAD:
        return False
    if isinstance(right, frozenset | tuple):  # a tuple where Python calls two of them equal
        return any(same(got, one) for one in right)
    if right is None or (isinstance(right, str) and not right.strip()):
        return got is None or got == "" or (isinstance(right, str) and got == right)
    if isinstance(right, bool):
        return got is right
    if isinstance(right, Decimal):
        if isinstance(got, bool) or not isinstance(got, int | float | Decimal):
            return False
        if isinstance(got, float):
            return math.isfinite(got) and Decimal(repr(got)) == right
        return got == right
    if isinstance(right, datetime):
        if not isinstance(got, datetime):
            return False
        if (got.tzinfo is None) != (right.tzinfo is None):
            return False
        return abs(got - right) <= timedelta(microseconds=1)
    if isinstance(right, date):
        return type(got) is date and got == right
    if isinstance(right, time | timedelta):
        return bool(got == right)
    if isinstance(right, Json):
        try:
            return isinstance(got, str) and json.loads(got) == json.loads(right)
        except ValueError:
            return False
    return isinstance(got, str) and plain(got) == plain(str(right))


def judge(table: Table, out: Outcome) -> Verdict:
    """The verdict on what a run published."""
    quirks = blamed(table.quirks)
    if out.state != "succeeded":
        if "bug in Atlas" in out.answer or not out.answer.strip():
            return Verdict("different", f"a bug in Atlas [{quirks}]", out.answer)
        if not table.refusal:
            return Verdict("refused", f"could be read [{quirks}]", out.answer)
        return Verdict("refused", f"may be refused [{quirks}]", out.answer)
    found, masked = deviations(table, out)
    silent = [one for one in found if not re.search(one.about, out.notes, re.I)]
    if silent:
        # what went wrong with the shape explains what went wrong in it
        order = sorted(silent, key=lambda one: not one.kind.startswith(("rows", "names", "columns")))
        of_text = all(one.kind.startswith("kept as text") for one in silent)
        shape = not order[0].kind.startswith(("kept as text", "values"))
        kind = f"{order[0].kind} [{quirks}]" if shape or "words" in order[0].kind else order[0].kind
        return Verdict("different", kind, "; ".join(one.detail for one in order[:4]), text=of_text, masked=masked)
    if found:
        return Verdict("told", found[0].kind, found[0].detail, masked=masked)
    clear = not table.quirks and not any("ambiguous" in column.kind for column in table.columns)
    noise = bool(out.notes) and clear
    return Verdict("equal", detail=out.notes if noise else "", noise=noise, masked=masked)


def deviations(table: Table, out: Outcome) -> tuple[list[Deviation], int]:
    """Everything in which the published version is not the source; and how many columns could not be compared."""
    found: list[Deviation] = []
    pairs = _pair(table, out, found)
    rows = _align(table, out, pairs, found)
    masked = 0
    if table.must_say:
        found.append(Deviation("nothing said about it", f"the answer has no word of: {table.must_say}", table.must_say))
    for right, at in pairs:
        if out.names[at] in out.masked:
            masked += 1
        elif rows:
            found += _compare(right, at, rows, out)
    return found, masked


def _pair(table: Table, out: Outcome, found: list[Deviation]) -> list[tuple[Column, int]]:
    """Which published column is which of the source's."""
    published = [name_of(name) for name in out.names]
    whole = len(published) == len(table.columns)
    wanted = [c for c in table.columns if not c.optional or (name_of(c.name) in published if c.name else whole)]
    known = Counter(name_of(column.name) for column in wanted if column.name is not None)
    anonymous = any(column.name is None for column in wanted)
    if not anonymous and Counter(published) == known:
        pairs = [(column, published.index(name_of(str(column.name)))) for column in wanted]
        if table.order and [at for _, at in pairs] != sorted(at for _, at in pairs):
            found.append(Deviation("columns in another order", str(out.names), HEADER))
    elif len(published) == len(wanted):
        pairs = [(column, at) for at, column in enumerate(wanted)]
        wrong = [
            (column.name, out.names[at]) for column, at in pairs
            if column.name is not None and name_of(column.name) != published[at]
        ]  # fmt: skip
        if wrong:
            found.append(
                Deviation("names differ", f"names (right, published): {wrong[:4]}", _any_of(HEADER, *wrong[0]))
            )
    else:
        pairs = [(c, published.index(name_of(c.name))) for c in wanted if c.name and name_of(c.name) in published]
        detail = f"columns are {out.names[:8]} and not {[column.name for column in wanted][:8]}"
        found.append(Deviation("columns differ", detail, SHAPE))
    if table.headless:
        found.append(Deviation("no header", "the file names no columns", HEADER))
    for column, at in pairs:
        if column.file_name is not None:  # the published name cannot be that of the source
            about = rf"{TWICE}|{_word(out.names[at])}"
            found.append(Deviation("names doubled", f"`{column.file_name}` is published as `{out.names[at]}`", about))
    return pairs


def _align(
    table: Table, out: Outcome, pairs: list[tuple[Column, int]], found: list[Deviation]
) -> list[tuple[int, tuple[Any, ...]]]:
    """Published rows with the number of the source's row that each is."""
    key = table.columns[table.key]
    at = next((at for column, at in pairs if column is key and out.names[at] not in out.masked), None)
    if at is None:
        if len(out.rows) == table.size:
            return list(enumerate(out.rows))
        detail = f"{len(out.rows)} rows and not {table.size}"
        lost = len(out.rows) < table.size
        found.append(Deviation("rows lost" if lost else "rows too many", detail, ROWS))
        return []
    places: dict[str, list[int]] = {}
    for place, text in enumerate(key.cells):
        places.setdefault(str(text).strip(), []).append(place)
    rows, strange, doubled, seen = [], [], 0, set()
    for row in out.rows:
        of = places.get(str(row[at]).strip())
        if of is None:
            strange.append(row)
        else:
            place = of.pop(0) if len(of) > 1 else of[0]
            doubled += place in seen
            seen.add(place)
            rows.append((place, row))
    lost = [row for row in range(table.size) if row not in seen]
    if len(lost) > table.size / 2:
        told = r"(?!)"  # no word makes it right to publish what is left
        found.append(Deviation("rows lost, most of them", f"{len(lost)} of {table.size} rows are not published", told))
    elif lost:
        columns = [str(column.name) for column in table.columns if column.name]
        detail = f"{len(lost)} of {table.size} rows are not published, the first is {key.cells[lost[0]]!r}"
        how = "rows rejected without a cause" if out.rejected else "rows lost"
        found.append(Deviation(how, detail, _any_of(ROWS, *columns)))
    if doubled and not table.doubles:
        found.append(Deviation("rows doubled", f"{doubled} rows are published twice", _any_of(TWICE, "key")))
    if strange:
        detail = f"{len(strange)} published rows are none of the source's: {strange[0][:6]!r}"
        found.append(Deviation("rows that are none", detail, SHAPE))
    return rows


def _compare(column: Column, at: int, rows: list[tuple[int, tuple[Any, ...]]], out: Outcome) -> list[Deviation]:
    """Whether one way of reading a column explains all that was published of it."""
    about = _any_of(column.about, str(column.name), out.names[at])
    ways = [*column.readings, Reading("text", column.cells, not column.text)]
    misses = []
    for way in ways:
        miss = next(((n, row[at]) for n, row in rows if not same(row[at], way.values[n])), None)
        if miss is None:
            if not way.told:
                return []
            detail = f"`{column.name}` is read as {way.name}"
            about = _any_of(r"\b(is|stays?|kept as|as|remains?) text\b", about) if way.name == "text" else about
            kind = (
                f"kept as text: {column.kind}" if way.name == "text" else f"values: {column.kind}, read as {way.name}"
            )
            return [Deviation(kind, detail, about)]
        misses.append(miss)
    far = max(misses, key=lambda miss: miss[0])
    detail = f"`{column.name}`: {column.cells[far[0]]!r} is published as {far[1]!r}"
    if any(isinstance(got, str) for _, got in misses):
        about = _any_of(LETTERS, about)
    return [Deviation(f"values: {column.kind}", detail, about)]


def _word(text: str) -> str:
    return rf"(?<!\w){re.escape(name_of(text))}(?!\w)"


def _any_of(pattern: str, *names: str | None) -> str:
    """The pattern, or one of these names as a word."""
    return "|".join([f"(?:{pattern})", *(_word(name) for name in names if name and name_of(name))])


def utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
