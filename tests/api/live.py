"""A real server on loopback, and what one can send to it byte by byte."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from atlas.patience import Patience
from atlas.serve import listening
from core.settings import Settings
from tests.program import wait_for


class Live:
    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def send(self, *pieces: bytes) -> str:
        """What comes back until the server closes the connection; say `Connection: close`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            heard = b""
            with suppress(ConnectionError):  # it had answered and did not want the rest
                for piece in pieces:
                    connection.sendall(piece)
            with suppress(ConnectionError):
                while some := connection.recv(65_536):
                    heard += some
        return heard.decode()


@contextmanager
def live(app: ASGIApp, settings: Settings, patience: type[Patience] = Patience) -> Iterator[Live]:
    """An app as `atlas serve` serves it."""
    config = listening(app, settings, "127.0.0.1", 0)  # type: ignore[arg-type]
    config.http = patience
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert wait_for(lambda: server.started)
        yield Live(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
