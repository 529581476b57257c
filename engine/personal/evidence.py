"""What speaks for one kind of personal data in one column."""

import math

import polars as pl

from core.models import ColumnType
from engine.personal import headers
from engine.personal.kinds import one
from engine.personal.recognizer import Recognizer
from engine.personal.shape import NULLISH

_PROSE, _WORDS = 0.15, 4  # a column is prose if this share of its rows has so many words, most in lower case
MANY = 20  # values it takes before a share of them means something
_NESTED = (
    r"(?s)^\s*(?:\{.*[:=].*\}|\[.+\]|\{.*[\p{L}@].*\}|\(.*,.*[\p{L}@].*\)|\(.*[\p{L}@].*,.*\)"
    r'|"[^"]*"=>.*|<[\p{L}?!].*>)\s*$'
)
_NONE_INSIDE = r"^\s*(?:\{\s*\}|\[\s*\]|\(,*\))\s*$"
_ONE_NUMBER = r"^\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}$"  # a GUID, as Windows writes it
_UNIFORM = ("PHONE", "LICENSE_PLATE", "CREDIT_CARD", "NATIONAL_ID", "IBAN", "BANK_ACCOUNT")


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _logit(p: float) -> float:
    p = min(max(p, 0.02), 0.98)
    return math.log(p / (1 - p))


class Column:
    """The different values of one column of the sample, how often each stands there, and what they look like."""

    def __init__(self, name: str, values: pl.Series, type_: ColumnType) -> None:
        self.name, self.type, self.words = name, type_, headers.words(name)
        present = values.cast(pl.String).drop_nulls()
        present = present.filter(~present.str.contains(NULLISH))
        counted = pl.DataFrame({"value": present.str.strip_chars()}).group_by("value").len().sort("value")
        self.values, self.counts = counted["value"], counted["len"].cast(pl.Float64)
        self.rows = float(self.counts.sum())
        self.scores: dict[str, pl.Series] = {}

    def share(self, condition: pl.Series) -> float:
        """The share of rows, not of different values, for which this holds."""
        return float(self.counts.filter(condition).sum()) / self.rows if self.rows else 0.0

    def only(self, which: pl.Series) -> "Column":
        """The same column without its other values."""
        part = Column.__new__(Column)
        part.name, part.type, part.words = self.name, self.type, self.words
        part.values, part.counts = self.values.filter(which), self.counts.filter(which)
        part.rows = float(part.counts.sum())
        part.scores = {type_: scores.filter(which) for type_, scores in self.scores.items()} if part.rows else {}
        return part

    @property
    def nested(self) -> bool:
        """Whether the cells hold several values: JSON, XML, or an array, row or hstore of PostgreSQL."""
        empty = self.share(self.values.str.contains(_NONE_INSIDE))
        held = self.values.str.contains(_NESTED) & ~self.values.str.contains(_ONE_NUMBER)
        return empty < 1 and self.share(held) >= 0.5 * (1 - empty)

    def mean(self, scores: pl.Series) -> float:
        return float((scores * self.counts).sum()) / self.rows if self.rows else 0.0

    @property
    def prose(self) -> bool:
        """Whether sentences stand here: several words, most of them in lower case."""
        if self.type.kind != "text" or not self.rows:
            return False
        words = self.values.str.count_matches(r"\p{L}{2,}")
        small = self.values.str.count_matches(r"(?:^|\s)\p{Ll}{2,}")
        long = (words >= _WORDS) & (small.cast(pl.Float64) >= 0.4 * words.cast(pl.Float64))
        return self.share(long) >= _PROSE


class Evidence:
    """What speaks for one kind of personal data in one column."""

    def __init__(self, column: Column, recognizer_: Recognizer) -> None:
        self.column, self.recognizer = column, recognizer_
        scores = column.scores[recognizer_.type]
        self.mean, self.alike, self.sure = column.mean(scores), column.share(scores > 0.05), column.share(scores >= 0.6)
        self.none = column.share(scores <= 0.05)
        self.header = recognizer_.header_weight(column.words)
        if self.header == 0 and recognizer_.personal and headers.business(column.words):
            self.header = -3.0
        self.notes: list[str] = []
        self.scores = scores
        self.extra = self._checksum(scores) + self._uniform()

    def _uniform(self) -> float:
        """Where some cells are sure to be of a kind of number and all others could be, all are."""
        alike = self.recognizer.type in _UNIFORM and self.sure >= 0.25 and self.none < 0.02 and self.header >= 0
        return 1.0 if alike and len(self.column.values) >= MANY else 0.0

    @property
    def chance(self) -> bool:
        """Whether no more cells of this form are of this kind than chance would make so."""
        if self.recognizer.frame is None or len(self.column.values) < MANY:
            return False
        pattern, chance = self.recognizer.frame
        framed = self.column.share(self.column.values.str.contains(pattern))
        return framed >= 0.5 and self.alike < 2.5 * chance * framed and self.header < 3

    def _checksum(self, scores: pl.Series) -> float:
        """Check digits that hold far more often than by chance speak for the kind, as often as by chance against it."""
        if self.recognizer.checksum is None or self.alike == 0:
            return 0.0
        name, chance, passes = self.recognizer.checksum
        shaped = scores > 0.02
        if self.column.share(shaped) == 0:
            return 0.0
        which = shaped.arg_true()
        held = (shaped & False).scatter(which, passes(self.column.values.gather(which)))
        passed = self.column.share(held) / self.column.share(shaped)
        self.notes.append(f"{passed:.0%} pass {name} where chance is {chance:.0%}".replace("%", " %"))
        if len(self.column.values) < MANY:
            return 0.0
        if passed > 3 * chance + 0.1:
            return 1.5
        if passed >= 2 * chance + 0.02:
            return 0.0
        if self.header >= 3:
            return 0.0
        return -0.8 if self.mean >= 0.7 else -2.5  # a form that hardly anything else has is not given up

    @property
    def refuted(self) -> bool:
        """Whether the name or the check digits speak against the kind; that it is rare does not."""
        return self.extra < 0 or (self.header < 0 and self.extra <= 0)

    @property
    def odds(self) -> float:
        return _logit(self.mean) + self.header + self.extra

    @property
    def confidence(self) -> float:
        return round(sigmoid(self.odds), 3)

    def reason(self) -> str:
        """The evidence in one sentence for people."""
        kind = one(self.recognizer.type)
        said = {3.0: "says so", 1.5: "fits", 0.0: "says nothing", -3.0: "names something else"}[self.header]
        parts_ = [f"{self.alike:.0%} of rows could be {kind}".replace("%", " %")]
        if self.sure >= 0.05:
            parts_ = [f"{self.sure:.0%} of rows look like {kind}".replace("%", " %")]
        return f'{", ".join(parts_ + self.notes)}; the header "{self.column.name}" {said}'


def possible(column: Column, recognizer_: Recognizer) -> bool:
    """A number or a date of the connector's is neither a name nor an address."""
    kind = column.type.kind
    if kind == "decimal":
        return False
    if kind == "integer":
        return recognizer_.type in (
            "PHONE",
            "CPR",
            "CVR",
            "CREDIT_CARD",
            "BANK_ACCOUNT",
            "NATIONAL_ID",
            "PASSPORT",
            "DRIVER_LICENSE",
            "DATE_OF_BIRTH",
        )
    if kind in ("date", "datetime"):
        return recognizer_.type == "DATE_OF_BIRTH"
    return True


def mixed(best: Evidence) -> bool:
    """Whether cells that are clearly something else stand among the personal ones."""
    if best.recognizer.type not in ("PERSON", "USERNAME", "IP", "ADDRESS", "LICENSE_PLATE"):
        return best.header < 3 and best.none > 0.1
    # where the name fits, what is not known for a name is rather a rare one than something else
    rare = 0.2 if best.recognizer.type == "USERNAME" or best.header > 0 else 0.05
    return best.header < 3 and best.none > rare


def threshold(best: Evidence) -> dict[str, float]:
    """The score from which a single cell of this column is taken for personal, given all that speaks for the column."""
    if not mixed(best):
        return {}
    lift = best.header + max(_logit(max(best.alike, 0.05)), -1.0)
    return {"threshold": round(min(max(sigmoid(-lift), 0.1), 0.6), 3)}
