"""National identity numbers of Sweden, Norway, Finland, Iceland, Germany, the United Kingdom and the United States."""

from collections.abc import Callable
from typing import Any

import polars as pl
from stdnum.de import idnr
from stdnum.fi import hetu
from stdnum.gb import nhs
from stdnum.no import fodselsnummer
from stdnum.se import personnummer

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, digits, luhn, tiers, weighted_sum

_MONTH_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])"
_SE = rf"(?:19|20)?\d{{2}}{_MONTH_DAY}[-+]\d{{4}}"
_NO = r"(?:[04][1-9]|[1256]\d|[37][01])(?:[048][1-9]|[159][0-2])\d{2} ?\d{5}"
_FI = r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}[-+A-FYXWVU]\d{3}[0-9A-Y]"
_SSN = r"(?:00[1-9]|0[1-9]\d|[1-8]\d\d)-\d{2}-\d{4}"
_NINO = r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"
_NHS = r"\d{3} \d{3} \d{4}"
_TIN = r"\d{2} ?\d{3} ?\d{3} ?\d{3}"
SURE = rf"\b(?:{_SE}|{_FI}|{_SSN}|{_NINO})\b"
SPAN = rf"\b(?:{_SE}|{_FI}|{_SSN}|{_NINO}|{_NHS}|{_NO}|{_TIN})\b"


def _luhn_holds(values: pl.Series) -> pl.Series:
    return luhn(digits(values).str.tail(10))


def _nhs_holds(values: pl.Series) -> pl.Series:
    return pl.Series(weighted_sum(digits(values), range(10, 0, -1)) % 11 == 0)


def _hetu_holds(values: pl.Series) -> pl.Series:
    nine = digits(values).str.extract(r"^(\d{9})").cast(pl.Int64)
    right = _HETU.gather(nine % 31)
    return (values.str.tail(1).str.to_uppercase() == right).fill_null(True)  # figures of other scripts: let stdnum look


_HETU = pl.Series(list("0123456789ABCDEFHJKLMNPRSTUVWXY"))
_CHECKS: tuple[tuple[str, Any, Callable[[pl.Series], pl.Series] | None], ...] = (
    (r"^\d{6}(?:\d\d)? ?[-+]? ?\d{4}$", personnummer, _luhn_holds),
    (r"^\d{6} ?[-+A-FU-Y] ?\d{3}\w$", hetu, _hetu_holds),
    (r"^(?:\d[ -]*){10}$", nhs, _nhs_holds),
    (r"^(?:\d[ -]*){11}$", fodselsnummer, None),
    (r"^(?:\d[ ./,-]*){11}$", idnr, None),
)
_SAID = (
    r"(?i)(?:ssn|social security|personnum|personn|f[øo]dselsn|hetu|henkil|nino|national insurance|\bni\b|nhs|steuer|"
    r"kennitala|id[- ]?nummer|national id|tax id)[\w-]*(?: (?:number|no|nummer|nr))?\W{0,4}(?:is|er|är)?\W{0,3}$"
)


def checked(values: pl.Series) -> pl.Series:
    """Whether the check digits of any of these countries hold.

    python-stdnum knows each, value by value; of the forms that numbers of other kinds have, too, only those values are
    shown to it whose sum is right.
    """
    valid = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(values))
    for form, check, sum_is_right in _CHECKS:
        at = (values.str.contains(form) & ~valid).fill_null(False).arg_true()
        if sum_is_right is not None:
            at = at.filter(sum_is_right(values.gather(at)))
        held = [check.is_valid(value) for value in values.gather(at)]
        valid = valid.scatter(at, pl.Series(held, dtype=pl.Boolean))
    return valid


def score(values: pl.Series) -> pl.Series:
    shaped = tiers(
        values,
        (rf"^{_NINO}$", 0.9),
        (rf"^{_SSN}$", 0.85),
        (rf"^{_FI}$", 0.7),
        (rf"^{_SE}$", 0.55),
        (rf"^{_NHS}$", 0.25),
        (rf"^(?:{_NO}|{_TIN})$", 0.15),
        (r"^[A-Z0-9][A-Z0-9 -]{6,16}[A-Z0-9]$", 0.1),
    )
    strong = (shaped > 0.12) & (shaped < 0.8)
    if not strong.any():
        return shaped
    held = strong.clone().scatter(strong.arg_true(), checked(values.filter(strong)))  # a check of all would take longer
    return choose(held, shaped + (1 - shaped) * 0.6, shaped)


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    said = before.str.contains(_SAID).fill_null(False)
    plain = score(value)
    spaced = value.str.contains(r"\D").fill_null(False)
    return choose(said, plain + 0.6, choose(spaced, plain, plain * 0.7))


recognizer = Recognizer(
    "NATIONAL_ID",
    rank=55,
    score=score,
    header=r"\b(?:ssn|social ?security\w*|national ?id\w*|nin|nino|ni ?number|nhs ?(?:no|number|nr)|hetu|f[øo]e?dselsnummer|"
    r"personal ?id\w*|tax ?id|steuer ?id\w*|identity ?(?:no|number)|kennitala|bsn|pesel)\b",
    weak_header=r"\b(?:id ?(?:nr|nummer|number|no)|personn(?:r|ummer))\b",
    not_header=r"\b(?:order|ordre|product|vare|company|tracking)\b",
    span=SPAN,
    sure=SURE,
    judge=judge,
    checksum=("a check digit", 0.1, checked),
)
