"""The bot's own small web server: where platforms call; nothing else is there but /healthz and /readyz."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.loops import Loops

SLOWEST = 5.0  # seconds for a whole body
ENDING = 5  # seconds that open requests have when the bot ends
CONNECTIONS, PER_ADDRESS = 500, 200  # open at once; a proxy in front of the bot is one address


class Caller(H11Protocol):
    """A connection: it must ask something within some seconds, and one address has only so many."""

    seconds = 10.0  # from its first byte, or from being made, to the end of a request's headers
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        addresses = [other.client[0] for other in self.connections if isinstance(other, Caller) and other.client]
        if self.client and addresses.count(self.client[0]) > PER_ADDRESS:
            self.transport.abort()
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._waiting is None:
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:  # it was answered unread, and may never end
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the host's."""
        yield


class Web:
    """Listens on host:port as long as the bot lives; port 0 takes any that is free. `loops` are told by /readyz."""

    def __init__(self, listen: str, routes: Sequence[BaseRoute], loops: Loops) -> None:
        async def ready(_: Request) -> Response:
            return JSONResponse({"ready": loops.ready, "loops": loops.states}, 200 if loops.ready else 503)

        host, _, port = listen.rpartition(":")
        app = Starlette(routes=[Route("/healthz", _alive), Route("/readyz", ready), *routes])
        config = uvicorn.Config(
            app, host=host, port=int(port), log_config=None, access_log=False, server_header=False, ws="none",
            http=Caller, lifespan="off", proxy_headers=False, timeout_keep_alive=60, timeout_graceful_shutdown=ENDING,
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=65_536,  # bytes of a request line with its headers
        )  # fmt: skip
        self._server = _Server(config)
        self.listen = listen
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises OSError if nobody can listen there."""
        self._task = asyncio.create_task(self._serve())
        while not (self._server.started or self._task.done()):
            await asyncio.sleep(0.005)
        if not self._server.started:
            raise OSError(f"cannot listen on {self.listen}")

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit:  # how uvicorn ends if it cannot listen
            return

    @property
    def port(self) -> int:
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task:
            await self._task


async def _alive(_: Request) -> Response:
    return PlainTextResponse("alive")


async def whole_body(request: Request, largest: int) -> bytes | None:
    """None for what is too long, too slow or no text."""
    body = b""
    try:
        async with asyncio.timeout(SLOWEST):
            async for piece in request.stream():
                body += piece
                if len(body) > largest:
                    return None
        body.decode()
    except (ClientDisconnect, UnicodeDecodeError, TimeoutError):
        return None
    return body
