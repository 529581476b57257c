"""Keyed hashes: equal values are equal texts wherever they stand. Layout: docs/reference/masking.md."""

import hashlib
import hmac

import numpy as np
import polars as pl
import polars_hash as plh
import pyarrow as pa
from numpy.typing import NDArray

_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_CHARACTERS, _PREFIX = 26, "h_"
_NIBBLE = np.zeros(256, dtype=np.uint8)
_NIBBLE[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)


def fingerprint(key: bytes) -> str:
    """Tells one key from another and nothing about it."""
    return hmac.new(key, b"atlas masking key", hashlib.sha256).hexdigest()[:16]


def hashed(canonical: pl.Series, family: str, key: bytes) -> pl.Series:
    """`h_` and 130 bits of the HMAC-SHA256 of family, a zero byte and the canonical text. Null stays null."""
    if canonical.dtype != pl.String:
        canonical = canonical.cast(pl.String)
    if canonical.len() == 0:
        return canonical
    digests = (
        pl.DataFrame({"text": pl.select(pl.lit(f"{family}\0") + canonical).to_series()})
        .select(plh.col("text").chash.hmac_sha256(key=key.hex()))
        .to_series()
    )
    return base32(digests)


def base32(digests: pl.Series) -> pl.Series:
    """The first 130 bits of hexadecimal digests in 26 letters and figures of RFC 4648, in lower case."""
    nulls = digests.is_null()
    rows = _bytes(digests.fill_null("0" * 64), 64)
    nibbles = _NIBBLE[np.ascontiguousarray(rows[:, :33].T)]  # one row a place, so that each step runs over all values
    out = np.empty((len(_PREFIX) + _CHARACTERS, len(digests)), dtype=np.uint8)
    out[: len(_PREFIX)] = np.frombuffer(_PREFIX.encode(), dtype=np.uint8)[:, None]
    for n in range(_CHARACTERS):
        place, bit = divmod(5 * n, 4)
        five = ((nibbles[place] << (1 + bit)) & 31) | (nibbles[place + 1] >> (3 - bit))
        out[len(_PREFIX) + n] = _ALPHABET[five]
    text = np.ascontiguousarray(out.T)
    offsets = np.arange(0, text.shape[1] * (len(digests) + 1), text.shape[1], dtype=np.int64)
    array = pa.LargeStringArray.from_buffers(len(digests), pa.py_buffer(offsets), pa.py_buffer(text))
    series = pl.Series(digests.name, array)
    if nulls.any():
        series = pl.DataFrame({"s": series, "n": nulls}).select(pl.when(~pl.col("n")).then("s")).to_series()
    return series.alias(digests.name)


def _bytes(texts: pl.Series, width: int) -> NDArray[np.uint8]:
    """The letters of texts of one length, one row a text."""
    array = texts.rechunk().to_arrow().cast(pa.large_string())
    offset = array.offset * width
    raw = np.frombuffer(array.buffers()[2], dtype=np.uint8)
    return raw[offset : offset + width * len(texts)].reshape(-1, width)
