"""What a test can say of a PNG without a picture library."""

import struct
import zlib


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def ink(png: bytes) -> int:
    """How much there is to see: the size of the pixels when compressed hard, a blank sheet is near nothing."""
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    return len(zlib.compress(zlib.decompress(data), 9))
