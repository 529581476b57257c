"""E-mail addresses, with letters of any language before the @."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import nfc, tiers

ADDRESS = (
    r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}._%+'’&=~!#$*/?^`{|}-]*[\p{L}\p{M}\p{N}_+$~-])?(?:@|%40)"
    r"[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?(?:\.[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?)+"
)


def score(values: pl.Series) -> pl.Series:
    return tiers(values, (rf"^(?:mailto:)?{ADDRESS}$", 0.98), (ADDRESS, 0.9), (r"^\S+@\S+$", 0.6))


def canonical(values: pl.Series) -> pl.Series:
    return nfc(values).str.strip_chars().str.to_lowercase()


def found(_before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    return pl.Series([0.98]).new_from_index(0, len(value))


recognizer = Recognizer(
    "EMAIL",
    rank=10,
    score=score,
    header=r"\b(?:e?mails?|epost|e ?mailadresse|mailadr\w*|emailaddress)\b|mail$",
    not_header=r"\b(?:verified|status|sent|subject|template|opt|count|bekræftet|samtykke|consent)\b",
    span=ADDRESS,
    sure=ADDRESS,
    judge=found,
    family="email",
    canonical=canonical,
)
