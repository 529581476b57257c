"""Decides what each column holds, from a sample of its values, its name, its type and its neighbours."""

import math
from functools import partial

import polars as pl

from core import threads
from core.models import ColumnType, Verdict
from core.pipeline import ColumnPolicy
from engine.chart import headers, names, row_words
from engine.chart.kinds import many, one
from engine.chart.recognizer import Recognizer, recognizer, recognizers
from engine.chart.recognizers import date_of_birth, phone
from engine.chart.shape import NULLISH
from engine.chart.text import in_text

PROSE = {"ratio": 0.15, "words": 4}
UNMISTAKABLE = ("EMAIL", "IBAN", "CPR", "PROFILE_URL")  # no code of trade looks like these: never left alone
_OLD, _APART = 1970, 25  # a tenth of the dates of birth is older than this; they lie this many years apart
_MANY = 20  # values it takes before a share of them means something
_READ = 400  # different values that are read like sentences before a column of short texts is judged
_AT_ONCE = 64  # columns scored together: a table may have thousands
_UNIFORM = ("PHONE", "LICENSE_PLATE", "CREDIT_CARD", "NATIONAL_ID", "IBAN", "BANK_ACCOUNT")


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
        """Whether the cells are objects or lists as JSON writes them."""
        return self.share(self.values.str.contains(r"^\s*(?:\{.*[:=].*\}|\[.+\])\s*$")) >= 0.5

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
        self.scores = scores
        self.extra = self._checksum(scores) + self._uniform()

    def _uniform(self) -> float:
        """Where some cells are sure to be of a kind of number and all others could be, all are."""
        alike = self.recognizer.type in _UNIFORM and self.sure >= 0.25 and self.none < 0.02 and self.header >= 0
        return 1.0 if alike and len(self.column.values) >= _MANY else 0.0

    @property
    def chance(self) -> bool:
        """Whether no more cells of this form are of this kind than chance would make so."""
        if self.recognizer.frame is None or len(self.column.values) < _MANY:
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

    each = threads.pool().map  # polars frees the lock
    columns = list(each(lambda name: Column(name, sample[name], types.get(name, ColumnType())), sample.columns))
    for at in range(0, len(columns), _AT_ONCE):
        list(each(partial(_score, columns[at : at + _AT_ONCE]), recognizers()))
    found = {column.name: verdict for column, verdict in zip(columns, each(_found, columns), strict=True)}
    found = _neighbours(columns, found)
    found = _repeated(sample, columns, found)
    return {c.name: _decided(c, found[c.name], decided.get(c.name), c.name in keyed) for c in columns}


def _score(columns: list[Column], recognizer_: Recognizer) -> None:
    """What the values of many columns look like to one recognizer: its patterns are compiled once for all of them."""
    asked = [column for column in columns if column.rows and _possible(column, recognizer_)]
    if not asked:
        return
    scores, at = recognizer_.score(pl.concat([column.values for column in asked])), 0
    for column in asked:
        column.scores[recognizer_.type] = scores.slice(at, len(column.values))
        at += len(column.values)


def _found(column: Column) -> Verdict:
    if not column.rows:
        return _empty(column)
    evidence = [Evidence(column, r) for r in recognizers() if _possible(column, r)]
    best = max(evidence, key=lambda e: (e.odds, -e.recognizer.rank), default=None)
    if column.nested:
        return _prose(column)
    if column.prose and (best is None or best.sure < 0.5 or best.recognizer.type in ("PERSON", "USERNAME", "ADDRESS")):
        return _prose(column)
    if best is None or best.odds < 0 or best.alike < 0.03:
        return _short(column) or _nothing(column, evidence)
    type_ = best.recognizer
    others = _others(column, best) if _mixed(best) and type_.personal else []
    if others:
        left = ", ".join(many(e.recognizer.type) for e in others)
        types = (type_.type, *(e.recognizer.type for e in others))
        confidence = min(e.confidence for e in (best, *others))
        return Verdict(
            column.name, types, confidence, f"{best.reason()}; the others look like {left}", "hash", {}, "column"
        )
    if not type_.personal:
        also = {e.recognizer.type for e in evidence if e.alike > 0.05}.difference(UNMISTAKABLE)
        return Verdict(column.name, (type_.type,), best.confidence, best.reason(), options={"skip": sorted(also)})
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
            "DATE_OF_BIRTH",
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
    return {"threshold": round(min(max(_sigmoid(-lift), 0.1), 0.6), 3)}


def _others(column: Column, best: Evidence) -> list[Evidence]:
    """The kinds that explain all cells which the best one leaves, `mail or phone`; none if some cells stay."""
    found, rest = [best], column
    while len(found) < 4:
        rest = rest.only(found[-1].scores < _least(found[-1]))
        if rest.rows < 0.03 * column.rows or len(rest.values) < 3:
            return found[1:]
        seen = [e.recognizer for e in found]
        left = [Evidence(rest, r) for r in recognizers() if r not in seen and r.personal and _possible(rest, r)]
        second = max(left, key=lambda e: (e.odds, -e.recognizer.rank), default=None)
        if second is None or second.odds < 0 or second.alike < 0.3:
            return []
        found.append(second)
    return []


def _least(best: Evidence) -> float:
    """The score from which a cell counts as of this kind."""
    return _threshold(best).get("threshold", 0.05)


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
    types = tuple(sorted((t for t in counts if recognizer(t).personal), key=lambda t: (-counts[t], t)))
    if not types:
        return Verdict(
            column.name, reason="sentences; none in the sample holds personal data, all are read", scope="spans"
        )
    share = min(max(counts.values()) / len(sample), 1.0)
    kinds = ", ".join(map(many, types))
    reason = f"sentences; at least {share:.0%} of the sample hold personal data: {kinds}"
    return Verdict(column.name, types, round(0.6 + 0.39 * share, 3), reason.replace("%", " %"), "redact", scope="spans")


def _short(column: Column) -> Verdict | None:
    """A column of short texts, no sentences, in which people stand: `MobilePay Ida Holm`, `Ida Holm / 20 12 34 56`."""
    words = column.values.str.count_matches(r"\p{L}{2,}")
    person = recognizer("PERSON")
    if column.type.kind != "text" or person.header_weight(column.words) < 0 or headers.business(column.words):
        return None
    if len(column.values) <= 8 or column.share(words >= 2) < 0.1:
        return None
    sample = column.values.sample(min(len(column.values), _READ), seed=0)
    masked, counts = in_text(sample, models={})
    full = pl.Series([any(s >= 0.85 and " " in v[a:b] for a, b, s in names.find(v)) for v in sample], dtype=pl.Boolean)
    held = full | masked.str.contains(r"\[(?:PHONE|EMAIL|CPR|ADDRESS|IBAN|CREDIT_CARD)\]")
    share = float(held.sum()) / len(sample)
    if share < 0.03 or held.sum() < 3:
        return None
    types = tuple(sorted((k for k in counts if recognizer(k).personal), key=lambda k: (-counts[k], k)))
    kinds = ", ".join(map(many, types))
    reason = f"short texts; {share:.0%} of the sample hold personal data: {kinds}".replace("%", " %")
    left = masked.str.replace_all(r"\[[A-Z_]+\]", "").str.count_matches(r"\p{L}{2,}|\d{4,}")
    if share >= 0.8 and float((left <= 1).sum()) >= 0.8 * len(sample):
        return Verdict(column.name, types, round(share, 3), f"{reason}, and little else", "hash", {}, "column")
    return Verdict(column.name, types, round(0.6 + 0.39 * share, 3), reason, "redact", scope="spans")


def _nothing(column: Column, evidence: list[Evidence]) -> Verdict:
    """Not personal as a column: a shape that its name or check digits refute is left alone cell by cell too."""
    skip = sorted(
        e.recognizer.type
        for e in evidence
        if e.recognizer.sure
        and (e.recognizer.type not in UNMISTAKABLE or e.chance)
        and column.share(column.values.str.contains(e.recognizer.sure)) >= (0.0 if e.chance else 0.05)
        and e.odds < 0
        and (e.refuted or e.chance)
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
    if (born := _born(column)) is not None:
        return born
    for type_ in ("PHONE", "PERSON"):
        r = recognizer(type_)
        if not _possible(column, r) or r.header_weight(column.words) < 0:
            continue
        evidence = Evidence(column, r)
        plain = (
            type_ == "PHONE"
            and evidence.header >= 0
            and len(column.values) >= 2 * _MANY
            and phone.danish(column.values) >= 0.98
        )
        surnames = type_ == "PERSON" and _surnames(evidence)
        enough = evidence.odds + 1.2 >= 0 and evidence.sure >= (0.3 if type_ == "PERSON" else 0.05)
        if column.prose or evidence.alike < 0.5 or not (enough or surnames or plain):
            continue
        reason = f"{evidence.reason()}; it stands beside other data of people"
        return Verdict(
            column.name, (type_,), round(_sigmoid(evidence.odds + 1.2), 3), reason, r.action,
            {**r.options, **_threshold(evidence)}, "cells" if _mixed(evidence) else "column",
        )  # fmt: skip
    return None


def _surnames(evidence: Evidence) -> bool:
    """Whether most of many different single words are family names, and hardly one an everyday word or a place."""
    column = evidence.column
    known, other = column.share(evidence.scores >= 0.35), column.share(evidence.scores < 0.12)
    return len(column.values) >= _MANY and known >= 0.5 and other <= 0.15 and evidence.header >= 0


def _repeated(sample: pl.DataFrame, columns: list[Column], found: dict[str, Verdict]) -> dict[str, Verdict]:
    """Columns that hold nothing personal by themselves, but what the row's own columns hold: `Kunde: Ida Holm`."""
    out = dict(found)
    for column in columns:
        verdict = found[column.name]
        if verdict.types or verdict.scope == "spans" or column.type.kind != "text" or not column.rows:
            continue
        if (
            column.share(column.values.str.contains(r"\S\s+\S")) < 0.1
            or recognizer("PERSON").header_weight(column.words) < 0
        ):
            continue
        texts = {column.name: sample[column.name].cast(pl.String)}
        _, counts = row_words.mask(sample, texts, found)
        if held := counts.get(column.name):
            kinds = ", ".join(map(many, held))
            reason = f"some cells repeat what other columns of their row hold: {kinds}"
            options = {**verdict.options, "row": True}
            out[column.name] = Verdict(column.name, tuple(held), 0.7, reason, "redact", options, "cells")
    return out


def _born(column: Column) -> Verdict | None:
    """Dates that go back further and lie further apart than those of trade, beside people, are dates of birth."""
    r = recognizer("DATE_OF_BIRTH")
    if not _possible(column, r) or r.header_weight(column.words) < 0 or headers.business(column.words):
        return None
    evidence = Evidence(column, r)
    if evidence.alike < 0.95 or len(column.values) < _MANY:
        return None
    years = date_of_birth.years(column.values).drop_nulls()
    low, high = years.quantile(0.1, "nearest"), years.quantile(0.9, "nearest")
    if low is None or high is None or len(years) < 0.95 * len(column.values) or low > _OLD or high - low < _APART:
        return None
    apart = f"the years lie between {low:.0f} and {high:.0f}, and it stands beside other data of people"
    reason = f"{evidence.reason()}; {apart}"
    return Verdict(column.name, (r.type,), 0.7, reason, r.action, dict(r.options), "column")


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
