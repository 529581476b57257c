"""Decides what each column holds: from all of its values, its neighbours, the pipeline file and the version before.

A type that nothing else could be is taken. Where a column can be read in two ways, the others decide in which, for one
system wrote them all. What stays open is text, and people are told which line would settle it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from core.models import ColumnType
from core.pipeline import Declared
from engine.explore import fit, profile
from engine.explore import types as column_types
from engine.explore.fit import Asked, Fit, Fits
from engine.explore.profile import CANDIDATES, ColumnProfile, Profile

MOST_TOLD = 12  # sentences about columns
WORDS = {"integer": "whole numbers", "decimal": "numbers", "date": "dates", "datetime": "times", "text": "text"}
_ONE = {"integer": "a whole number", "decimal": "a number", "date": "a date", "datetime": "a time", "text": "text"}
_PLAIN = r"[A-Za-zÆØÅæøå_][\wÆØÅæøå]*"  # names that YAML takes without quotes, inside braces too
_FEW = 3  # decimals of numbers that people read: amounts, shares, weights
_CODE = 4  # digits from which whole numbers of one length may be codes: postcodes, phone numbers


@dataclass(frozen=True)
class Known:
    """What is known of the columns beside their values.

    `before` are the types in which columns are published that hold values; `spoilt` are those that are text because of
    what stood in them. `base` profiles the published rows if this run only adds to them. `bad_percent` of the values
    may not fit a type; their rows are rejected if `reject` says so, or else the column is text. `native`: the source
    has numbers and dates of its own, and writes them as everybody does.
    """

    pipeline: str
    declared: Mapping[str, Declared] = field(default_factory=dict)
    before: Mapping[str, ColumnType] = field(default_factory=dict)
    spoilt: frozenset[str] = frozenset()
    base: Profile | None = None
    bad_percent: float = 1
    reject: bool = True
    native: bool = False


@dataclass
class Decided:
    """The types of the columns, the profile of the values that fit them, and what is to be told.

    `bad` counts values that reject their row, `spoilt` names columns that would not be text without some values,
    `told` says what people should know of a column.
    """

    types: dict[str, ColumnType]
    profile: Profile
    bad: dict[str, int] = field(default_factory=dict)
    spoilt: set[str] = field(default_factory=set)
    told: dict[str, str] = field(default_factory=dict)


def decide(whole: Profile, sample: pl.DataFrame, look: Callable[[Asked], Fits], known: Known) -> Decided:
    """`look` counts how columns fit types over all rows of this run; it is asked for few columns."""
    return _Deciding(whole, sample, known).decided(look)


class _Deciding:
    def __init__(self, whole: Profile, sample: pl.DataFrame, known: Known) -> None:
        self.whole, self.sample, self.known = whole, sample, known
        self.types: dict[str, ColumnType] = {}
        self.made = Decided(self.types, whole)
        self.open: dict[str, dict[ColumnType, Fit]] = {}  # columns that can be read in several ways
        self.columns: dict[str, ColumnProfile] = dict(whole.columns)

    def decided(self, look: Callable[[Asked], Fits]) -> Decided:
        asked: dict[str, list[ColumnType]] = {}
        for name, column in self.whole.columns.items():
            found = self._at_once(name, column)
            if found is not None:
                self.types[name] = found
            else:
                asked[name] = self._candidates(name)
        for name, fits in look(asked).items():
            self._counted(name, fits)
        self._read_like_the_others()
        self.made.types = {name: self.types[name] for name in self.whole.columns}
        self.made.profile = Profile(self.whole.rows, self.columns)
        self._say_what_is_healed()
        return self.made

    def _at_once(self, name: str, column: ColumnProfile) -> ColumnType | None:
        """The type, if the profile and the version before settle it."""
        declared, before = self.known.declared.get(name), self.known.before.get(name)
        if declared is not None:
            return ColumnType() if declared.type == "text" else None
        if before is not None and before.kind == "text" and not self._may_become(name):
            return before
        if not column.filled:
            return before or ColumnType()
        if before is None or before.kind == "text":
            found = column.type()
            return found if found.kind != "text" else None
        if fitting := column.in_the_type_of(before):
            return fitting
        found = column.type()
        wider = {found.kind, before.kind} <= {"integer", "decimal"} and not (found.unit or before.unit)
        if wider and found.kind != "text" and (joined := _joined(before, found, column)) is not None:
            return joined
        return None

    def _may_become(self, name: str) -> bool:
        """Whether a text column may become something else: who reads it as text may go on, if it was meant."""
        return name in self.known.spoilt and self.known.base is None

    def _candidates(self, name: str) -> list[ColumnType]:
        declared, before = self.known.declared.get(name), self.known.before.get(name)
        values = self.sample[name] if name in self.sample.columns else pl.Series(name, [], pl.String)
        if declared is not None:
            return _declared(declared, fit.unit_of(values))
        found = fit.likely(values)
        if before is not None and before.kind != "text":
            asked = replace(before, scale=None, wide=True) if before.kind in ("integer", "decimal") else before
            found = [asked, *(kind for kind in found if _same_kind(kind, before) and kind != asked)]
        return found

    def _counted(self, name: str, fits: Mapping[ColumnType, Fit]) -> None:
        declared, before = self.known.declared.get(name), self.known.before.get(name)
        ways = {kind: f for kind, f in fits.items() if self._holds(name, kind, f)}
        if declared is not None:
            least = min(f.bad for f in fits.values())
            ways = {kind: f for kind, f in fits.items() if f.bad == least}
        elif before is not None and before.kind != "text" and not ways:
            self.types[name] = before  # Chart will name the first row that does not fit
            return
        long = {kind: f for kind, f in ways.items() if "%y" not in str(kind.format)}
        if not ways:
            self._stays_text(name, fits)
        elif not long and declared is None:
            kind = next(iter(ways))
            self._text(
                name, f"stays text because its years have two digits: 45 can be 1945 or 2045; {self._line(name, kind)}"
            )
        elif len({_way(kind) for kind, f in long.items() if _has_two_ways(kind, f)}) > 1:
            self.open[name] = long
        else:
            self._take(name, long or ways)

    def _holds(self, name: str, kind: ColumnType, f: Fit) -> bool:
        """Whether so many values fit that the others are mistakes."""
        base = self.known.base.columns.get(name) if self.known.base else None
        if not f.good or f.bad * 100 > self.known.bad_percent * (f.values + (base.filled if base else 0)):
            return False
        grouped = str(kind.format).endswith(" ") and not kind.unit  # as 12 345 678, which may be a code
        if not (f.bad or grouped) or kind.kind in ("date", "datetime"):
            return True
        if kind.kind == "decimal":  # without decimals it is for the whole numbers to say
            return f.marked > max(f.bad, f.good // 10)
        # 12B and 0171 are no broken numbers, and where all have one length they may be codes
        return not (grouped or f.coded or f.shortest == f.longest >= _CODE)

    def _take(self, name: str, ways: Mapping[ColumnType, Fit]) -> None:
        """The plainest of the ways that fewest values do not fit."""
        declared, before = self.known.declared.get(name), self.known.before.get(name)
        kind, f = min(ways.items(), key=lambda pair: pair[1].bad)
        found = _sized(kind, f, before, self.known.base.columns.get(name) if self.known.base else None)
        if found is None or (found.kind == "decimal" and f.scale > column_types.SCALE):
            self._text(name, "stays text because some of its numbers have more digits than a number can hold.")
            return
        if f.bad and declared is None and not self.known.reject:
            if before is not None and before.kind != "text":
                self.types[name] = before  # Chart will name the first row that does not fit
                return
            self._text(
                name, f"stays text because {_misfits(f, kind)}, "
                f"and {self.known.pipeline}.yml says bad_values: text.",
            )  # fmt: skip
            return
        self.types[name] = found
        self.columns[name] = _profiled(self.whole.columns[name], kind, f)
        told = []
        if f.missing:
            told.append(f"{_many(f.missing, 'cell')} such as n/a or - {_are(f.missing)} read as empty.")
        if f.cut:
            told.append(f"{_many(f.cut, 'time')} {_are(f.cut)} cut off after the microsecond.")
        if kind.unit:
            told.append(f"the numbers are published without their {kind.unit}.")
        if f.bad:
            self.made.bad[name] = f.bad
            as_declared = f", as {self.known.pipeline}.yml declares" if declared is not None else ""
            rows = "its row is" if f.bad == 1 else "their rows are"
            told.append(f"{_misfits(f, kind)}{as_declared}; {rows} rejected: dead {self.known.pipeline}")
        if told:
            self.made.told[name] = " ".join(told)

    def _read_like_the_others(self) -> None:
        """Columns that can be read in two ways are read as those are that can be read in one only."""
        marks, orders = self._evidence()
        for name, ways in self.open.items():
            before = self.known.before.get(name)
            number = any(kind.kind in ("integer", "decimal") for kind in ways)
            way = next(iter(known)) if len(known := marks if number else orders) == 1 else None
            if way is None and before is not None and before.kind != "text":
                way = _way(before)
            if way is None and not number and marks == {","}:
                way = "day first"  # nobody writes decimal commas and the month first
            if number and self.known.native and "," not in marks:
                way = "."
            elif number and self.known.native:
                way = None if before is None or before.kind == "text" else _way(before)  # a text may hold either
            if way is None and name in self.known.declared:  # it is no text
                way = "." if number else "day first"
            like = {kind: f for kind, f in ways.items() if _way(kind) == way}
            if like:
                self._take(name, like)
                if name in self.known.declared and len(known) != 1:
                    self._also(name, f"read as {self._line(name, self.types[name])}")
            else:
                self._is_open(name, ways, number)

    def _evidence(self) -> tuple[set[str], set[str]]:
        """The ways in which numbers and dates of the other columns are written.

        Coordinates and what else has many decimals are written with points in every country: they prove nothing.
        """
        marks, orders = set(), set()
        for name, kind in self.types.items():
            if kind.kind in ("integer", "decimal"):
                few = kind.kind == "decimal" and kind.format is None and (kind.scale or 0) <= _FEW
                if (kind.format or "e")[0] in ",." or (few and self.whole.columns[name].filled):
                    marks.add(_way(kind))
            elif kind.kind != "text" and (way := _way(kind)) in ("day first", "month first"):
                orders.add(way)
        return marks, orders

    def _is_open(self, name: str, ways: Mapping[ColumnType, Fit], number: bool) -> None:
        lines = [f"{{{_key(name)}: {_value(kind)}}}" for kind in _one_of_each_way(ways)]
        why = (
            "1.234 can mean 1234 or a little more than 1" if number
            else "no day is over 12, so that 03-04 can be 3 April or 4 March"
        )  # fmt: skip
        self._text(name, f"stays text because {why}. Write which into {self.known.pipeline}.yml: "
                         f"columns: {' or '.join(lines)}")  # fmt: skip

    def _stays_text(self, name: str, fits: Mapping[ColumnType, Fit]) -> None:
        """Text, as most columns are; told where nearly all of it is something else."""
        kind, f = min(fits.items(), key=lambda pair: pair[1].bad, default=(ColumnType(), Fit()))
        near = fit.LIKELY
        if kind.kind == "integer":  # 12B among house numbers is worth no word
            near = 1 - self.known.bad_percent / 100 if f.coded else 0.9
        if not f.values or f.good < near * f.values:
            self.types[name] = ColumnType()
            return
        if f.bad:
            why, then = _misfits(f, kind), "To reject these rows,"
        else:
            why, then = "its digits stand in groups, as in a phone number", "If it holds numbers,"
        self._text(name, f"stays text because {why}. {then} {self._line(name, kind)}")

    def _line(self, name: str, kind: ColumnType) -> str:
        """The line of the pipeline file that declares a type."""
        return f"write into {self.known.pipeline}.yml: columns: {{{_key(name)}: {_value(kind)}}}"

    def _text(self, name: str, why: str) -> None:
        self.types[name] = ColumnType()
        self.made.spoilt.add(name)
        self.made.told[name] = why

    def _also(self, name: str, what: str) -> None:
        self.made.told[name] = f"{self.made.told[name]} {what}" if name in self.made.told else what

    def _say_what_is_healed(self) -> None:
        for name in self.known.spoilt:
            kind = self.types.get(name, ColumnType())
            if kind.kind != "text" and name in self.known.before and name not in self.known.declared:
                self._also(name, f"holds {WORDS[kind.kind]} now: what kept it text is gone.")
            elif kind.kind == "text" and self.known.base is not None and name in self.types:
                self.made.spoilt.add(name)


def sentences(told: Mapping[str, str]) -> list[str]:
    """What is told of the columns, each in a sentence that begins with its name."""
    lines = [f"`{name}` {what}" if what.startswith(("stays", "holds", "read")) else f"`{name}`: {what}"
             for name, what in told.items()]  # fmt: skip
    more = len(lines) - MOST_TOLD
    return lines if more <= 0 else [*lines[:MOST_TOLD], f"There is more to say of {_many(more, 'other column')}."]


def reason(name: str, kind: ColumnType) -> str:
    """Why a row is rejected whose value does not fit."""
    return f"{name} is not {_ONE[kind.kind]}"


def _declared(declared: Declared, unit: str | None) -> list[ColumnType]:
    days = [declared.format, _loose(declared.format)] if declared.format else None
    match declared.type:
        case "date":
            return fit.dates(dict.fromkeys(days)) if days else fit.dates()
        case "datetime":
            return fit.datetimes(dict.fromkeys(days)) if days else fit.datetimes()
    marks = (declared.decimal,) if declared.decimal else (".", ",")
    kinds = [*(fit.numbers(unit) if unit else []), *fit.numbers()]
    return [kind for kind in kinds if kind.kind == declared.type and (_is_whole(kind) or _way(kind) in marks)]


def _is_whole(kind: ColumnType) -> bool:
    """Whether it has no mark at all."""
    return kind.kind == "integer" and kind.format is None


def _loose(format_: str) -> str:
    """A day whose numbers may have one digit, where something stands between them."""
    return re.sub("%([dm])", r"%-\1", format_) if re.search("%.[^%]", format_) else format_


def _same_kind(kind: ColumnType, before: ColumnType) -> bool:
    numbers = ("integer", "decimal")
    same = kind.kind == before.kind or (kind.kind == "decimal" and before.kind == "integer")
    return same and (before.kind not in numbers or kind.unit == before.unit or before.unit is None)


def _joined(before: ColumnType, found: ColumnType, column: ColumnProfile) -> ColumnType | None:
    """The type that holds the values of both."""
    if found.kind == "integer" and before.kind == "integer":
        return replace(found, wide=found.wide or before.wide)
    if found.kind == "integer":
        found = ColumnType("decimal", before.format, 1)
    key = "decimal," if found.format == "," else "decimal"
    scale = max(found.scale or 0, before.scale or 0)
    joined = profile.decimal(found.format, max(column.whole.get(key, 0), 1), scale)
    return joined and replace(joined, wide=joined.wide or before.wide)


def _sized(kind: ColumnType, f: Fit, before: ColumnType | None, base: ColumnProfile | None) -> ColumnType | None:
    """The type with as many digits as its values need, and those published before."""
    if kind.kind == "integer":
        return replace(kind, wide=bool(f.beyond) or bool(before and before.wide))
    if kind.kind != "decimal":
        return kind
    published = before if before is not None and before.kind in ("integer", "decimal") else ColumnType()
    scale = max(f.scale, published.scale or 0, 1)
    whole = max([f.whole, *(base.whole.values() if base else [])])
    found = profile.decimal(kind.format, whole, scale, kind.unit)
    return found and replace(found, wide=found.wide or published.wide)


def _profiled(column: ColumnProfile, kind: ColumnType, f: Fit) -> ColumnProfile:
    """The profile of the values that fit."""
    same = {
        key for key, known in CANDIDATES.items()
        if (known.kind, known.format, known.zoned) == (kind.kind, kind.format, kind.zoned) and not kind.unit
    }  # fmt: skip
    same |= {"decimal", "decimal,"} if "integer" in same else set()
    digits = [key for key in same if key.startswith("decimal")]
    return ColumnProfile(
        column.filled, frozenset(same), dict.fromkeys(digits, f.whole), dict.fromkeys(digits, f.scale),
        beyond="integer" in same and bool(f.beyond),
    )  # fmt: skip


def _way(kind: ColumnType) -> str:
    """How a number or a date is read where its text could be read in two ways."""
    if kind.kind in ("integer", "decimal"):
        return "," if str(kind.format).startswith(",") else "."
    pieces = re.findall("%-?([a-zA-Z])", str(kind.format))
    return {"d": "day first", "m": "month first"}.get(pieces[0] if pieces else "", "year first")


def _has_two_ways(kind: ColumnType, f: Fit) -> bool:
    return kind.kind in ("date", "datetime") or f.marked > 0


def _one_of_each_way(ways: Mapping[ColumnType, Fit]) -> list[ColumnType]:
    best: dict[str, ColumnType] = {}
    for kind, _ in sorted(ways.items(), key=lambda pair: pair[1].bad):
        best.setdefault(_way(kind), kind)
    return list(best.values())


def _key(name: str) -> str:
    return name if re.fullmatch(_PLAIN, name) else json.dumps(name, ensure_ascii=False)


def _value(kind: ColumnType) -> str:
    if _is_whole(kind):
        return "integer"
    if kind.kind in ("integer", "decimal"):
        return f'{{type: {kind.kind}, decimal: "{_way(kind)}"}}'
    return f'{{type: {kind.kind}, format: "{str(kind.format).replace("%-", "%")}"}}'


def _misfits(f: Fit, kind: ColumnType) -> str:
    """`2 of 3,000 values are not dates`"""
    what = _ONE[kind.kind] if f.bad == 1 else WORDS[kind.kind]
    return f"{f.bad:,} of {_many(f.values, 'value')} {_are(f.bad)} not {what}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
