"""A child that was taken over: it says what the first argument tells it to, whatever it is asked."""

import json
import struct
import sys
import time
from socket import socket


def message(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">cI", kind, len(body)) + body


def flood() -> bytes:
    note = message(b"n", json.dumps("x").encode()) * 10_000
    while True:
        channel.sendall(note)


def hog() -> bytes:
    held = bytearray(900_000_000)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(60)
    return b""


SAYS = {
    "silence": lambda: time.sleep(60) or b"",
    "flood": flood,
    "hog": hog,
    "half a header": lambda: b"r\0",
    "half a result": lambda: message(b"r", b"{}")[:-1],
    "a huge result": lambda: struct.pack(">cI", b"r", 2**32 - 1) + b"x" * 1_000_000,
    "a huge error": lambda: struct.pack(">cI", b"e", 2**31) + b"x" * 1_000_000,
    "a huge question": lambda: struct.pack(">cI", b"a", 2**32 - 1),
    "an unknown kind": lambda: message(b"z", b"{}"),
    "a word of the parent": lambda: message(b"q", b"{}"),
    "a pickle": lambda: message(b"r", b"cos\nsystem\n(S'true'\ntR."),
    "no JSON": lambda: message(b"r", b"{"),
    "deep JSON": lambda: message(b"r", b"[" * 200_000),
    "another result": lambda: message(b"r", b'{"rows": "many", "columns": []}'),
    "an error that is none": lambda: message(b"e", b"[]"),
    "deep error": lambda: message(b"e", b"[" * 90_000),
    "an error of another kind": lambda: message(b"e", b'{"code": "forbidden", "message": "x", "hint": null}'),
    "a question nobody answers": lambda: message(b"a", b""),
    "HTTP": lambda: b"GET / HTTP/1.1\r\n\r\n",
    "text": lambda: b"Traceback (most recent call last):\n",
    "zeros": lambda: bytes(100_000),
    "nothing at all": lambda: b"",
}  # fmt: skip

if __name__ == "__main__":
    channel = socket(fileno=0)
    channel.recv(1)
    channel.sendall(SAYS[sys.argv[1]]())
    if sys.argv[1].startswith(("half", "a huge")):
        time.sleep(60)
    channel.recv(1 << 20)
