"""International bank account numbers, in groups or not; the check digits tell them from other codes."""

import polars as pl

from engine.chart.recognizer import Recognizer
from engine.chart.shape import choose, mod97

IBAN = r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?\b"


def bare(values: pl.Series) -> pl.Series:
    return values.str.replace_all(r"[\s.-]", "").str.to_uppercase()


def score(values: pl.Series) -> pl.Series:
    text = bare(values)
    shaped = text.str.contains(r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$").fill_null(False)
    right = mod97(choose_text(shaped, text))
    return choose(shaped & right, 0.97, choose(shaped, 0.25, 0.0))


def choose_text(condition: pl.Series, text: pl.Series) -> pl.Series:
    return pl.DataFrame({"c": condition, "t": text}).select(pl.when("c").then("t").otherwise(pl.lit(""))).to_series()


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    named = before.str.contains(r"(?i)\biban\W*(?:nr|no|number|nummer|er|is)?\W*$").fill_null(False)
    return choose(named, score(value) + 0.5, score(value))


recognizer = Recognizer(
    "IBAN",
    rank=30,
    score=score,
    header=r"\biban\b|iban$",
    weak_header=r"\b(?:konto|account|bank)",
    span=IBAN,
    sure=IBAN,
    judge=judge,
    canonical=bare,
    checksum=("the check digits", 1 / 97, lambda values: mod97(bare(values))),
)
