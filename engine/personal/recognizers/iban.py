"""International bank account numbers, in groups or not; the check digits tell them from other codes."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, mod97

_LENGTHS = {  # how many letters and digits follow the country and its two check digits
    11: "NO", 12: "BE", 14: "DK FI FO GL NL SD", 15: "MK SI", 16: "AT BA EE KZ LT LU XK MN", 17: "CH HR LI LV",
    18: "BG BH CR DE GB GE IE ME RS VA", 19: "AE GI IL IQ OM TL", 20: "AD CZ ES MD PK RO SA SE SK TN VG", 21: "LY PT ST",
    22: "IS TR", 23: "BI DJ FR GR IT MC MR SM", 24: "AL AZ BY CY DO GT HU LB NI PL", 25: "BR EG PS QA UA", 26: "JO KW MU YE",
    27: "MT SC", 28: "LC", 29: "RU",
}  # fmt: skip
_EXACT = "|".join(
    rf"(?i:{'|'.join(countries.split())})\d{{2}}(?:[ -]?[A-Za-z0-9]){{{length}}}"
    for length, countries in _LENGTHS.items()
)
IBAN = rf"\b(?:{_EXACT})\b|\b[A-Z]{{2}}\d{{2}}[A-Z0-9]{{11,30}}\b"


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
