"""What is said in a chat: stored before the platform is told that it arrived, answered once, taken up after a crash."""

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from bot.client import Answer, Atlas, AtlasProblem
from bot.loops import Loops
from bot.posting import CannotPost
from bot.together import Together

log = logging.getLogger("atlas.bot")

HELD = 15.0  # seconds that a message is ours; a bot that is silent for so long has gone
LATEST = 600.0  # seconds until an answer that could not be posted is tried again, at most
TURNS = 2  # answers that are thought about at once; what comes in meanwhile is stored before that, and first
TURN = 1.0  # seconds that a turn lasts, at most
QUIET = 0.05  # seconds without anything coming in until an answer begins: platforms wait three for a receipt
LATER = 0.25  # seconds that the next answer waits for quiet, at most
MOST = 100  # messages in one request
LOOK = 10.0  # seconds between two looks for what was left


@dataclass(eq=False)
class Heard:
    """One thing that somebody said, and where; `key` is the platform's id of it, the same however often it is sent."""

    key: str
    person: str  # platform:tenant:id
    text: str
    place: dict[str, Any]  # where the answer goes; only the platform reads it
    id: int = 0
    tries: int = 1
    problem: CannotPost | None = None  # why the answer could not be posted
    told: Any = field(default=None, repr=False)  # the platform's own notes while it answers
    turn: Callable[[], None] | None = field(default=None, repr=False)

    @classmethod
    def read(cls, item: Answer) -> Self:
        """From an answer of the API, which may hold more than is needed. Raises KeyError or TypeError for less."""
        number, tries, place = item["id"], item["tries"], item["place"]
        if not (isinstance(number, int) and isinstance(tries, int) and isinstance(place, dict)):
            raise TypeError
        return cls(str(item["key"]), str(item["person"]), str(item["text"]), place, number, tries)

    def goes_on(self) -> None:
        """It is thought about: from here on it waits for a run or for the platform, and others may have its turn."""
        if self.turn is not None:
            self.turn()
            self.turn = None

    @property
    def again(self) -> bool:
        """Somebody may have answered some of it before."""
        return self.tries > 1


class Inbox:
    """Keeps and answers; `platforms` are the ones whose messages this bot can answer."""

    def __init__(
        self, http: httpx.AsyncClient, platforms: Sequence[str], answer: Callable[[Heard], Awaitable[None]]
    ) -> None:
        self._http, self._platforms, self._answer = http, platforms, answer
        self._atlas = Atlas(http)
        self._working: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(TURNS)
        self._came = 0.0
        self._storing: Together[Heard, Answer] = Together(self._store, MOST)
        self._ending: Together[Heard, None] = Together(self._end, MOST)
        self._held: dict[int, int] = {}  # messages that this process works on: number -> tries
        self.held, self.look = HELD, LOOK

    async def start(self, loops: Loops) -> None:
        """Takes up what was left, now and from time to time. Returns when the API has answered once, or failed to."""
        tried = loops.start("inbox: messages that another bot left", self._take_up, every=self.look)
        await tried.wait()
        loops.start("inbox: messages that are being answered", self._hold, every=self.held / 3)

    @property
    def busy(self) -> bool:
        """Something is being answered."""
        return bool(self._working)

    async def take_in(self, heard: Heard) -> bool:
        """Stores what was said; if it is new it is answered from now on. Raises AtlasProblem if it is not stored."""
        try:
            answer = await self._storing(heard)
        finally:
            self._came = time.monotonic()
        if answer["wait"]:
            raise AtlasProblem("too_many", "Too many requests.", f"Try again in {answer['wait']} s.", 429)
        if answer["id"]:
            heard.id = answer["id"]
            self._begin(heard)
        return bool(answer["id"])

    async def close(self) -> None:
        """Works no longer; what is not answered goes to whoever comes next."""
        tasks = [*self._working]
        for task in tasks:
            task.cancel()
        held = dict(self._held)
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(AtlasProblem):
            await self._hold_all(held, 0)

    async def _take_up(self) -> None:
        """Until nothing is left that can be read; the rest is looked at again when its time is over."""
        begun = True
        while begun:
            begun = False
            for item in await self._atlas.take(self._platforms, seconds=self.held):
                try:
                    heard = Heard.read(item)
                except (KeyError, TypeError) as error:
                    log.error("a message in the inbox cannot be read: %s", type(error).__name__)
                    continue
                if heard.id not in self._held:
                    self._begin(heard)
                    begun = True

    def _begin(self, heard: Heard) -> None:
        task = asyncio.create_task(self._work(heard))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _work(self, heard: Heard) -> None:
        self._held[heard.id] = heard.tries
        try:
            await self._its_turn(heard)
            await self._answer(heard)
        except Exception as error:  # noqa: BLE001 - one message must not end silently; it is answered again, and logged
            frames = "".join(traceback.format_tb(error.__traceback__))  # no message: it may quote what was said
            log.error("a message could not be answered: %s\n%s", type(error).__name__, frames)
            return
        finally:
            heard.goes_on()
            self._held.pop(heard.id, None)
        with contextlib.suppress(AtlasProblem):  # then it is answered again, in place
            # the message stays, and is tried again after longer and longer waits
            if heard.problem is not None and heard.problem.retry:
                await self._atlas.hold({heard.id: heard.tries}, seconds=min(self.held * 2**heard.tries, LATEST))
            else:
                await self._ending(heard)

    async def _its_turn(self, heard: Heard) -> None:
        await self._turns.acquire()
        heard.turn = self._turns.release
        asyncio.get_running_loop().call_later(TURN, heard.goes_on)  # a long report holds nobody up
        end = time.monotonic() + LATER
        while (now := time.monotonic()) < end and (self._storing.busy or now < self._came + QUIET):
            await asyncio.sleep(QUIET / 2)

    async def _hold(self) -> None:
        await self._hold_all(self._held, self.held)

    async def _hold_all(self, held: Mapping[int, int], seconds: float) -> None:
        numbers = list(held.items())
        for first in range(0, len(numbers), MOST):
            await self._atlas.hold(dict(numbers[first : first + MOST]), seconds=seconds)

    async def _store(self, said: list[Heard]) -> list[Answer]:
        return await self._atlas.store([_to_store(heard) for heard in said], seconds=self.held)

    async def _end(self, answered: list[Heard]) -> list[None]:
        await self._atlas.done({heard.id: heard.tries for heard in answered})
        return [None] * len(answered)


def _to_store(heard: Heard) -> dict[str, Any]:
    text = heard.text.replace("\0", " ").encode("utf-8", "replace").decode()
    return {"key": heard.key, "person": heard.person, "text": text, "place": heard.place}
