"""Passwords: hashed with argon2id, checked in the same time whether or not there is such a user."""

import threading
from functools import cache

from pwdlib import PasswordHash

from core.errors import BadInput

SHORTEST, LONGEST = 12, 256
COMMON = (
    "password",
    "kodeord",
    "adgangskode",
    "velkommen",
    "welcome",
    "letmein",
    "qwerty",
    "123456789",
    "123456",
    "atlas",
)
_at_once = threading.Semaphore(4)  # each check takes 64 MB for a moment


def hashed(password: str, name: str) -> str:
    """The hash to keep. Raises BadInput for a password that is too easy to guess."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput(f"A password has {SHORTEST} to {LONGEST} characters.")
    left = password.casefold()
    for word in (name.casefold(), *COMMON):
        left = left.replace(word, "")
    if len(left) < 6 or len(set(password)) < 5:
        raise BadInput(
            "This password is too easy to guess.",
            hint="Take a sentence, not a name or a common word.",
        )
    return _argon2().hash(password)


def right(password: str, kept: str | None) -> bool:
    """Whether this is the password of a hash; None costs the same time and is never right."""
    with _at_once:
        found = _argon2().verify(password[: LONGEST + 1], kept or _nobody())
    return found and kept is not None


@cache
def _argon2() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _nobody() -> str:
    return _argon2().hash("nobody has this password")
