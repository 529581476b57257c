"""Keyed hashes: the same value under the same key is the same text wherever it stands. Layout: docs/reference/masking.md."""

import hashlib
import hmac

import numpy as np
import polars as pl
import polars_hash as plh
import pyarrow as pa

_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_CHARACTERS, _PREFIX = 26, "h_"


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
        .select(plh.col("text").chash.hmac_sha256(key=key.hex()))  # type: ignore[attr-defined]
        .to_series()
    )
    return base32(digests)


def base32(digests: pl.Series) -> pl.Series:
    """The first 130 bits of hexadecimal digests in 26 letters and figures of RFC 4648, in lower case."""
    nulls = digests.is_null().to_numpy()
    text = np.frombuffer(
        digests.fill_null("0" * 64).str.head(34).to_arrow().cast(pa.large_string()).buffers()[2], np.uint8
    )
    rows = text[: 34 * len(digests)].reshape(-1, 34)
    nibbles = np.where(rows > 57, rows - 87, rows - 48).astype(np.uint8)
    out = np.empty((len(digests), len(_PREFIX) + _CHARACTERS), dtype=np.uint8)
    out[:, : len(_PREFIX)] = np.frombuffer(_PREFIX.encode(), dtype=np.uint8)
    for n in range(_CHARACTERS):
        start, shift = divmod(5 * n, 4)
        pair = (nibbles[:, start].astype(np.uint16) << 4) | nibbles[:, start + 1]
        out[:, len(_PREFIX) + n] = _ALPHABET[(pair >> (3 - shift)) & 31]
    width = out.shape[1]
    offsets = pa.py_buffer(np.arange(0, width * (len(digests) + 1), width, dtype=np.int64))
    array = pa.LargeStringArray.from_buffers(len(digests), offsets, pa.py_buffer(out))
    series = pl.Series(digests.name, array)
    if nulls.any():
        series = pl.DataFrame({"s": series, "n": nulls}).select(pl.when(~pl.col("n")).then("s")).to_series()
    return series.alias(digests.name)
