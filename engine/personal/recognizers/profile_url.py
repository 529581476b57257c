"""Addresses of a person's own page on a social network."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import tiers

PROFILE = (
    r"(?i)(?:https?://)?(?:[a-z]{2,3}\.)?(?:linkedin\.com/(?:in|pub)/|facebook\.com/(?:profile\.php\?id=)?|"
    r"(?:twitter|x|instagram|github|gitlab|tiktok|snapchat|pinterest|medium|threads)\.(?:com|net)/(?:add/)?@?|"
    r"xing\.com/profile/|youtube\.com/@|t\.me/|keybase\.io/|about\.me/)[\p{L}\p{N}_.%-]+"
)


def score(values: pl.Series) -> pl.Series:
    return tiers(values, (rf"^{PROFILE}/?(?:\?\S*)?$", 0.95), (PROFILE, 0.7), (r"^(?:https?://|www\.)\S+$", 0.05))


recognizer = Recognizer(
    "PROFILE_URL",
    rank=20,
    score=score,
    header=r"\b(?:linked ?in|facebook|twitter|instagram|github|xing|profile ?url|profil(?:url|link)|profile ?link)\b",
    not_header=r"\b(?:company|firma|brand|count|followers?)\b",
    span=PROFILE,
    sure=PROFILE,
)
