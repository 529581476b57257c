"""Who takes too long to ask is not waited for; who asks is."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from atlas.patience import Patience
from core.settings import Settings
from tests.api.live import Live, live


class Hasty(Patience):
    seconds = 0.4


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers after longer than a client may take to ask."""
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
