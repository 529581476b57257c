"""A second look at columns that only what stands beside them explains."""

import polars as pl

from core.models import Verdict
from engine.personal import headers, row_words
from engine.personal.evidence import MANY, Column, Evidence, mixed, possible, sigmoid, threshold
from engine.personal.kinds import many
from engine.personal.recognizer import recognizer
from engine.personal.recognizers import date_of_birth, phone

_OLD, _APART = 1970, 25  # a tenth of the dates of birth is older than this; they lie this many years apart


def beside(columns: list[Column], found: dict[str, Verdict]) -> dict[str, Verdict]:
    """What columns hold that only their neighbours explain, people among them."""
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
        if not possible(column, r) or r.header_weight(column.words) < 0:
            continue
        evidence = Evidence(column, r)
        plain = (
            type_ == "PHONE"
            and evidence.header >= 0
            and len(column.values) >= 2 * MANY
            and phone.danish(column.values) >= 0.98
        )
        surnames = type_ == "PERSON" and _surnames(evidence)
        enough = evidence.odds + 1.2 >= 0 and evidence.sure >= (0.3 if type_ == "PERSON" else 0.05)
        if column.prose or evidence.alike < 0.5 or not (enough or surnames or plain):
            continue
        reason = f"{evidence.reason()}; it stands beside other data of people"
        return Verdict(
            column.name, (type_,), round(sigmoid(evidence.odds + 1.2), 3), reason, r.action,
            {**r.options, **threshold(evidence)}, "cells" if mixed(evidence) else "column",
        )  # fmt: skip
    return None


def _surnames(evidence: Evidence) -> bool:
    """Whether most of many different single words are family names, and hardly one an everyday word or a place."""
    column = evidence.column
    known, other = column.share(evidence.scores >= 0.35), column.share(evidence.scores < 0.12)
    return len(column.values) >= MANY and known >= 0.5 and other <= 0.15 and evidence.header >= 0


def repeated(sample: pl.DataFrame, columns: list[Column], found: dict[str, Verdict]) -> dict[str, Verdict]:
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
    if not possible(column, r) or r.header_weight(column.words) < 0 or headers.business(column.words):
        return None
    evidence = Evidence(column, r)
    if evidence.alike < 0.95 or len(column.values) < MANY:
        return None
    years = date_of_birth.years(column.values).drop_nulls()
    low, high = years.quantile(0.1, "nearest"), years.quantile(0.9, "nearest")
    if low is None or high is None or len(years) < 0.95 * len(column.values) or low > _OLD or high - low < _APART:
        return None
    apart = f"the years lie between {low:.0f} and {high:.0f}, and it stands beside other data of people"
    reason = f"{evidence.reason()}; {apart}"
    return Verdict(column.name, (r.type,), 0.7, reason, r.action, dict(r.options), "column")
