"""National identity numbers of Sweden, Norway, Finland, Iceland, Germany, the United Kingdom and the United States."""

import polars as pl
from stdnum.de import idnr
from stdnum.fi import hetu
from stdnum.gb import nhs
from stdnum.no import fodselsnummer
from stdnum.se import personnummer

from engine.chart.recognizer import Recognizer
from engine.chart.shape import choose, tiers

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
_CHECKS = (personnummer, hetu, nhs, fodselsnummer, idnr)
_SAID = (
    r"(?i)(?:ssn|social security|personnum|personn|f[øo]dselsn|hetu|henkil|nino|national insurance|\bni\b|nhs|steuer|"
    r"kennitala|id[- ]?nummer|national id|tax id)[\w-]*(?: (?:number|no|nummer|nr))?\W{0,4}(?:is|er|är)?\W{0,3}$"
)


def checked(values: pl.Series) -> pl.Series:
    """Whether the check digits of any of these countries hold; python-stdnum knows each, for each different value."""
    return pl.Series([any(check.is_valid(value) for check in _CHECKS) for value in values], dtype=pl.Boolean)


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
    return choose(strong & checked(values), shaped + (1 - shaped) * 0.6, shaped)


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
