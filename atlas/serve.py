"""The long-running processes: the API with a worker, or a worker alone."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from atlas.embedded import Embedded
from core.errors import Misconfigured
from core.settings import Settings
from engine.home import open_home

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(settings: Settings, host: str | None, port: int | None) -> int:
    """The API and a worker in this process, until a signal ends it."""
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

    name, _, number = settings.api_listen.rpartition(":")
    if not number.isdecimal():
        raise Misconfigured(f"ATLAS_API_LISTEN is `{settings.api_listen}`.", hint="Write it as 127.0.0.1:8080.")
    host, port = host or name, port if port is not None else int(number)
    atlas = Embedded(settings, loopback=host in LOOPBACK)
    atlas.worker().start()
    server = _Server(uvicorn.Config(atlas.app, host, port, log_config=None, access_log=False))
    print(f"Atlas listens on http://{host}:{port}. Ctrl-C ends it.", flush=True)
    # it prints the message of an exception, which may quote a cell; ours says its kind and place
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    server.run()
    return 0 if atlas.close(10) else 130


def work(settings: Settings) -> int:
    """A worker, until a signal ends it: the first lets running parts end, the second does not wait."""
    from engine.worker import Worker, celery_app

    home = open_home(settings)
    worker = Worker(home, celery_app(home))
    with _ended_by_signals() as ended:
        worker.start()
        print(f"This worker works with {settings.workers} threads. Ctrl-C ends it.", flush=True)
        ended.wait()
    return 0 if worker.stop(60) else 130


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
