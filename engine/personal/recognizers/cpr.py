"""Danish CPR numbers: a date and four digits; modulus 11 is evidence only, as numbers since 2007 may fail it."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, digits, tiers, weighted_sum

_DATE = r"(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])(?:0[1-9]|1[0-2])\d{2}"
CPR = rf"\b{_DATE}(?:[-–]|[ ]?[-–][ ]?|[ ]|[./])?\d{{4}}\b"
SURE = rf"\b{_DATE}[-–]\d{{4}}\b"
_NOT = (
    r"(?i)(?:ordre|order|faktura|invoice|sags?|case|ref(?:erence)?|kunde|varer?|ticket|bilag|track\w*|ean|gln|serie\w*|"
    r"serial|batch|lot|booking|police)[\w-]*\W{0,3}(?:nr|no|number|nummer|id)?\W{0,4}$"
)
_SAID = r"(?i)(?:cpr|personn|person ?id|civilreg|borger|patient|ssn)[^\d]{0,30}$"


def ten(values: pl.Series) -> pl.Series:
    """The ten digits; a zero in front that a spreadsheet ate is put back."""
    done = values.str.replace("-", "", literal=True)
    other = (~values.str.contains(r"^[0-9]{6}-?[0-9]{4}$")).arg_true()
    if other.is_empty():
        return done
    found = digits(values.gather(other))
    return done.scatter(other, ("0" + found).zip_with(found.str.len_chars() == 9, found))


def modulus_11(values: pl.Series) -> pl.Series:
    return pl.Series(weighted_sum(ten(values), (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0)


def score(values: pl.Series) -> pl.Series:
    bare = values.str.replace(r"(?i)^(?:dk|cpr)?\W*", "")
    shaped = tiers(
        bare,
        (rf"^{_DATE}[-–]\d{{4}}$", 0.9),
        (rf"^{_DATE} ?[-–] ?\d{{4}}$|^{_DATE}[ ./]\d{{4}}$", 0.8),
        (rf"^{_DATE}\d{{4}}$", 0.5),
        (r"^[1-9](?:0[1-9]|1[0-2])\d{6}$", 0.1),
    )
    return choose(modulus_11(bare) & (shaped > 0), shaped + (1 - shaped) * 0.5, shaped)


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    plain = score(value)
    said = before.str.contains(_SAID).fill_null(False)
    other = before.str.contains(_NOT).fill_null(False)
    inside = before.str.contains(r"[\d][-./]$").fill_null(False)
    return choose(inside, 0.0, choose(said, plain + 0.5, choose(other, plain - 0.45, plain)))


recognizer = Recognizer(
    "CPR",
    rank=50,
    score=score,
    header=r"cpr|\bpnr\b|\bpersonn(?:r|ummer)\b|\bperson (?:nr|nummer)\b|\bcivilreg",
    weak_header=r"\b(?:ssn|nin|national ?id|person ?id|identifikation|borger)\b",
    not_header=r"\b(?:ordre|order|faktura|invoice|tracking)",
    span=CPR,
    sure=SURE,
    judge=judge,
    family="cpr",
    canonical=ten,
    checksum=("modulus 11", 1 / 11, modulus_11),
    frame=(r"^\d{6}[-– ]?\d{4}$", 0.07),
)
