"""The bot's own small web server: where platforms call; nothing else is there but /healthz and /readyz."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.loops import Loops

SLOWEST = 5.0  # seconds for a whole body
ENDING = 5  # seconds that open requests have when the bot ends


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the host's."""
        yield


class Web:
    """Listens on host:port as long as the bot lives; port 0 takes any that is free. `loops` are told by /readyz.

    The protocol is uvicorn's, or one that bounds what connections take.
    """

    def __init__(
        self, listen: str, routes: Sequence[BaseRoute], loops: Loops, protocol: type[asyncio.Protocol] = H11Protocol
    ) -> None:
        async def ready(_: Request) -> Response:
            return JSONResponse({"ready": loops.ready, "loops": loops.states}, 200 if loops.ready else 503)

        host, _, port = listen.rpartition(":")
        app = Starlette(routes=[Route("/healthz", _alive), Route("/readyz", ready), *routes])
        config = uvicorn.Config(
            app, host=host, port=int(port), log_config=None, access_log=False, server_header=False, ws="none",
            http=protocol,
            lifespan="off", proxy_headers=False, timeout_keep_alive=60, timeout_graceful_shutdown=ENDING,
            limit_concurrency=1000, h11_max_incomplete_event_size=32_768,  # bytes of a request line with its headers
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
