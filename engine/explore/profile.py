"""What each column holds, as counts that add up over batches, files and workers; no value is kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import polars as pl
from polars.selectors import by_name

from core.errors import SourceUnreadable
from core.models import LINE, ColumnType
from engine.explore.types import DATE_FORMATS, NARROW, SCALE, WIDE, fits, pattern

_GLANCE = 50  # rows that settle what most columns are not
_FIRST = 4096  # rows that show whether values come again
_AT_ONCE = 64  # columns looked at together: a table may have thousands

CANDIDATES = {
    "integer": ColumnType("integer", wide=True),
    "decimal": ColumnType("decimal"),
    "decimal,": ColumnType("decimal", format=","),
    **{f"date {form}": ColumnType("date", format=form) for form in DATE_FORMATS},
    **{f"datetime {form}": ColumnType("datetime", format=form) for form in DATE_FORMATS},
    **{f"zoned {form}": ColumnType("datetime", format=form, zoned=True) for form in DATE_FORMATS},
}
_ALL = frozenset(CANDIDATES)
_DECIMAL = {"decimal": ".", "decimal,": ","}
_DAY_OR_MONTH = frozenset(kind for kind, type_ in CANDIDATES.items() if type_.format == "%d-%m-%Y")
_TWO_WAYS = "^-?[1-9][0-9]{0,2}[.,][0-9]{3}$"  # 1.234 is a thousand or a few thousandths
_BIGGEST = len(str(2**63)) - 1  # digits of which some numbers are too large for a BIGINT


@dataclass(frozen=True)
class ColumnProfile:
    """Counts of one column, and the kinds that all of its text fits so far.

    `whole` and `scale` are the digits before and after the decimal point, by kind of decimal. `marked` counts values
    that a kind might read in two ways, and `proven` those of them that can be seen to have one: 1,234 alone may be a
    thousand, and 03-04 a day of April or of March. `beyond`: some whole number does not fit a BIGINT.
    """

    filled: int = 0
    kinds: frozenset[str] = _ALL
    whole: dict[str, int] = field(default_factory=dict)
    scale: dict[str, int] = field(default_factory=dict)
    marked: dict[str, int] = field(default_factory=dict)
    proven: dict[str, int] = field(default_factory=dict)
    beyond: bool = False

    def merge(self, other: "ColumnProfile") -> "ColumnProfile":
        kinds = self.kinds & other.kinds
        return ColumnProfile(
            filled=self.filled + other.filled,
            kinds=kinds,
            whole=_largest(kinds, self.whole, other.whole),
            scale=_largest(kinds, self.scale, other.scale),
            marked=_sum(kinds, self.marked, other.marked),
            proven=_sum(kinds, self.proven, other.proven),
            beyond="integer" in kinds and (self.beyond or other.beyond),
        )

    def type(self) -> ColumnType:
        """The type that every value survives, and that nothing else could be; text if there is none."""
        if not self.filled:
            return ColumnType()
        for kind, candidate in CANDIDATES.items():
            if kind not in self.kinds:
                continue
            if kind == "integer":
                return ColumnType("integer", wide=self.beyond)
            if kind in _DECIMAL:
                found = decimal(candidate.format, self.whole.get(kind, 0), self.scale.get(kind, 0))
                if found is not None and found.scale and self._is_sure(kind):
                    return found
            elif kind not in _DAY_OR_MONTH or self._is_sure(kind):
                return candidate
        return ColumnType()

    def in_the_type_of(self, type_: ColumnType) -> ColumnType | None:
        """How all of the text can be read as a type that the column had before, if it can: as it was written first."""
        for kind, candidate in sorted(CANDIDATES.items(), key=lambda pair: pair[1].format != type_.format):
            if candidate.kind != type_.kind or kind not in self.kinds:
                continue
            same = candidate.format == type_.format
            if kind == "integer" and same and (type_.wide or not self.beyond):
                return type_
            if kind in _DECIMAL and (same or self._is_sure(kind)):
                whole = max(self.whole.get(kind, 0), (WIDE if type_.wide else NARROW) - (type_.scale or 0))
                found = decimal(candidate.format, whole, max(self.scale.get(kind, 0), type_.scale or 0))
                if found is not None and (found.scale, found.wide) == (type_.scale, type_.wide):
                    return found
            if candidate.kind in ("date", "datetime") and (same or kind not in _DAY_OR_MONTH or self._is_sure(kind)):
                return candidate
        return None

    def _is_sure(self, kind: str) -> bool:
        """Whether more than a few slips of the pen say how the column is to be read."""
        return self.proven.get(kind, 0) * 100 > self.marked.get(kind, 0)


def decimal(format_: str | None, whole: int, scale: int, unit: str | None = None) -> ColumnType | None:
    """The type of decimals with so many digits before and after the point, if there is one that holds them."""
    if scale > SCALE or whole + scale > WIDE:
        return None
    return ColumnType("decimal", format=format_, scale=scale, wide=whole + scale > NARROW, unit=unit)


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
            "columns": {name: {**vars(column), "kinds": sorted(column.kinds)} for name, column in self.columns.items()},
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Profile":
        return Profile(
            value["rows"],
            {
                name: ColumnProfile(**{**column, "kinds": frozenset(column["kinds"])})
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
    if kind == "integer" or kind in _DECIMAL:  # the digits on both sides are known when all rows are seen
        return column.str.contains(f"^(?:{pattern(CANDIDATES[kind])})$")
    return fits(column, CANDIDATES[kind], whole=True)


def _measured(frame: pl.DataFrame, open_: dict[str, frozenset[str]]) -> dict[str, ColumnProfile]:
    cells: dict[tuple[str, str, str], pl.Expr] = {}
    for name, kinds in open_.items():
        column = by_name(name).as_expr()  # `pl.col` takes `*` and `^…$` for patterns
        sign = column.str.starts_with("-")
        for kind in sorted(kinds & _DAY_OR_MONTH):
            cells[name, "marked", kind] = column.count()
            cells[name, "proven", kind] = (column >= "13").sum()  # as text
        if "integer" in kinds:
            cells |= {(name, "whole", kind): (column.str.len_bytes() - sign).max() for kind in kinds & _DECIMAL.keys()}
            continue
        for kind in kinds & _DECIMAL.keys():
            text = column.str.replace_all(".", "", literal=True) if kind == "decimal," else column
            point = text.str.find(_DECIMAL[kind], literal=True)
            scale, whole = text.str.len_bytes() - point - 1, pl.coalesce(point, text.str.len_bytes()) - sign
            cells[name, "whole", kind] = whole.max()
            cells[name, "scale", kind] = scale.max()
            if kind == "decimal,":
                marked = column.str.contains("[.,]")
                proven = marked & ~column.str.contains(_TWO_WAYS)
            else:
                marked, proven = point.is_not_null(), scale != 3  # enough for most, and quick
            cells |= {(name, "marked", kind): marked.sum(), (name, "proven", kind): proven.sum()}
    numbers = frame.lazy().select(expr.alias(str(i)) for i, expr in enumerate(cells.values())).collect()
    found: dict[str, dict[str, dict[str, int]]] = {name: {} for name in open_}
    for (name, what, kind), number in zip(cells, numbers.row(0) if cells else (), strict=True):
        found[name].setdefault(what, {})[kind] = number or 0
    return {
        name: ColumnProfile(
            filled=frame.height - frame[name].null_count(), kinds=kinds,
            beyond=_beyond(frame[name], kinds, found[name]),
            whole=_largest(kinds, found[name].get("whole", {})), scale=_largest(kinds, found[name].get("scale", {})),
            marked=_sum(kinds, found[name].get("marked", {})), proven=_sum(kinds, found[name].get("proven", {})),
        )
        for name, kinds in open_.items()
    }  # fmt: skip


def _beyond(column: pl.Series, kinds: frozenset[str], found: dict[str, dict[str, int]]) -> bool:
    if "integer" not in kinds or max(found["whole"].values(), default=0) < _BIGGEST:
        return False
    return column.cast(pl.Int64, strict=False).null_count() > column.null_count()


def _largest(kinds: frozenset[str], *found: dict[str, int]) -> dict[str, int]:
    return {kind: max(of.get(kind, 0) for of in found) for kind in sorted(kinds & _DECIMAL.keys())}


def _sum(kinds: frozenset[str], *found: dict[str, int]) -> dict[str, int]:
    two_ways = kinds & (_DECIMAL.keys() | _DAY_OR_MONTH)
    return {kind: sum(of.get(kind, 0) for of in found) for kind in sorted(two_ways)}
