"""Routes that draw, print or compute for seconds have threads of their own: the others never wait for them."""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

_threads = CapacityLimiter(4)


def slow(route: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    """The route, worked on where nothing else waits."""

    @wraps(route)
    async def answered(*given: Given.args, **named: Given.kwargs) -> Answer:
        return await to_thread.run_sync(partial(route, *given, **named), limiter=_threads)

    return answered
