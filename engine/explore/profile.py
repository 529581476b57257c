"""What each column holds, as counts that add up over batches, files and workers; no value is kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import polars as pl
from polars.selectors import by_name

from core.errors import SourceUnreadable
from core.models import LINE, ColumnType
from engine.explore.types import DATE_FORMATS, DIGITS, SCALE, decimal_pattern, fits

_GLANCE = 50  # rows that settle what most columns are not
_FIRST = 4096  # rows that show whether values come again
_AT_ONCE = 64  # columns looked at together: a table may have thousands

_CANDIDATES = {
    "integer": ColumnType("integer"),
    "decimal": ColumnType("decimal"),
    "decimal,": ColumnType("decimal", format=","),
    **{f"date {form}": ColumnType("date", format=form) for form in DATE_FORMATS},
    **{f"datetime {form}": ColumnType("datetime", format=form) for form in DATE_FORMATS},
    **{f"zoned {form}": ColumnType("datetime", format=form, zoned=True) for form in DATE_FORMATS},
}
_ALL = frozenset(_CANDIDATES)
_DECIMAL = {"decimal": ".", "decimal,": ","}
_MAYBE_THOUSANDS = "^-?[1-9][0-9]{0,2},[0-9]{3}$"


@dataclass(frozen=True)
class ColumnProfile:
    """Counts of one column, and the kinds that all of its text fits so far.

    `whole` and `scale` are the digits before and after the decimal point, by kind of decimal. `commas`: some value
    shows that the comma is a decimal one; 1,234 alone may be a thousand.
    """

    filled: int = 0
    kinds: frozenset[str] = _ALL
    whole: dict[str, int] = field(default_factory=dict)
    scale: dict[str, int] = field(default_factory=dict)
    commas: bool = False

    def merge(self, other: "ColumnProfile") -> "ColumnProfile":
        kinds = self.kinds & other.kinds
        return ColumnProfile(
            filled=self.filled + other.filled,
            kinds=kinds,
            whole=_largest(kinds, self.whole, other.whole),
            scale=_largest(kinds, self.scale, other.scale),
            commas="decimal," in kinds and (self.commas or other.commas),
        )

    def type(self) -> ColumnType:
        """The type that every value survives, text if there is none."""
        if not self.filled:
            return ColumnType()
        for kind, candidate in _CANDIDATES.items():
            if kind not in self.kinds:
                continue
            if kind not in _DECIMAL:
                return candidate
            whole, scale = self.whole.get(kind, 0), self.scale.get(kind, 0)
            if 0 < scale <= SCALE and whole + scale <= DIGITS and (kind == "decimal" or self.commas):
                return ColumnType("decimal", format=candidate.format, scale=scale)
        return ColumnType()

    def in_the_type_of(self, type_: ColumnType) -> ColumnType | None:
        """How all of the text can be read as a type that the column had before, if it can."""
        for kind, candidate in _CANDIDATES.items():
            if candidate.kind != type_.kind or kind not in self.kinds:
                continue
            if kind not in _DECIMAL:
                return candidate
            scale, digits = type_.scale or 0, self.whole.get(kind, 0)
            fits_in = self.scale.get(kind, 0) <= scale and digits + scale <= DIGITS
            if fits_in and (kind == "decimal" or self.commas):
                return ColumnType("decimal", format=candidate.format, scale=scale)
        return None


@dataclass(frozen=True)
class Profile:
    """All columns of some rows, in their order. A column that some of the rows lack is null there."""

    rows: int = 0
    columns: dict[str, ColumnProfile] = field(default_factory=dict)

    @staticmethod
    def of(frame: pl.DataFrame) -> "Profile":
        return Profile().add(frame)

    def add(self, frame: pl.DataFrame) -> "Profile":
        """With further rows; a kind that is ruled out already is not looked for again."""
        names = [name for name in frame.columns if name != LINE]
        measured: dict[str, ColumnProfile] = {}
        for at in range(0, len(names), _AT_ONCE):
            some = names[at : at + _AT_ONCE]
            kinds = {name: self.columns[name].kinds if name in self.columns else _ALL for name in some}
            kinds = _all_fit(frame.head(_GLANCE), kinds)
            measured |= _measured(frame, _all_fit(frame, kinds) if frame.height > _GLANCE else kinds)
        return self.merge(Profile(frame.height, measured))

    def merge(self, other: "Profile") -> "Profile":
        empty = ColumnProfile()
        names = [*self.columns, *(name for name in other.columns if name not in self.columns)]
        return Profile(
            self.rows + other.rows,
            {name: self.columns.get(name, empty).merge(other.columns.get(name, empty)) for name in names},
        )

    def nulls(self, column: str) -> int:
        return self.rows - self.columns[column].filled

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "columns": {
                name: {
                    "filled": column.filled,
                    "kinds": sorted(column.kinds),
                    "whole": column.whole,
                    "scale": column.scale,
                    "commas": column.commas,
                }
                for name, column in self.columns.items()
            },
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Profile":
        return Profile(
            value["rows"],
            {
                name: ColumnProfile(
                    column["filled"], frozenset(column["kinds"]), column["whole"], column["scale"], column["commas"]
                )
                for name, column in value["columns"].items()
            },
        )


def merge(profiles: Iterable[Profile]) -> Profile:
    """The profile of a whole input from those of its parts. Raises SourceUnreadable if their columns clash."""
    whole = reduce(Profile.merge, profiles, Profile())
    spelled: dict[str, str] = {}
    for name in whole.columns:
        if (other := spelled.setdefault(name.casefold(), name)) != name:
            raise SourceUnreadable(
                f"The columns `{other}` and `{name}` differ in capital letters only.",
                hint="SQL makes no difference between them; write both the same way.",
            )
    return whole


def types(profile: Profile) -> dict[str, ColumnType]:
    return {name: column.type() for name, column in profile.columns.items()}


def repeated(frame: pl.DataFrame) -> list[str]:
    """The columns whose values come again, by the first rows: those for which a dictionary in a Parquet file pays."""
    first = frame.head(_FIRST)
    return [column.name for column in first if column.n_unique() <= len(first) // 2]


def _all_fit(frame: pl.DataFrame, open_: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The kinds that every value of each column fits, of those still open. Integers are decimals of both kinds."""
    if any("integer" in kinds and kinds & _DECIMAL.keys() for kinds in open_.values()):
        first = {name: kinds - _DECIMAL.keys() if "integer" in kinds else kinds for name, kinds in open_.items()}
        fit = _all_fit(frame, first)
        rest = {name: open_[name] - first[name] for name in open_ if "integer" not in fit[name]}
        rest = _all_fit(frame, rest)
        return {name: fit[name] | rest.get(name, open_[name] - first[name]) for name in open_}
    asked = [(name, kind) for name, kinds in open_.items() for kind in sorted(kinds)]
    if not asked:
        return open_
    row = frame.select(
        _fits(by_name(name).as_expr(), kind).all().alias(str(i)) for i, (name, kind) in enumerate(asked)
    ).row(0)
    fitting: dict[str, set[str]] = {name: set() for name in open_}
    for (name, kind), fit in zip(asked, row, strict=True):
        if fit:
            fitting[name].add(kind)
    return {name: frozenset(kinds) for name, kinds in fitting.items()}


def _fits(column: pl.Expr, kind: str) -> pl.Expr:
    if kind in _DECIMAL:  # the digits on both sides are known when all rows are seen
        return column.str.contains(f"^(?:{decimal_pattern(DIGITS, SCALE, comma=kind == 'decimal,')})$")
    return fits(column, _CANDIDATES[kind])


def _measured(frame: pl.DataFrame, open_: dict[str, frozenset[str]]) -> dict[str, ColumnProfile]:
    cells: dict[tuple[str, str], pl.Expr] = {}
    for name, kinds in open_.items():
        column = by_name(name).as_expr()  # `pl.col` takes `*` and `^…$` for patterns
        sign = column.str.starts_with("-")
        if "integer" in kinds:
            cells |= {(name, f"whole {kind}"): column.str.len_bytes() - sign for kind in kinds & _DECIMAL.keys()}
            continue
        for kind in kinds & _DECIMAL.keys():
            text = column.str.replace_all(".", "", literal=True) if kind == "decimal," else column
            point = text.str.find(_DECIMAL[kind], literal=True)
            cells[name, f"whole {kind}"] = pl.coalesce(point, text.str.len_bytes()) - sign
            cells[name, f"scale {kind}"] = text.str.len_bytes() - point - 1
        if "decimal," in kinds:
            decimal = column.str.contains(",", literal=True) & ~column.str.contains(_MAYBE_THOUSANDS)
            cells[name, "commas"] = decimal.cast(pl.UInt32)
    numbers = frame.lazy().select(expr.max().alias(str(i)) for i, expr in enumerate(cells.values())).collect()
    most = dict(zip(cells, numbers.row(0), strict=True)) if cells else {}
    return {
        name: ColumnProfile(
            filled=frame.height - frame[name].null_count(),
            kinds=kinds,
            whole={kind: most[name, f"whole {kind}"] or 0 for kind in kinds & _DECIMAL.keys()},
            scale={kind: most.get((name, f"scale {kind}")) or 0 for kind in kinds & _DECIMAL.keys()},
            commas=bool(most.get((name, "commas"))),
        )
        for name, kinds in open_.items()
    }


def _largest(kinds: frozenset[str], *found: dict[str, int]) -> dict[str, int]:
    return {kind: max(of.get(kind, 0) for of in found) for kind in sorted(kinds & _DECIMAL.keys())}
