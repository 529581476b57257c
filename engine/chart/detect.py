"""Decides what each column holds, from a sample of its values, its name, its type and its neighbours."""

import math

import polars as pl

from core.models import ColumnType, Verdict
from core.pipeline import ColumnPolicy
from engine.chart import headers
from engine.chart.kinds import many, one
from engine.chart.recognizer import Recognizer, recognizer, recognizers
from engine.chart.shape import NULLISH
from engine.chart.text import in_text

PROSE = {"ratio": 0.15, "words": 4}
UNMISTAKABLE = ("EMAIL", "IBAN", "CPR", "PROFILE_URL")  # no code of trade looks like these: never left alone
_MANY = 20  # values it takes before a share of them means something


def _sigmoid(x: float) -> float:
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
        self.scores = {r.type: r.score(self.values) for r in recognizers()} if self.rows else {}

    def share(self, condition: pl.Series) -> float:
        """The share of rows, not of different values, for which this holds."""
        return (
            float((condition.fill_null(False).cast(pl.Float64) * self.counts).sum()) / self.rows if self.rows else 0.0
        )

    def mean(self, scores: pl.Series) -> float:
        return float((scores * self.counts).sum()) / self.rows if self.rows else 0.0

    @property
    def prose(self) -> bool:
        """Whether sentences stand here: several words, most of them in lower case."""
        if self.type.kind != "text" or not self.rows:
            return False
        words = self.values.str.count_matches(r"\p{L}{2,}")
        small = self.values.str.count_matches(r"(?:^|\s)\p{Ll}{2,}")
        long = (words >= PROSE["words"]) & (small.cast(pl.Float64) >= 0.4 * words.cast(pl.Float64))
        return self.share(long) >= PROSE["ratio"]


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
        self.extra = self._checksum(scores)

    def _checksum(self, scores: pl.Series) -> float:
        """Check digits that hold far more often than by chance speak for the kind, as often as by chance against it."""
        if self.recognizer.checksum is None or self.alike == 0:
            return 0.0
        name, chance, passes = self.recognizer.checksum
        shaped = scores > 0.02
        if self.column.share(shaped) == 0:
            return 0.0
        passed = self.column.share(shaped & passes(self.column.values)) / self.column.share(shaped)
        self.notes.append(f"{passed:.0%} pass {name} where chance is {chance:.0%}".replace("%", " %"))
        if len(self.column.values) < _MANY:
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
        return round(_sigmoid(self.odds), 3)

    def reason(self) -> str:
        """The evidence in one sentence for people."""
        kind = one(self.recognizer.type)
        said = {3.0: "says so", 1.5: "fits", 0.0: "says nothing", -3.0: "names something else"}[self.header]
        parts_ = [f"{self.alike:.0%} of rows could be {kind}".replace("%", " %")]
        if self.sure >= 0.05:
            parts_ = [f"{self.sure:.0%} of rows look like {kind}".replace("%", " %")]
        return f'{", ".join(parts_ + self.notes)}; the header "{self.column.name}" {said}'


def verdicts(
    sample: pl.DataFrame,
    types: dict[str, ColumnType],
    decided: dict[str, ColumnPolicy],
    keyed: set[str],
) -> dict[str, Verdict]:
    """What every column holds and what is done with it. What the pipeline file decided holds, whatever is found."""
    columns = [Column(name, sample[name], types.get(name, ColumnType())) for name in sample.columns]
    found = {column.name: _found(column) for column in columns}
    found = _neighbours(columns, found)
    return {c.name: _decided(c, found[c.name], decided.get(c.name), c.name in keyed) for c in columns}


def _found(column: Column) -> Verdict:
    if not column.rows:
        return _empty(column)
    evidence = [Evidence(column, r) for r in recognizers() if _possible(column, r)]
    best = max(evidence, key=lambda e: (e.odds, -e.recognizer.rank), default=None)
    if column.prose and (best is None or best.sure < 0.5 or best.recognizer.type in ("PERSON", "USERNAME", "ADDRESS")):
        return _prose(column)
    if best is None or best.odds < 0 or best.alike < 0.03:
        return _nothing(column, evidence)
    type_ = best.recognizer
    if not type_.personal:
        others = {e.recognizer.type for e in evidence if e.alike > 0.05}.difference(UNMISTAKABLE)
        return Verdict(column.name, (type_.type,), best.confidence, best.reason(), options={"skip": sorted(others)})
    return Verdict(
        column.name,
        _types(evidence, best),
        best.confidence,
        best.reason(),
        type_.action,
        {**type_.options, **_threshold(best)},
        "cells" if _mixed(best) else "column",
    )


def _possible(column: Column, recognizer_: Recognizer) -> bool:
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
        )
    if kind in ("date", "datetime"):
        return recognizer_.type == "DATE_OF_BIRTH"
    return True


def _mixed(best: Evidence) -> bool:
    """Whether cells that are clearly something else stand among the personal ones."""
    if best.recognizer.type not in ("PERSON", "USERNAME", "IP", "ADDRESS", "LICENSE_PLATE"):
        return best.header < 3 and best.none > 0.1
    return best.header < 3 and best.none > (0.2 if best.recognizer.type == "USERNAME" else 0.05)


def _threshold(best: Evidence) -> dict[str, float]:
    """The score from which a single cell of this column is taken for personal, given all that speaks for the column."""
    if not _mixed(best):
        return {}
    lift = best.header + max(_logit(max(best.alike, 0.05)), -1.0)
    return {"threshold": round(min(max(_sigmoid(-lift), 0.05), 0.6), 3)}


def _types(evidence: list[Evidence], best: Evidence) -> tuple[str, ...]:
    others = [
        e.recognizer.type
        for e in evidence
        if e is not best
        and e.recognizer.personal
        and e.recognizer.sure
        and e.sure >= 0.05
        and e.sure > best.sure * 0.1
        and e.recognizer.rank < best.recognizer.rank
    ]
    return (best.recognizer.type, *others)


def _prose(column: Column) -> Verdict:
    sample = column.values.sample(min(len(column.values), 1000), seed=0) if len(column.values) > 1000 else column.values
    _, counts = in_text(sample)
    types = tuple(sorted((t for t in counts if recognizer(t).personal), key=lambda t: -counts[t]))
    if not types:
        return Verdict(
            column.name, reason="sentences; none in the sample holds personal data, all are read", scope="spans"
        )
    share = min(max(counts.values()) / len(sample), 1.0)
    kinds = ", ".join(map(many, types))
    reason = f"sentences; at least {share:.0%} of the sample hold personal data: {kinds}"
    return Verdict(column.name, types, round(0.6 + 0.39 * share, 3), reason.replace("%", " %"), "redact", scope="spans")


def _nothing(column: Column, evidence: list[Evidence]) -> Verdict:
    """Not personal as a column: a shape that its name or check digits refute is left alone cell by cell too."""
    skip = sorted(
        e.recognizer.type
        for e in evidence
        if e.recognizer.sure
        and e.recognizer.type not in UNMISTAKABLE
        and column.share(column.values.str.contains(e.recognizer.sure)) >= 0.05
        and e.odds < 0
        and e.refuted
    )
    best = max(evidence, key=lambda e: e.odds, default=None)
    if best is not None and best.sure >= 0.01 and best.recognizer.sure and best.recognizer.type not in skip:
        return Verdict(
            column.name, (best.recognizer.type,), round(best.sure, 3), best.reason(), "redact", {"skip": skip}, "cells"
        )
    return Verdict(column.name, reason="nothing personal", options={"skip": skip} if skip else {})


def _empty(column: Column) -> Verdict:
    """No value to judge by: a name that says it all is believed."""
    for r in recognizers():
        if r.personal and r.header_weight(column.words) >= 3:
            return Verdict(
                column.name,
                (r.type,),
                0.8,
                f'no values; the header "{column.name}" says so',
                r.action,
                dict(r.options),
                "column",
            )
    return Verdict(column.name, reason="no values")


def _neighbours(columns: list[Column], found: dict[str, Verdict]) -> dict[str, Verdict]:
    """A second look at columns that only their neighbours explain."""
    personal = {t for v in found.values() for t in v.types if v.scope == "column" or t in ("PERSON", "EMAIL")}
    out = dict(found)
    for column in columns:
        if out[column.name].types or not column.rows:
            continue
        again = _beside_people(column, personal)
        if again is not None:
            out[column.name] = again
    return out


def _beside_people(column: Column, personal: set[str]) -> Verdict | None:
    if not personal & {"PERSON", "EMAIL", "CPR"}:
        return None
    for type_ in ("PHONE", "PERSON"):
        r = recognizer(type_)
        if not _possible(column, r) or r.header_weight(column.words) < 0:
            continue
        evidence = Evidence(column, r)
        if (
            column.prose
            or evidence.odds + 1.2 < 0
            or evidence.alike < 0.5
            or evidence.sure < (0.3 if type_ == "PERSON" else 0.05)
        ):
            continue
        reason = f"{evidence.reason()}; it stands beside other data of people"
        return Verdict(
            column.name, (type_,), round(_sigmoid(evidence.odds + 1.2), 3), reason, r.action,
            {**r.options, **_threshold(evidence)}, "cells" if _mixed(evidence) else "column",
        )  # fmt: skip
    return None


def _decided(column: Column, verdict: Verdict, policy: ColumnPolicy | None, keyed: bool) -> Verdict:
    """The action: the pipeline file's, else hashing for what joins, else the kind's own."""
    if policy is not None:
        options = {"decided": True, **({"to": policy.to} if policy.to else {})}
        reason = f"the pipeline file says {policy.action}" + (f"; {verdict.reason}" if verdict.types else "")
        return Verdict(column.name, verdict.types, verdict.confidence, reason, policy.action, options, "column")
    if keyed and verdict.types and verdict.action not in ("keep", "hash"):
        return Verdict(column.name, verdict.types, verdict.confidence, verdict.reason, "hash", {}, "column")
    if keyed and verdict.action == "hash":
        return Verdict(
            column.name, verdict.types, verdict.confidence, verdict.reason, "hash", verdict.options, "column"
        )
    if verdict.action == "generalize" and column.type.format:
        return Verdict(
            **{
                **verdict.as_json(),
                "types": verdict.types,
                "options": {**verdict.options, "format": column.type.format},
            }
        )
    return verdict
