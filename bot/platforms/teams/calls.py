"""The one way to Teams: tries again when it is busy, and says why it cannot be done."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.platforms.teams.answered import Answered
from bot.platforms.teams.tokens import Tokens
from bot.posting import CannotPost

log = logging.getLogger("atlas.teams")

TRIES = 5
LONGEST = 60.0  # seconds that Teams may ask to wait; what it asks beyond that is done later, by whoever kept it
BUSY = (0, 408, 412, 429, 500, 502, 503, 504)

T = TypeVar("T")


class Calls:
    """`await calls(lambda: service.send(…))`, with a token that is good. Raises CannotPost."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    async def __call__(self, do: Callable[[], Awaitable[T]]) -> T:
        for tried in range(1, TRIES + 1):
            try:
                token = await self.tokens.fresh()
                return await do()
            except Answered as problem:
                answered = problem
            if answered.status == 401 and tried == 1:  # it ended early, or was withdrawn
                self.tokens.forget(token)
                continue
            if answered.status not in BUSY:
                raise CannotPost(answered.reason, retry=answered.later or answered.status == 401) from None
            wait = _wait(answered, tried)
            if tried == TRIES or wait > LONGEST:
                break
            log.info("Teams is asked again in %.1f s: %s", wait, answered.reason)
            await asyncio.sleep(wait)
        raise CannotPost(answered.reason, retry=True) from None


def _wait(answered: Answered, tried: int) -> float:
    """Seconds until it may work."""
    after = answered.retry_after or ""
    if after.isascii() and after.isdecimal():
        return float(after) + random.uniform(0, 0.2)  # noqa: S311 - spreads load
    wait: float = min(0.25 * 2**tried, 8.0)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
