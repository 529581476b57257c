"""Number plates of vehicles, Danish in any grouping; ungrouped they look like an article number."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, tiers

_SAID = (
    r"(?i)(?:reg\.?(?:istrerings)? ?(?:nr|nummer|no|number)?|nummerplade\w*|licen[cs]e plate|number ?plate|plate|\bbil\w*|"
    r"køretøj\w*|vehicle|\bcar|\bvan|varevogn\w*|trailer|\bmc|registration)\.?(?: (?:nr|no|number|with|med))?\.?[\s:(\x22'“]{0,3}"
    r"(?:is|er|på|with|med)?\s?$"
)
PLATE = r"\b[A-ZÆØÅ]{2} ?\d{2} ?\d{3}\b"


def score(values: pl.Series) -> pl.Series:
    return tiers(
        values,
        (r"^[A-ZÆØÅ]{2} \d{2} \d{3}$", 0.7),
        (r"^[A-ZÆØÅ]{2}[ -]\d{5}$", 0.4),
        (r"^[A-Z]{2}\d{2} [A-Z]{3}$", 0.5),
        (r"^[A-ZÆØÅ]{2}\d{5}$", 0.25),
        (r"^[A-ZÄÖÜÅ0-9][A-ZÄÖÜÅ0-9 -]{3,9}$", 0.08),
    )


def judge(before: pl.Series, value: pl.Series, _after: pl.Series) -> pl.Series:
    plain = score(value)
    return choose(before.str.contains(_SAID).fill_null(False), plain + 0.6, plain)


recognizer = Recognizer(
    "LICENSE_PLATE",
    rank=85,
    score=score,
    header=r"nummerplade|licen[cs]e ?plate|number ?plate|\b(?:plate|plade|reg ?plate|vehicle ?reg\w*|registration ?(?:no|number))\b|"
    r"\bindregistrering|\bbil ?reg|registreringsn",
    weak_header=r"\b(?:bil|car|vehicle|køretøj|koeretoej|reg|reg ?(?:nr|no|nummer))\b",
    not_header=r"\b(?:model|make|brand|mærke|color|farve|type)\b",
    span=rf"{PLATE}|\b[A-Z]{{2}}\d{{2}} [A-Z]{{3}}\b",
    sure=r"\b[A-ZÆØÅ]{2} \d{2} \d{3}\b",
    judge=judge,
)
