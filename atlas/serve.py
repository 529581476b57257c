"""The long-running processes: the API with a worker and the bot, or one part alone."""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from socket import socket
from typing import TYPE_CHECKING

from atlas import start
from atlas.embedded import Embedded
from core.errors import Misconfigured
from core.settings import Settings
from engine.home import Home, may_work, open_home

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

HAND_OVER = 0.0002  # seconds that a run may keep Python from who answers people, at a time
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(settings: Settings, host: str | None, port: int | None) -> int:
    """The API, a worker, the scheduler and the bot in this process, until a signal ends it."""
    from atlas import chats

    host, port = _address(settings, host, port)
    platforms = chats.configured(settings)
    atlas = Embedded(settings, loopback=host in LOOPBACK, serves=True)
    sys.setswitchinterval(HAND_OVER)
    atlas.worker().start()
    atlas.look_after_schedules()

    @asynccontextmanager
    async def bot() -> AsyncIterator[None]:
        async with atlas.bot() as http, chats.talking(http, platforms, settings.bot_listen):
            yield

    listened = _listen(atlas.app, settings, host, port, bot)
    closed = atlas.close(10)
    if not listened:
        raise _taken(host, port)
    return 0 if closed else 130


def serve_api(settings: Settings, host: str | None, port: int | None) -> int:
    """The API alone, until a signal ends it: the work is for workers in other processes."""
    from api.main import create_app

    host, port = _address(settings, host, port)
    home = open_home(settings)
    listened = _listen(create_app(home, _caller(home), loopback=host in LOOPBACK), settings, host, port, nullcontext)
    home.database.close()
    if not listened:
        raise _taken(host, port)
    return 0


def _caller(home: Home) -> Callable[[], None]:
    """Wakes workers of other processes up. Without a broker between them they look for work twice a second anyway."""
    from engine.runs import broker
    from engine.runs.worker import Wakeups, celery_app

    if home.settings.broker_url.get_secret_value() == broker.URL:
        return lambda: None
    return Wakeups(home, celery_app(home)).try_to_send


def _address(settings: Settings, host: str | None, port: int | None) -> tuple[str, int]:
    name, _, number = settings.api_listen.rpartition(":")
    if not number.isdecimal():
        raise Misconfigured(f"ATLAS_API_LISTEN is `{settings.api_listen}`.", hint="Write it as 127.0.0.1:8080.")
    return host or name, port if port is not None else int(number)


def _taken(host: str, port: int) -> Misconfigured:
    return Misconfigured(f"Atlas cannot listen on `{host}:{port}`.", hint="Another port: atlas serve --port 8081")


def _listen(
    app: "FastAPI", settings: Settings, host: str, port: int, beside: Callable[[], AbstractAsyncContextManager[None]]
) -> bool:
    """Answers requests until a signal ends it, with something else beside it; False if it could not listen."""
    import uvicorn

    class _Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """The first signal lets requests end, the second does not wait; uvicorn would raise it again at the end."""

            def end(*_: object) -> None:
                self.force_exit = self.should_exit
                self.should_exit = True

            with _handling(end):
                yield

        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                start.loaded()
                print(f"Atlas listens on http://{host}:{port}. Ctrl-C ends it.", flush=True)

    server = _Server(listening(app, settings, host, port))
    # it prints the message of an exception, which may quote a cell; ours says its kind and place
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    async def run() -> None:
        async with beside():
            await server.serve()

    with suppress(SystemExit, OverflowError):  # how it ends if it cannot listen; it told the log, which is silent
        asyncio.run(run())
    return bool(server.started)


def listening(app: "FastAPI", settings: Settings, host: str, port: int) -> "uvicorn.Config":
    """How the server listens; what it does not limit, the app does."""
    import uvicorn

    from atlas.patience import Patience

    return uvicorn.Config(
        app, host, port, log_config=None, access_log=False, server_header=False,
        http=Patience, ws="none", h11_max_incomplete_event_size=32_768,  # bytes of a request line with its headers
        limit_concurrency=1000, timeout_keep_alive=15, timeout_graceful_shutdown=10,
        # uvicorn would believe every process of this machine
        proxy_headers=bool(settings.proxies), forwarded_allow_ips=settings.proxies,
    )  # fmt: skip


def work(settings: Settings) -> int:
    """A worker, until a signal ends it: the first lets running parts end, the second does not wait."""
    from engine.runs.schedules import Scheduler
    from engine.runs.worker import Worker, celery_app

    home = open_home(settings)
    may_work(home)
    worker, scheduler = Worker(home, celery_app(home)), Scheduler(home)
    with _ended_by_signals() as ended:
        worker.start()
        scheduler.start()
        start.loaded()
        threads = "thread" if settings.workers == 1 else "threads"
        print(f"This worker works with {settings.workers} {threads}. Ctrl-C ends it.", flush=True)
        ended.wait()
    scheduler.stop()
    return 0 if worker.stop(60) else 130


def beat(settings: Settings) -> int:
    """Fires schedules and offers the work of dead workers to others, until a signal ends it."""
    from engine.runs.schedules import Scheduler

    home = open_home(settings)
    scheduler = Scheduler(home, reaps=True)
    with _ended_by_signals() as ended:
        scheduler.start()
        start.loaded()
        print("Schedules are looked after. Ctrl-C ends it.", flush=True)
        ended.wait()
    scheduler.stop()
    home.database.close()
    return 0


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    ended = threading.Event()

    def end(*_: object) -> None:
        if ended.is_set():
            raise SystemExit(130)
        ended.set()

    with _handling(end):
        yield ended


@contextmanager
def _handling(handler: Callable[..., None]) -> Iterator[None]:
    """SIGINT and SIGTERM go to a handler of ours for a while."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
