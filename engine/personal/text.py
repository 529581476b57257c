"""Cleans sentences: everything personal in them is replaced by its kind, the rest stays."""

import re
from collections import Counter
from itertools import pairwise

import polars as pl

from engine.personal import language, names, spans
from engine.personal.actions.redact import label
from engine.personal.recognizer import recognizer, recognizers

_SENTENCE = re.compile(r"(?<=[^\W\d_]{3}[.!?])\s+")  # `Dr. Holm` goes on
_DOUBT = 0.25  # a name that the lists hold for this likely is worth asking a language model about


def in_text(
    texts: pl.Series, weights: pl.Series | None = None, models: dict[str, str] | None = None
) -> tuple[pl.Series, dict[str, int]]:
    """The texts with everything personal in them replaced by labels, and how many texts held each kind."""
    patterns = [(r.type, r.span, r.needs) for r in recognizers() if r.span and r.personal]
    weights = weights if weights is not None else pl.Series([1]).new_from_index(0, len(texts))
    masked, counts = texts.clone(), Counter[str]()  # polars scatters into the series itself
    for type_, pattern, needs in patterns:
        at = spans.where(masked, pattern, needs)
        if at.is_empty():
            continue
        before = masked.gather(at)
        after, hit = spans.replace(before.clone(), pattern, recognizer(type_).judge, label(type_))
        if hit:
            counts[type_] += int(weights.gather(at).filter(before != after).sum())
            masked = masked.scatter(at, after)
    at = masked.str.contains(r"\p{L}").fill_null(False).arg_true()
    without = _without_names(masked.gather(at), models if models is not None else language.MODELS)
    changed = without.is_not_null()
    if changed.any():
        where = at.filter(changed)
        counts["PERSON"] += int(weights.gather(where).sum())
        masked = masked.scatter(where, without.drop_nulls())
    return masked, dict(counts)


def _without_names(texts: pl.Series, models: dict[str, str]) -> pl.Series:
    """The texts with names replaced, null where there are none.

    Texts that differ in their digits only are read once, each by itself: no name depends on which digits stand by it.
    """
    alike = texts.str.replace_all("[0-9]", "0")
    different = alike.unique(maintain_order=True)
    read = different.to_list()
    found = [names.find(text) for text in read]
    doubts = [(n, begin, end) for n, spans_ in enumerate(found) for begin, end in _doubtful(read[n], spans_)]
    asked = language.entities([read[n][begin:end] for n, begin, end in doubts], [read[n] for n, _, _ in doubts], models)
    told: dict[int, list[tuple[int, int, str]]] = {}
    for (n, begin, _), entities in zip(doubts, asked, strict=True):
        told.setdefault(n, []).extend((begin + start, begin + stop, kind) for start, stop, kind in entities)
    for n, entities_ in told.items():
        if entities_:
            found[n] = names.find(read[n], entities_)
    sure = [n for n, spans_ in enumerate(found) if any(s >= spans.ENOUGH for _, _, s in spans_)]
    known = pl.DataFrame({"alike": different.gather(sure), "n": sure}, schema={"alike": pl.String, "n": pl.Int64})
    named = pl.DataFrame({"alike": alike}).with_row_index("at").join(known, on="alike")
    written = [_replaced_names(text, found[n]) for text, n in zip(texts.gather(named["at"]), named["n"], strict=True)]
    without = pl.Series(texts.name, [None], dtype=pl.String).new_from_index(0, len(texts))
    return without.scatter(named["at"], pl.Series(written, dtype=pl.String))


def _doubtful(text: str, found: list[tuple[int, int, float]]) -> list[tuple[int, int]]:
    """The sentences in which a name is in doubt: a model looks but a few words to each side, and takes its time."""
    doubts = [(start, end) for start, end, score in found if _DOUBT <= score < spans.ENOUGH]
    if not doubts:
        return []
    cuts = [0, *(m.end() for m in _SENTENCE.finditer(text)), len(text)]
    return [(a, b) for a, b in pairwise(cuts) if any(start < b and end > a for start, end in doubts)]


def _replaced_names(text: str, found: list[tuple[int, int, float]]) -> str:
    for start, end, score in reversed(found):
        if score >= spans.ENOUGH:
            text = f"{text[:start]}{label('PERSON')}{text[end:]}"
    return text
