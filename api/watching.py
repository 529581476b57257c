"""Waiting for news of a run: few at once for each caller and in all, and one look at a run for everybody who waits."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from anyio import CapacityLimiter, to_thread

from core.errors import TooMany
from engine.home import Home
from engine.store import runs

MOST_OF_ONE, MOST = 20, 200  # waiting requests: of one caller, and in all
LOOK_EVERY = 0.1  # seconds between two looks at a run


class Watching:
    """Who waits, and the last look at each run that somebody waits for."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._waiting = Counter[str]()
        self._looks: dict[int, tuple[float, asyncio.Future[tuple[str, bool]]]] = {}
        self._threads = CapacityLimiter(1)  # other requests must not wait for looks

    def begin(self, who: str) -> None:
        """Counts one who waits. It must be called before anything is awaited. Raises TooMany."""
        if self._waiting[who] >= MOST_OF_ONE:
            raise TooMany(f"You wait for {MOST_OF_ONE} things already.", seconds=10)
        if self._waiting.total() >= MOST:
            raise TooMany("Too many clients wait for runs.", seconds=10)
        self._waiting[who] += 1

    def end(self, who: str) -> None:
        self._waiting[who] -= 1
        self._waiting += Counter()  # drops those at zero
        if not self._waiting:
            self._looks.clear()

    @contextmanager
    def one(self, who: str) -> Iterator[None]:
        """One who waits for as long as the block lasts. Raises TooMany."""
        self.begin(who)
        try:
            yield
        finally:
            self.end(who)

    async def glance(self, number: int) -> tuple[str, bool]:
        """The revision of a run and whether it goes on, as it was at most `LOOK_EVERY` seconds ago."""
        at, look = self._looks.get(number, (0.0, None))
        if look is None or (look.done() and time.monotonic() - at >= LOOK_EVERY):
            look = asyncio.ensure_future(to_thread.run_sync(self._look, number, limiter=self._threads))
            look.add_done_callback(lambda done: done.cancelled() or done.exception())  # all who waited may be gone
            self._looks[number] = time.monotonic(), look
        return await asyncio.shield(look)  # one who goes must not end the look of the others

    def _look(self, number: int) -> tuple[str, bool]:
        with self._home.database.read() as db:
            return runs.revision(db, number)
