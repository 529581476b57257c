"""Full payment card numbers: issuer, length and Luhn's check; truncated ones are not personal."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, digits, luhn, tiers

CARD = (
    r"\b(?:(?:4\d{3}|5[0-8]\d{2}|2[2-7]\d{2}|6\d{3}|35\d{2})(?:[ -]?\d{4}){3}(?:[ -]?\d{3})?"
    r"|3[47]\d{2}[ -]?\d{6}[ -]?\d{5}|3[068]\d{2}[ -]?\d{6}[ -]?\d{4}|4\d{12})\b"
)


def score(values: pl.Series) -> pl.Series:
    shaped = tiers(values, (rf"^{CARD}$", 1.0), (rf"^\D{{0,20}}{CARD}\D{{0,20}}$", 0.8))
    apart = values.str.contains(r"\d[ -]\d").fill_null(False)
    right = luhn(digits(values))
    return choose(right, choose(apart, 0.97, 0.85), choose(apart, 0.4, 0.1)) * shaped


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    named = before.str.contains(r"(?i)\b(?:kort\w*|card|visa|master ?card|amex|dankort)\b[^\d]{0,15}$").fill_null(False)
    return choose(named, score(value) + 0.6, score(value))


recognizer = Recognizer(
    "CREDIT_CARD",
    rank=40,
    score=score,
    header=r"\b(?:credit ?card|card ?(?:no|nr|number|num)|kort ?(?:nr|nummer)|kreditkort|betalingskort|dankort|pan)\b",
    weak_header=r"\b(?:card|kort)\b",
    span=CARD,
    sure=CARD,
    judge=judge,
    canonical=digits,
    checksum=("Luhn's check", 0.1, lambda values: luhn(digits(values))),
)
