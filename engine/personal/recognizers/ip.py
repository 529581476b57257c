"""IP addresses; a version number of four small parts looks the same, and is told by its size, name and words."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import choose, tiers

_PART = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
V4 = rf"{_PART}(?:\.{_PART}){{3}}"
V6 = (
    r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}"
    r"|(?:[0-9A-Fa-f]{1,4}:){2,7}:|::(?:[0-9A-Fa-f]{1,4}:){1,6}[0-9A-Fa-f]{1,4}"
)
_SMALL = r"^\d{1,2}(?:\.\d{1,2}){3}$"
_VERSION = r"(?i)(?:\bv|version|firmware|fw|release|build|driver|patch|update|opdatering|upgrade\w*|kapitel|section|afsnit)\W{0,3}(?:nr|no|to|til)?\W{0,3}$"


def score(values: pl.Series) -> pl.Series:
    return tiers(
        values,
        (rf"^(?:{V6})(?:/\d{{1,3}}|%\w+)?$", 0.95),
        (_SMALL, 0.3),
        (rf"^{V4}(?::\d{{2,5}}|/\d{{1,2}})?$", 0.85),
    )


def judge(before: pl.Series, value: pl.Series, after: pl.Series) -> pl.Series:
    plain = score(value)
    version = before.str.contains(_VERSION).fill_null(False)
    inside = before.str.contains(r"[\d.]$").fill_null(False) | after.str.contains(r"^\.?\d").fill_null(False)
    said = before.str.contains(
        r"(?i)\b(?:ip\w*|fra|from|host|server|address|adresse[n]?|login|logged in)\W{0,3}(?:adresse|address)?\W{0,3}$"
    ).fill_null(False)
    return choose(version | inside, 0.0, choose(said, plain + 0.5, plain))


recognizer = Recognizer(
    "IP",
    rank=70,
    score=score,
    header=r"\bip\b|\bip(?:addr\w*|adresse|v)|\b(?:remote|client|source|src|dst) ?addr\w*\b",
    weak_header=r"\b(?:addr|address|adresse|host|client|klient|source)\b",
    not_header=r"\b(?:version|fw|firmware|ver|release|build|software|sw|driver)\b",
    span=rf"\b{V4}\b|{V6}",
    sure=rf"\b{V4}\b|{V6}",
    judge=judge,
)
