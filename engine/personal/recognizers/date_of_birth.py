"""Dates of birth: a date under a name that says so, or after words that say so."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, tiers

_MONTHS = r"(?:jan|feb|mar|apr|ma[yj]|jun|jul|aug|sep|o[ck]t|nov|dec)(?:uary|ruary|ch|il|e|y|ust|tember|ober|ember|uar|ruar|ts|i)?\.?"
DATE = (
    r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./ ]{1,2}\d{1,2}[-./ ]{1,2}(?:\d{4}|\d{2})|"
    rf"(?i:\d{{1,2}}(?:\.|st|nd|rd|th)? (?:of )?{_MONTHS},? \d{{4}}|{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}))"
)
_DAY, _MONTH = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"
_SAID = (
    r"(?i)(?:\bf(?:ødt)?\.?|\bfødt|\bborn|\bdob|\bd\.o\.b\.?|\bfødselsd(?:ag|ato)(?:en)?|\bbirth(?:day|date)?|date of birth|\bgeboren|\bfødselsår)(?: (?:in|i) \p{Lu}\p{L}+)?"
    r"(?: (?:is|er|den|d\.|on|the|in|i))*[\s:.(]{0,3}$"
)


def score(values: pl.Series) -> pl.Series:
    return tiers(
        values,
        (rf"^{DATE}(?:[T ]0{{1,2}}:00.*)?$", 0.15),
        (rf"^{DATE}[T ].*$", 0.06),
        (rf"^(?:19|20)\d\d{_MONTH}{_DAY}$|^{_DAY}{_MONTH}(?:19|20)?\d\d$", 0.12),
        (r"^(?:19|20)\d\d$", 0.06),
    )


def years(values: pl.Series) -> pl.Series:
    """The year of each date; of two digits, the one that lies in the past."""
    day, month = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
    first = values.str.extract(rf"^((?:19|20)\d\d)[-./ ]?{month}[-./ ]?{day}(?:\D|$)")
    last = values.str.extract(rf"^{day}[-./ ]?{month}[-./ ]?((?:19|20)\d\d)(?:\D|$)")
    short = values.str.extract(rf"^{day}[-./ ]?{month}[-./ ]?(\d\d)$")
    frame = pl.DataFrame({"l": first, "r": last, "s": short}).with_columns(pl.all().cast(pl.Int64))
    century = pl.when(pl.col("s") > 26).then(1900).otherwise(2000)
    return frame.select(pl.coalesce("l", "r", pl.col("s") + century)).to_series()


def judge(before: pl.Series, _value: pl.Series, _after: pl.Series) -> pl.Series:
    return choose(before.str.contains(_SAID).fill_null(False), 0.9, 0.0)


recognizer = Recognizer(
    "DATE_OF_BIRTH",
    rank=75,
    score=score,
    header=r"birth|\bdob\b|\bborn\b|f[øo]e?dsel|\bf[øo]e?dt\b|\bf(?:dato|ødato)\b|\bfd\b|geburt|\bfoedt\b|\bbday\b",
    not_header=r"\b(?:place|sted|country|land|city|by|name|navn|vægt|weight|nr|nummer|number)\b",
    span=rf"\b{DATE}\b",
    judge=judge,
    action="generalize",
    options={"to": "year"},
)
