"""Cleans sentences: everything personal in them is replaced by its kind, the rest stays."""

from collections import Counter

import polars as pl

from engine.chart import language, names, spans
from engine.chart.actions.redact import label
from engine.chart.recognizer import recognizer, recognizers

_DOUBT = 0.25  # a name that the lists hold for this likely is worth asking a language model about


def in_text(
    texts: pl.Series, weights: pl.Series | None = None, models: dict[str, str] | None = None
) -> tuple[pl.Series, dict[str, int]]:
    """The texts with everything personal in them replaced by labels, and how many texts held each kind."""
    patterns = [(r.type, r.span) for r in recognizers() if r.span and r.personal]
    weights = weights if weights is not None else pl.Series([1]).new_from_index(0, len(texts))
    masked, counts = texts.clone(), Counter[str]()  # polars scatters into the series itself
    for type_, pattern in patterns:
        at = masked.str.contains(pattern).fill_null(False).arg_true()
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
    """The texts with names replaced, null where there are none. Each different sentence is read once, by itself."""
    different = texts.unique(maintain_order=True).to_list()
    found = [names.find(text) for text in different]
    doubtful = [n for n, spans_ in enumerate(found) if any(_DOUBT <= s < spans.ENOUGH for _, _, s in spans_)]
    asked = language.entities([different[n] for n in doubtful], models)
    for n, entities in zip(doubtful, asked, strict=True):
        if entities:
            found[n] = names.find(different[n], entities)
    written = [_replaced_names(text, spans_) for text, spans_ in zip(different, found, strict=True)]
    pairs = pl.DataFrame({"t": different, "w": written}, schema={"t": pl.String, "w": pl.String})
    return pl.DataFrame({"t": texts}).join(pairs, on="t", how="left", maintain_order="left")["w"]


def _replaced_names(text: str, found: list[tuple[int, int, float]]) -> str | None:
    sure = [(start, end) for start, end, score in found if score >= spans.ENOUGH]
    for start, end in reversed(sure):
        text = f"{text[:start]}{label('PERSON')}{text[end:]}"
    return text if sure else None
