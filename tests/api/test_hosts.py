"""The API answers to its own names, and to no page but its own."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.types import ASGIApp

from api.inside import inside
from api.main import create_app
from core.errors import Misconfigured
from core.settings import load
from engine.home import Home
from tests.api.live import live


def asks(home: Home, headers: list[tuple[str, str]], *, hosts: str = "", loopback: bool = True) -> str:
    """The status of a request, and its code if it was refused."""
    settings = home.settings.model_copy(update={"hosts": hosts})
    app = create_app(Home(settings, home.database), lambda: None, loopback=loopback)
    answer = TestClient(app, base_url="http://localhost").get(
        "/healthz", headers=[(name, value.encode()) for name, value in headers]
    )
    return str(answer.json().get("code", answer.status_code))


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080"]
)
def test_on_loopback_it_answers_to_loopback_names(home: Home, host: str) -> None:
    assert asks(home, [("Host", host)]) == "200"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost.", "127.0.0.1.", ".localhost",
        "localhost:80:80", "localhost:", "localhost:http", "localhost:123456", "localhost@evil.example",
        "evil.example@localhost", "localhost/evil.example", "localhost#evil.example", "localhost\\evil.example",
        "localhost evil.example", "localhost,evil.example", "", ":80", "[::1", "::1", "[::1]evil.example",
        "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]", "0.0.0.0", "127.1", "2130706433", "0x7f000001",
        "atlas", "\uff4cocalhost",  # a wide l
    ],
)  # fmt: skip
def test_on_loopback_it_answers_to_no_other_name(home: Home, host: str) -> None:
    assert asks(home, [("Host", host)]) == "wrong_host"


def test_two_host_headers_are_refused(home: Home) -> None:
    assert asks(home, [("Host", "localhost"), ("Host", "evil.example")]) == "wrong_host"
    assert asks(home, [("Host", "localhost"), ("Host", "localhost")]) == "wrong_host"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "http://LOCALHOST:80"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_its_own_page_may_call_it(home: Home, host: str, origin: str) -> None:
    assert asks(home, [("Host", host), ("Origin", origin)]) == "200"


@pytest.mark.parametrize(
    "origin",
    [
        "null", "", "http://evil.example", "https://localhost:8080", "http://localhost", "http://localhost:3000",
        "http://127.0.0.1:8080", "http://localhost:8080.evil.example", "http://localhost:8080@evil.example",
        "http://evil.example@localhost:8080", "http://localhost:8080/", "http://localhost.:8080", "localhost:8080",
        "//localhost:8080", "file://", "chrome-extension://localhost:8080", "http://localhost:8080 http://evil.example",
    ],
)  # fmt: skip
def test_no_other_page_may_call_it(home: Home, origin: str) -> None:
    for loopback in (True, False):
        headers = [("Host", "localhost:8080"), ("Origin", origin)]
        assert asks(home, headers, loopback=loopback) == "wrong_origin"


def test_two_origins_are_refused(home: Home) -> None:
    own = ("Origin", "http://localhost")
    assert asks(home, [("Host", "localhost"), own, own]) == "wrong_origin"


def test_names_can_be_given(home: Home) -> None:
    hosts = "atlas.example.dk, Atlas.Internal"
    for loopback in (True, False):
        assert asks(home, [("Host", "atlas.example.dk")], hosts=hosts, loopback=loopback) == "200"
        assert asks(home, [("Host", "atlas.internal:8080")], hosts=hosts, loopback=loopback) == "200"
        assert asks(home, [("Host", "example.dk")], hosts=hosts, loopback=loopback) == "wrong_host"
    assert asks(home, [("Host", "localhost")], hosts=hosts) == "200"
    assert asks(home, [("Host", "localhost")], hosts=hosts, loopback=False) == "wrong_host"


def test_elsewhere_an_address_is_a_name_of_this_server(home: Home) -> None:
    for host in ("10.0.0.7:8080", "[2001:db8::7]:8080"):
        assert asks(home, [("Host", host)], hosts="atlas.example.dk", loopback=False) == "200"
        assert asks(home, [("Host", host)], hosts="atlas.example.dk") == "wrong_host"


def test_elsewhere_without_names_any_host_is_taken(home: Home) -> None:
    assert asks(home, [("Host", "whatever.example")], loopback=False) == "200"
    assert asks(home, [("Host", "what ever")], loopback=False) == "wrong_host"


def test_a_client_in_the_same_process_may_use_any_name(home: Home) -> None:
    app = create_app(home, lambda: None)

    async def ask(app: ASGIApp) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://any.example") as client:
            return (await client.get("/healthz")).status_code

    assert (asyncio.run(ask(inside(app))), asyncio.run(ask(app))) == (200, 403)


@pytest.mark.parametrize("hosts", ["https://atlas.example.dk", "atlas.example.dk:8080", "*", "a..b", "-/", "a/b"])
def test_a_malformed_list_of_names_is_an_error(tmp_path: Path, hosts: str) -> None:
    with pytest.raises(Misconfigured, match="ATLAS_HOSTS"):
        load({"ATLAS_HOME": str(tmp_path), "ATLAS_HOSTS": hosts})


def test_over_a_real_connection(home: Home) -> None:
    with live(create_app(home, lambda: None), home.settings) as server:
        ask = b"GET /healthz HTTP/1.%d\r\nConnection: close\r\n%s\r\n"
        assert server.send(ask % (1, b"Host: localhost\r\n")).startswith("HTTP/1.1 200 ")
        assert server.send(ask % (1, b"Host: evil.example\r\n")).startswith("HTTP/1.1 403 ")
        assert server.send(ask % (1, b"Host: localhost\r\nHost: evil.example\r\n")).startswith("HTTP/1.1 400 ")
        assert server.send(ask % (1, b"")).startswith("HTTP/1.1 400 ")
        assert server.send(ask % (0, b"")).startswith("HTTP/1.1 403 ")
        assert server.send(ask % (1, b"Host: localhost\r\nX-Forwarded-Host: evil.example\r\n")).startswith(
            "HTTP/1.1 200 "
        )
        absolute = b"GET http://evil.example/healthz HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n\r\n"
        assert server.send(absolute).startswith("HTTP/1.1 404 ")
