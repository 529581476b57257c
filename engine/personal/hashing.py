"""Keyed hashes: equal values are equal texts wherever they stand. Layout: docs/reference/masking.md."""

import binascii
from typing import Any

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  # gives expressions `chash`
import pyarrow as pa

_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_PAIRS = (
    np.stack(np.broadcast_arrays(_ALPHABET[:, None], _ALPHABET), axis=2).reshape(-1, 2).copy().view(np.uint16)[:, 0]
)
_CHARACTERS = 26


def hashed(canonical: pl.Series, family: str, key: bytes, prefix: str = "h_") -> pl.Series:
    """The prefix and 130 bits of the HMAC-SHA256 of family, a zero byte and the canonical text. Null stays null."""
    if canonical.dtype != pl.String:
        canonical = canonical.cast(pl.String)
    if canonical.len() == 0:
        return canonical
    message: Any = pl.lit(f"{family}\0") + pl.col("text")
    digests = canonical.to_frame("text").select(message.chash.hmac_sha256(key=key.hex())).to_series()
    return base32(digests.alias(canonical.name), prefix)


def base32(digests: pl.Series, prefix: str = "h_") -> pl.Series:
    """The prefix and the first 130 bits of hexadecimal digests, in 26 letters and figures of RFC 4648 in lower case."""
    nulls = digests.is_null()
    raw = binascii.unhexlify(_bytes(digests.fill_null("0" * 64) if nulls.any() else digests, 64))
    words = np.frombuffer(raw, dtype=">u8").reshape(-1, 4)[:, :3].T.astype(np.uint64, order="C")
    out = np.empty((1 + _CHARACTERS // 2, len(digests)), dtype=np.uint16)  # two characters at a time
    out[0] = np.frombuffer(prefix.encode(), dtype=np.uint16)[0]
    for n in range(_CHARACTERS // 2):
        word, bit = divmod(10 * n, 64)
        if bit <= 54:
            ten = words[word] >> np.uint64(54 - bit)
        else:
            ten = (words[word] << np.uint64(bit - 54)) | (words[word + 1] >> np.uint64(118 - bit))
        np.take(_PAIRS, (ten & np.uint64(1023)).view(np.intp), out=out[1 + n], mode="clip")  # clip: without a check
    text = np.ascontiguousarray(out.T)
    size = 2 * text.shape[1]
    offsets = np.arange(0, size * (len(digests) + 1), size, dtype=np.int64)
    array = pa.LargeStringArray.from_buffers(len(digests), pa.py_buffer(offsets), pa.py_buffer(text))
    series = pl.Series(digests.name, array)
    if nulls.any():
        series = pl.DataFrame({"s": series, "n": nulls}).select(pl.when(~pl.col("n")).then("s")).to_series()
    return series.alias(digests.name)


def _bytes(texts: pl.Series, width: int) -> memoryview:
    """The letters of texts of one length, one after the other."""
    array = texts.rechunk().to_arrow().cast(pa.large_string())
    offset = array.offset * width
    return memoryview(array.buffers()[2])[offset : offset + width * len(texts)]
