"""Danish registration and account numbers, told by the name of the column or the words before."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, digits, lengths, tiers

_SAID = (
    r"(?i)(?:konto\w*|account|bank|reg\.?(?:nr|nummer)?|overfør\w*|indsæt\w*|acct|sort code)\.?(?: ?(?:nr|no|number|nummer|ending|er|is|til|to|på|og konto))*"
    r"[\s.:#(/]{0,4}$"
)
_AFTER = r"(?i)^\W{0,3}(?:i |in |hos )?\w*(?:bank|sparekasse)"
SPAN = r"\b\d{4}[ .-]{0,3}(?:/|-| |konto(?:nr|nummer)?\.?:?|account:?)?[ .-]{0,3}\d{6,10}\b|\b\d{2}-\d{2}-\d{2}[ /]+\d{8}\b|\b\d{6,12}\b"


def score(values: pl.Series) -> pl.Series:
    length = lengths(digits(values))
    shaped = tiers(
        values,
        (r"^\d{4}[ -]?/[ -]?\d{6,10}$", 0.4),
        (r"^\d{4}[ .-]\d{10}$|^\d{4}[ .-]\d{6,9}$|^\d{14}$", 0.3),
        (r"^(?:\d[ .-]?){6,17}$", 0.12),
        (r"^[A-Z]{2}\d{2}[A-Z0-9 ]{10,30}$", 0.3),
    )
    return choose((length >= 6) & (length <= 30), shaped, 0.0)


def judge(before: pl.Series, value: pl.Series, after: pl.Series) -> pl.Series:
    said = before.str.contains(_SAID).fill_null(False) | after.str.contains(_AFTER).fill_null(False)
    return choose(
        said, 0.85, choose(value.str.contains(r"^\d{4} ?/ ?\d{7,10}$|konto|account").fill_null(False), 0.7, 0.0)
    )


recognizer = Recognizer(
    "BANK_ACCOUNT",
    rank=45,
    score=score,
    header=r"\b(?:konto ?(?:nr|nummer|no)|bank ?konto\w*|bank ?account\w*|account ?(?:no|nr|number|num)|acct ?(?:no|number)|"
    r"lønkonto|nemkonto|bban)\b|kontonummer|kontonr",
    weak_header=r"konto\b|\b(?:bank|account|acct|modpart|counterparty)\b",
    not_header=r"\b(?:navn|name|type|plan|gl|ledger|finans|saldo|balance|tekst|reg)\b",
    span=SPAN,
    judge=judge,
)
