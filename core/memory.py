"""How much memory a process may compute with: one number for all that it opens."""

import psutil

MB = 1_000_000
_pinned: int | None = None


def pin(number: int) -> None:
    """Limits what asks `at_most` in this process, in bytes."""
    global _pinned
    _pinned = number


def at_most(number: int) -> int:
    """So many bytes, or as many as the process is pinned to if that is less."""
    return number if _pinned is None else min(number, _pinned)


def quarter() -> int:
    """A quarter of this machine's memory, in bytes."""
    return int(psutil.virtual_memory().total) // 4
