"""How the text of columns fits types that not every column is tried on: looked for in a sample, counted over all rows.

Most columns are settled by their profile, and nothing here is asked about them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import polars as pl
from polars.selectors import by_name

from core.models import ColumnType, RawFile
from engine.explore import types as column_types
from engine.explore.types import WIDE

UNITS = ("kr.", "Kr.", "%", "kr", "DKK", "EUR", "€", "USD", "$", "GBP", "£", "SEK", "NOK")
LIKELY = 0.6  # share of a sample that makes a type worth counting over all rows
_DAYS = (
    "%Y-%m-%d", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y.%m.%d",
    "%-d-%-m-%Y", "%-m-%-d-%Y", "%-d.%-m.%Y", "%-d/%-m/%Y", "%-m/%-d/%Y",
    "%Y-%-m-%-d", "%Y/%-m/%-d",
)  # fmt: skip
_SHORT_DAYS = ("%d-%m-%y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
_LIKE_A_VALUE = r"^[ \t\x{a0}]*[-(]?[^0-9]{0,5}[0-9][0-9.,:/'\x{2019} \x{a0}\x{202f}eE+TZ-]*[^0-9]{0,6}$"


def numbers(unit: str | None = None) -> list[ColumnType]:
    """The ways to write numbers; the first that fits is the plainest."""
    kinds = [
        ColumnType("integer", wide=True), ColumnType("decimal"), ColumnType("integer", ",", wide=True),
        ColumnType("decimal", ","), ColumnType("integer", ".", wide=True), ColumnType("decimal", "."),
        *(ColumnType(kind, mark, wide=kind == "integer") for mark in (", ", ". ") for kind in ("integer", "decimal")),
    ]  # fmt: skip
    if unit:
        return [replace(kind, unit=unit) for kind in kinds]
    return [*kinds, ColumnType("decimal", "e")]


def dates(days: Iterable[str] = _DAYS) -> list[ColumnType]:
    return [ColumnType("date", day) for day in days]


def datetimes(days: Iterable[str] = _DAYS) -> list[ColumnType]:
    """With and without an offset; for ISO 8601 also with its clock in another way."""
    forms = [form for day in days for form in ((day, f"{day} %H:%M:%S") if day == "%Y-%m-%d" else (day,))]
    return [ColumnType("datetime", form, zoned=zoned) for form in forms for zoned in (False, True)]


@dataclass(frozen=True)
class Fit:
    """Counts of the text of one column beside one type.

    `bad` cells are no value of the type and say more than that nothing is there; of these, `coded` hold a digit.
    `whole` and `scale` are the most digits before and after the point, `shortest` and `longest` are those of whole
    numbers, of which `beyond` fit no BIGINT; `marked` numbers hold a mark. `cut` times have more than six decimals.
    """

    filled: int = 0
    missing: int = 0
    bad: int = 0
    coded: int = 0
    marked: int = 0
    beyond: int = 0
    cut: int = 0
    whole: int = 0
    scale: int = 0
    longest: int = 0
    shortest: int = WIDE

    def merge(self, other: "Fit") -> "Fit":
        def both(name: str) -> int:
            one, two = int(getattr(self, name)), int(getattr(other, name))
            if name in ("whole", "scale", "longest"):
                return max(one, two)
            return min(one, two) if name == "shortest" else one + two

        return Fit(**{field.name: both(field.name) for field in fields(Fit)})

    @property
    def values(self) -> int:
        return self.filled - self.missing

    @property
    def good(self) -> int:
        return self.values - self.bad


Asked = Mapping[str, Sequence[ColumnType]]
Fits = dict[str, dict[ColumnType, Fit]]


def unit_of(values: pl.Series) -> str | None:
    """What stands before or after nearly every number."""
    some = values.drop_nulls().str.strip_chars()
    some = some.filter(some.str.contains("[0-9]"))
    for unit in UNITS:
        if _share(some.str.ends_with(unit) | some.str.strip_chars_start("-").str.starts_with(unit)) >= LIKELY:
            return unit
    return None


def _share(which: pl.Series) -> float:
    return float(which.sum()) / len(which) if len(which) else 0.0


def likely(values: pl.Series) -> list[ColumnType]:
    """The types that most values of a sample could be of."""
    some = values.drop_nulls().alias("c")
    some = some.filter(~some.to_frame().select(column_types.is_missing(pl.col("c"))).to_series())
    if _share(some.str.contains(_LIKE_A_VALUE)) < LIKELY:
        return []
    short = [*dates(_SHORT_DAYS), *datetimes(_SHORT_DAYS)]
    tried = [*numbers(unit_of(some)), *dates(), *datetimes(), *short]
    shares = some.to_frame().select(
        column_types.fits(pl.col("c"), kind).mean().alias(str(n)) for n, kind in enumerate(tried)
    )
    return [kind for kind, share in zip(tried, shares.row(0), strict=True) if share >= LIKELY]


def look(files: Iterable[RawFile], asked: Asked, progress: Callable[[], None]) -> Fits:
    """How all text of some columns fits some types. A file of a glob may lack columns that others have."""
    found: Fits = {name: {kind: Fit() for kind in kinds} for name, kinds in asked.items()}
    if not found:
        return found
    for file in files:
        rows = pl.scan_parquet(file.path, glob=False)
        there = set(rows.collect_schema().names())
        wanted = [(name, kind) for name, kinds in asked.items() if name in there for kind in kinds]
        cells = [expr.alias(f"{n} {what}") for n, pair in enumerate(wanted) for what, expr in _counts(*pair).items()]
        counted = rows.select(cells).collect().row(0, named=True) if cells else {}
        for n, (name, kind) in enumerate(wanted):
            counts = {what: counted[f"{n} {what}"] for what in _counts(name, kind)}
            fit = Fit(**{what: int(count) for what, count in counts.items() if count is not None})
            found[name][kind] = found[name][kind].merge(fit)
        progress()
    return found


def _counts(name: str, kind: ColumnType) -> dict[str, pl.Expr]:
    column = by_name(name).as_expr()
    good = column_types.fits(column, kind)
    missing = column_types.is_missing(column) & ~good
    bad = ~good & ~missing
    counts = {
        "filled": column.count(), "missing": missing.sum(), "bad": bad.sum(),
        "coded": (bad & column.str.contains("[0-9]")).sum(),
    }  # fmt: skip
    if kind.kind == "datetime":
        return counts | {"cut": (good & column.str.contains(r"[.,][0-9]{6}[0-9]*[1-9]")).sum()}
    if kind.kind == "date":
        return counts
    text = column_types.plain(pl.when(good).then(column), kind)
    counts["marked"] = (good & column.str.contains("[.,]")).sum()
    if kind.format == "e":
        needed = column_types.needed(text)
        digits = text.str.replace("[eE].*", "").str.replace_all("[^0-9]", "").str.len_bytes()
        return counts | {"scale": needed.max(), "whole": (digits.cast(pl.Int64) - needed).max()}
    sign, size = text.str.starts_with("-"), text.str.len_bytes()
    point = text.str.find(".", literal=True)
    whole = pl.coalesce(point, size) - sign
    counts |= {"whole": whole.max(), "scale": (size - point - 1).max()}
    if kind.kind == "integer":
        beyond = text.is_not_null() & text.cast(pl.Int64, strict=False).is_null()
        counts |= {"longest": whole.max(), "shortest": whole.min(), "beyond": beyond.sum()}
    return counts
