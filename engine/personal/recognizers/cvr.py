"""Danish company numbers (CVR): found, so that they are not taken for phone numbers, and not personal."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, digits, tiers, weighted_sum


def modulus_11(values: pl.Series) -> pl.Series:
    return pl.Series(weighted_sum(digits(values), (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0)


def score(values: pl.Series) -> pl.Series:
    shaped = tiers(values, (r"^DK[ -]?[1-9]\d{7}$", 0.8), (r"^[1-9]\d{7}$", 0.3), (r"^[1-9]\d(?: \d\d){3}$", 0.2))
    return choose(modulus_11(values) & (shaped > 0), shaped + (1 - shaped) * 0.5, shaped * 0.3)


recognizer = Recognizer(
    "CVR",
    rank=900,
    score=score,
    header=r"cvr|\b(?:vat|se ?nr|momsnr|tax ?id|org ?nr|company ?(?:no|number|reg\w*))\b",
    personal=False,
    action="keep",
    checksum=("modulus 11", 1 / 11, modulus_11),
)
