"""Driving licence numbers, told by the name of the column or the words before."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, tiers

_SAID = r"(?i)(?:kørekort\w*|driv(?:er'?s?|ing)'? licen[cs]e|licen[cs]e)\.?\W{0,3}(?:nummer|number|nr|no|id)?\W{0,3}(?:er|is)?\W{0,3}$"


def score(values: pl.Series) -> pl.Series:
    return tiers(values, (r"^\d{8}$|^[A-Z9]{5}\d{6}[A-Z0-9]{5}$", 0.2), (r"^[A-Z0-9][A-Z0-9 -]{5,18}$", 0.12))


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    digit = value.str.contains(r"\d.*\d.*\d").fill_null(False)
    return choose(before.str.contains(_SAID).fill_null(False) & digit, 0.9, 0.0)


recognizer = Recognizer(
    "DRIVER_LICENSE",
    rank=95,
    score=score,
    header=r"kørekort|koerekort|korekort|driv\w* ?licen[cs]e|licen[cs]e ?(?:no|nr|number)|\bdln?\b",
    weak_header=r"\blicen[cs]e\b",
    not_header=r"plate|\b(?:type|category|kategori|class|software|expir\w*|key|dato|date)\b",
    span=r"\b[A-Z0-9]{2,9}(?:[ -]?[A-Z0-9]{2,8}){0,2}\b",
    judge=judge,
)
