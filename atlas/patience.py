"""Ends connections that take too long to ask: uvicorn waits for ever for a request line and its headers."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Patience(H11Protocol):
    """Gives a connection so many seconds from its first byte, or from being made, to a whole request."""

    seconds = 30.0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
