"""One call for everybody who needs its result at the same time: nobody is answered before it ends, or asks again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Shared(Generic[Result]):
    """`await shared()` joins the call that is under way, or begins one. Raises what the call raises."""

    def __init__(self, do: Callable[[], Awaitable[Result]]) -> None:
        self._do = do
        self._doing: asyncio.Task[Result] | None = None

    async def __call__(self) -> Result:
        if self._doing is None:
            self._doing = asyncio.create_task(self._once())
        return await asyncio.shield(self._doing)  # the others still wait when one of them has gone

    async def _once(self) -> Result:
        try:
            return await self._do()
        finally:
            self._doing = None
