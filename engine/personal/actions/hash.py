"""Put a keyed hash in place of each cell: equal values stay equal, in every dataset under the same key."""

from typing import Any

import polars as pl

from engine.personal import hashing
from engine.personal.recognizer import recognizer
from engine.personal.shape import nfc


def mask(cells: pl.Series, type_: str | None, options: dict[str, Any], key: bytes) -> pl.Series:  # noqa: ARG001
    return hashing.hashed(*canonical(cells, type_), key)


def canonical(cells: pl.Series, type_: str | None) -> tuple[pl.Series, str]:
    """What is the same however it is written, and the family in which it is."""
    kind = recognizer(type_) if type_ else None
    if kind is not None and kind.canonical is not None:
        return kind.canonical(cells), kind.family
    return text(cells), "text"


def text(cells: pl.Series) -> pl.Series:
    """The canonical text of what has no form of its own."""
    return nfc(cells).str.strip_chars()
