"""Passport numbers: nine letters and digits mean nothing alone, so the name of the column or the words before decide."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, tiers

_SAID = r"(?i)\b(?:pas|passport|pass|pasnummer|pasnr|rejsepas)\.?\W{0,3}(?:nummer|number|nr|no|num)?\W{0,3}(?:er|is)?\W{0,3}$"


def score(values: pl.Series) -> pl.Series:
    return tiers(values, (r"^\d{9}$|^[A-Z]{1,2} ?\d{6,8}$", 0.15), (r"^[A-Z0-9]{7,10}$", 0.08))


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    digit = value.str.contains(r"\d").fill_null(False)
    return choose(before.str.contains(_SAID).fill_null(False) & digit, 0.9, 0.0)


recognizer = Recognizer(
    "PASSPORT",
    rank=90,
    score=score,
    header=r"passport|\bpas ?(?:nr|nummer|no)\b|\bpas\b|\brejsepas\b",
    not_header=r"\b(?:country|land|expir\w*|udløb\w*|issue\w*|type)\b",
    span=r"\b[A-Z]{0,2} ?\d{6,9}\b|\b[A-Z0-9]{8,10}\b",
    judge=judge,
)
