"""Routes that draw, print or compute for seconds have threads of their own, and so have probes."""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def slow(route: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    """The route, in threads for which no quick route waits."""
    return _within(_THREADS, route)


def probe(route: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    """The route, in threads that no other route can take: who probes ends a process that answers late."""
    return _within(_PROBING, route)


def hashing(route: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    """The route, which hashes passwords: each hash takes 64 MB and all cores for a moment, so one at a time."""
    return _within(_HASHING, route)


async def parsing(parse: Callable[[bytes], None], body: bytes) -> None:
    """Parses a body that is not small: Python runs one thread at a time, so two at once would only hold up others."""
    await to_thread.run_sync(parse, body, limiter=_PARSING)


_THREADS, _PROBING, _HASHING, _PARSING = CapacityLimiter(4), CapacityLimiter(2), CapacityLimiter(1), CapacityLimiter(1)


def _within(threads: CapacityLimiter, route: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    @wraps(route)
    async def answered(*given: Given.args, **named: Given.kwargs) -> Answer:
        return await to_thread.run_sync(partial(route, *given, **named), limiter=threads)

    return answered
