"""Lineage events reach the other server once, in order, and wait while it is away."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy.exc import OperationalError

from engine.duties import Duties, Duty
from engine.lineage.forward import forward as forward_all
from tests.program import HANGS


class Server:
    """A server that takes lineage events with the statuses it is told, one after the other, then 201."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.taken = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.statuses.pop(0) if outer.statuses else 201
                outer.taken += status == 201
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.http.shutdown()
    started.http.server_close()


def forward_until(url: str, events: list[int], done: Callable[[], bool]) -> list[int]:
    """Forwards events of these numbers until something holds; returns what was marked as sent."""
    marked: list[int] = []
    return forward(url, events, marked, marked.append, done)


def forward(
    url: str, events: list[int], marked: list[int], sent: Callable[[int], None], done: Callable[[], bool]
) -> list[int]:
    stopping = threading.Event()

    def unsent() -> list[tuple[int, dict[str, object]]]:
        return [(number, {"eventType": "START"}) for number in events if number not in marked]

    duties = Duties(stopping)
    duties.start([Duty("lineage forwarder", 0.1, lambda: forward_all(url, unsent, sent))])
    end = time.monotonic() + HANGS
    while not (done() or len(marked) == len(events)) and time.monotonic() < end:
        time.sleep(0.02)
    stopping.set()
    duties.join(10)
    return marked


def test_events_are_sent_once_and_in_order(server: Server) -> None:
    assert forward_until(server.url, [1, 2, 3], lambda: False) == [1, 2, 3]
    assert server.taken == 3


def test_events_wait_while_the_server_is_away(server: Server) -> None:
    server.statuses = [503]
    assert forward_until(server.url, [1, 2], lambda: False) == [1, 2]
    assert server.taken == 2


def test_an_event_that_is_refused_does_not_hold_up_the_others(server: Server) -> None:
    server.statuses = [422]
    assert forward_until(server.url, [1, 2], lambda: False) == [1, 2]
    assert server.taken == 1


def test_nothing_is_marked_as_sent_where_nobody_answers() -> None:
    assert forward_until("http://127.0.0.1:9", [1], lambda: threading.Event().wait(1.5) is False) == []


def test_a_database_that_goes_away_before_an_event_is_marked_ends_nothing(server: Server) -> None:
    marked: list[int] = []
    away = [True]

    def sent(event: int) -> None:
        if away and away.pop():
            raise OperationalError("update", {}, Exception("the server closed the connection"))
        marked.append(event)

    assert forward(server.url, [1, 2], marked, sent, lambda: False) == [1, 2]
    assert server.taken == 3  # that one came twice, which does no harm
