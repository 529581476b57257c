"""Routes that draw, print or compute for seconds have threads of their own, and so have probes."""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

_threads = CapacityLimiter(4)
_of_probes = CapacityLimiter(2)


def slow(route: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    """The route, in threads for which no quick route waits."""
    return _within(_threads, route)


def probe(route: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    """The route, in threads that no other route can take: who probes ends a process that answers late."""
    return _within(_of_probes, route)


def _within(threads: CapacityLimiter, route: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    @wraps(route)
    async def answered(*given: Given.args, **named: Given.kwargs) -> Answer:
        return await to_thread.run_sync(partial(route, *given, **named), limiter=threads)

    return answered
