"""Calls that come while one is under way go together in the next: one request for fifty people, not fifty."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """`await together(item)` is the result that `do` has for it; `do` takes at most so many, and answers in order."""

    def __init__(self, do: Callable[[list[Item]], Awaitable[Sequence[Result]]], most: int) -> None:
        self._do, self._most = do, most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._doing: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """Raises what `do` raises."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        if self._doing is None:
            self._doing = asyncio.create_task(self._work())
        return await asyncio.shield(result)  # it is done with others, whoever still waits

    @property
    def busy(self) -> bool:
        return self._doing is not None

    async def _work(self) -> None:
        try:
            while self._waiting:
                now, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._together(now)
        finally:
            self._doing = None

    async def _together(self, now: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._do([item for item, _ in now])
            for (_, waiting), result in zip(now, results, strict=True):
                waiting.set_result(result)
        except Exception as error:  # noqa: BLE001 - each who waits is told it
            for _, waiting in now:
                if not waiting.done():
                    waiting.set_exception(error)
        finally:
            for _, waiting in now:
                waiting.cancel()  # if this was cancelled
