"""MAC addresses of network cards."""

import polars as pl

from engine.personal.recognizer import Recognizer
from engine.personal.shape import tiers

MAC = r"\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b|\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\b"


def score(values: pl.Series) -> pl.Series:
    return tiers(values, (rf"^(?:{MAC})$", 0.95), (r"^[0-9A-Fa-f]{12}$", 0.1))


recognizer = Recognizer(
    "MAC", rank=60, score=score, header=r"\b(?:mac|mac ?addr\w*|mac ?adresse|bssid)\b", span=MAC, sure=MAC
)
