"""Who takes too long to ask is not waited for; who asks is."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from atlas.patience import Patience
from core.settings import Settings
from tests.api.live import Live, live


class Hasty(Patience):
    seconds = 0.4
    reading_seconds = 1.0


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers after longer than a client may take to ask, or with more than fits on the way."""
    if scope["path"] == "/large":
        await Response(b"a" * 50_000_000)(scope, receive, send)
        return
    await asyncio.sleep(1.0 if scope["path"] == "/slow" else 0)
    await Response("yes")(scope, receive, send)


@pytest.fixture
def server(settings: Settings) -> Iterator[Live]:
    with live(slow, settings, Hasty) as running:
        yield running


ASK = b"GET %s HTTP/1.1\r\nHost: localhost\r\n"


def test_a_client_that_says_nothing_is_sent_away(server: Live) -> None:
    assert server.send() == ""


def test_a_client_that_does_not_end_its_headers_is_sent_away(server: Live) -> None:
    assert server.send(ASK % b"/", b"X-More: ") == ""


def test_a_second_request_has_no_longer(server: Live) -> None:
    answer = server.send(ASK % b"/" + b"\r\n", ASK % b"/")
    assert answer.count("HTTP/1.1 200 ") == 1


def test_an_answer_may_take_its_time(server: Live) -> None:
    assert server.send(ASK % b"/slow" + b"Connection: close\r\n\r\n").endswith("yes")
    both = server.send(ASK % b"/slow" + b"\r\n", ASK % b"/slow" + b"Connection: close\r\n\r\n")
    assert both.count("HTTP/1.1 200 ") == 2


def test_a_client_that_does_not_read_is_sent_away(server: Live) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(ASK % b"/large" + b"\r\n")
        time.sleep(3)
        heard = 0
        with suppress(ConnectionError):
            while some := connection.recv(1_000_000):
                heard += len(some)
    assert 0 < heard < 50_000_000


def test_a_client_that_reads_slowly_has_its_answer(server: Live) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(ASK % b"/large" + b"Connection: close\r\n\r\n")
        heard = 0
        while some := connection.recv(2_000_000):
            heard += len(some)
            time.sleep(0.05)
    assert heard > 50_000_000
