"""Decides what each column holds, from a sample of its values, its name, its type and its neighbours."""

from functools import partial

import polars as pl

from core import threads
from core.models import ColumnType, Verdict
from core.pipeline import ColumnPolicy
from engine.personal import headers, names, neighbours
from engine.personal.evidence import Column, Evidence, mixed, possible, threshold
from engine.personal.kinds import many
from engine.personal.recognizer import Recognizer, recognizer, recognizers
from engine.personal.text import in_text

UNMISTAKABLE = ("EMAIL", "IBAN", "CPR", "PROFILE_URL")  # no code of trade looks like these: never left alone
_READ = 400  # different values that are read like sentences before a column of short texts is judged
_AT_ONCE = 64  # columns scored together: a table may have thousands


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
    found = neighbours.beside(columns, found)
    found = neighbours.repeated(sample, columns, found)
    return {c.name: _decided(c, found[c.name], decided.get(c.name), c.name in keyed) for c in columns}


def _score(columns: list[Column], recognizer_: Recognizer) -> None:
    """What the values of many columns look like to one recognizer: its patterns are compiled once for all of them."""
    asked = [column for column in columns if column.rows and possible(column, recognizer_)]
    if not asked:
        return
    scores, at = recognizer_.score(pl.concat([column.values for column in asked])), 0
    for column in asked:
        column.scores[recognizer_.type] = scores.slice(at, len(column.values))
        at += len(column.values)


def _found(column: Column) -> Verdict:
    if not column.rows:
        return _empty(column)
    evidence = [Evidence(column, r) for r in recognizers() if possible(column, r)]
    best = max(evidence, key=lambda e: (e.odds, -e.recognizer.rank), default=None)
    if column.nested:
        return _prose(column)
    if column.prose and (best is None or best.sure < 0.5 or best.recognizer.type in ("PERSON", "USERNAME", "ADDRESS")):
        return _prose(column)
    if best is None or best.odds < 0 or best.alike < 0.03:
        return _short(column) or _nothing(column, evidence)
    type_ = best.recognizer
    others = _others(column, best) if mixed(best) and type_.personal else []
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
        {**type_.options, **threshold(best)},
        "cells" if mixed(best) else "column",
    )


def _others(column: Column, best: Evidence) -> list[Evidence]:
    """The kinds that explain all cells which the best one leaves, `mail or phone`; none if some cells stay."""
    found, rest = [best], column
    while len(found) < 4:
        rest = rest.only(found[-1].scores < _least(found[-1]))
        if rest.rows < 0.03 * column.rows or len(rest.values) < 3:
            return found[1:]
        seen = [e.recognizer for e in found]
        left = [Evidence(rest, r) for r in recognizers() if r not in seen and r.personal and possible(rest, r)]
        second = max(left, key=lambda e: (e.odds, -e.recognizer.rank), default=None)
        if second is None or second.odds < 0 or second.alike < 0.3:
            return []
        found.append(second)
    return []


def _least(best: Evidence) -> float:
    """The score from which a cell counts as of this kind."""
    return threshold(best).get("threshold", 0.05)


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
    if column.share(words >= 2) < 0.1:
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
