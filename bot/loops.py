"""The bot's loops: each on its own, begun again after an error, with what ails it in the log and in /readyz."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable

from bot.client import AtlasProblem

log = logging.getLogger("atlas.bot")

SHORTEST, LONGEST = 1.0, 60.0  # seconds from an error to the next round; each error in a row doubles it


class Loops:
    """Does each duty again and again until it is closed; an error of one leaves the others alone."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.states: dict[str, str] = {}  # by name: `ok`, or the code or kind of the last error

    def start(self, name: str, duty: Callable[[], Awaitable[None]], *, every: float = 0.0) -> asyncio.Event:
        """`every` is the seconds from the end of one round to the next. Returns what is set after the first round."""
        self.states[name], tried = "ok", asyncio.Event()
        self._tasks.append(asyncio.create_task(self._repeat(name, duty, every, tried)))
        return tried

    @property
    def ready(self) -> bool:
        return all(state == "ok" for state in self.states.values())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, name: str, duty: Callable[[], Awaitable[None]], every: float, tried: asyncio.Event) -> None:
        pause = SHORTEST
        while True:
            try:
                await duty()
            except Exception as error:  # noqa: BLE001 - whatever ends a round must not end the loop; it is logged
                self._failed(name, error)
                tried.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST)
            else:
                if self.states[name] != "ok":
                    log.info("the bot's loop `%s` works again", name)
                self.states[name], pause = "ok", SHORTEST
                tried.set()
                await asyncio.sleep(every)

    def _failed(self, name: str, error: Exception) -> None:
        """Logs an error once, until it changes or is over."""
        state = error.code if isinstance(error, AtlasProblem) else type(error).__name__
        if state == self.states[name]:
            return
        self.states[name] = state
        # no message: it may quote somebody's data
        frames = "" if isinstance(error, AtlasProblem) else "\n" + "".join(traceback.format_tb(error.__traceback__))
        log.error("the bot's loop `%s` is tried again: %s%s", name, state, frames)
