"""How many threads a process computes with: one number for all its libraries, each of which would take every core."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

LIBRARIES = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_IO_THREADS")
_pinned: int | None = None


def pin(number: int) -> None:
    """Pins polars, Arrow, BLAS and what asks `at_most`, in this process. Before they are imported: they look once."""
    global _pinned
    _pinned = number
    os.environ.update(dict.fromkeys(LIBRARIES, str(number)))


def pinned() -> int | None:
    """The number this process is pinned to, if it is."""
    return _pinned


def at_most(number: int) -> int:
    """So many threads, or as many as the process is pinned to if that is less."""
    return number if _pinned is None else min(number, _pinned)


@cache
def pool() -> ThreadPoolExecutor:
    """Threads for columns side by side. They stay: polars keeps the patterns it compiled by thread."""
    return ThreadPoolExecutor(at_most(os.cpu_count() or 1), "columns")
