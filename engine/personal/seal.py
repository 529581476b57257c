"""Encrypts what people say in a chat while it waits: AES-GCM under a key that is derived from the masking key."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12  # bytes


class Seal:
    """Closes and opens; what stands `beside` is not hidden and cannot be exchanged."""

    def __init__(self, masking_key: bytes) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"atlas inbox").derive(masking_key)
        self._cipher = AESGCM(derived)

    def close(self, plain: bytes, beside: str) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, beside.encode())

    def open(self, sealed: bytes, beside: str) -> bytes | None:
        """None if it was closed under another key, or beside something else."""
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], beside.encode())
        except InvalidTag:
            return None
