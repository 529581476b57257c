"""Nobody but Slack and Teams comes through their doors: headers, signatures, tokens and connections that are wrong."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import httpx
import jwt
import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.main import create_app
from atlas.patience import Patience
from bot import web
from bot.loops import Loops
from bot.platforms.slack.door import Door as SlackDoor
from bot.platforms.teams.door import Door as TeamsDoor
from bot.platforms.teams.keys import Keys
from bot.platforms.teams.service import Service
from bot.platforms.teams.tokens import Tokens
from bot.web import Web
from core.settings import Settings
from engine.home import open_home
from engine.store import access
from tests.api.live import Live, live
from tests.attack.attempts import Attempts, Guard
from tests.mocks import slack as mock_slack
from tests.mocks import teams as mock_teams
from tests.mocks.teams import Teams
from tests.program import wait_for

IN_SLACK = "test_doors.py::test_slacks_door_refuses_whatever_stands_in_its_headers"
IN_TEAMS = "test_doors.py::test_teams_door_refuses_whatever_stands_in_its_headers"
SLOW = "test_doors.py::test_who_never_ends_a_request_is_sent_away"
GUARDS = [
    Guard("bot/platforms/slack/door.py", "if not signature.isascii():", "if False:", IN_SLACK),
    Guard("bot/platforms/slack/door.py", "len(headers.getlist(name)) != 1", "len(headers.getlist(name)) < 1", IN_SLACK),
    Guard("bot/platforms/teams/door.py", "len(headers.getlist(name)) != 1", "len(headers.getlist(name)) < 1", IN_TEAMS),
    Guard("bot/platforms/teams/keys.py", "if self._failed and not known else AGAIN", "if not known else AGAIN",
          "test_doors.py::test_made_up_keys_are_not_looked_for_again_and_again"),
    Guard("atlas/patience.py", "self._waiting = self.loop.call_later(self.seconds, self.transport.close)", "pass",
          SLOW),
    Guard("atlas/patience.py", "if self.conn.their_state is h11.SEND_BODY:", "if False:", SLOW),
    Guard("atlas/patience.py", "if self.of[new.network] > MOST_OF_ONE and not new.from_proxy:", "if False:",
          "test_doors.py::test_one_address_cannot_take_all_connections"),
]  # fmt: skip
REFUSED = (400, 401, 403)
CLIENT = httpx.Client(timeout=20)
ODD = {
    "umlauts": "ä".encode("latin-1") * 64, "high bytes": bytes(range(128, 192)), "no-break spaces": b"\xa0" * 67,
    "Greek in UTF-8": "αβγ".encode(), "an emoji": "\U0001f600".encode(), "half a letter": b"\xc3",
    "an overlong slash": b"\xc0\xaf", "a byte order mark": b"\xef\xbb\xbf", "a soft hyphen": b"\xad",
    "nothing": b"", "a space": b" ", "a tab inside": b"a\tb", "commas": b",,,", "quotes": b'""', "a percent": b"%00",
    "a template": b"{{7*7}}", "a very long word": b"a" * 8_000, "a number": b"0", "null": b"null", "braces": b"{}",
}  # fmt: skip


class Bolt:
    """What stands behind Slack's door: it notes what comes through."""

    def __init__(self) -> None:
        self.through: list[Any] = []

    async def async_dispatch(self, request: Any) -> Any:
        from slack_bolt.response import BoltResponse

        self.through.append(request)
        return BoltResponse(status=200)


class Doors:
    """Both doors on loopback, with the keys of a Teams that is played; nothing is behind them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, teams: Teams) -> None:
        self.loop, self.teams, self.bolt, self.heard = loop, teams, Bolt(), [0]
        self.http = httpx.AsyncClient(timeout=10)
        self.loops = Loops()

    async def open(self) -> None:
        async def hear(_: dict[str, Any]) -> Response:
            self.heard[0] += 1
            return PlainTextResponse("heard")

        self.keys = Keys(f"{self.teams.root}/openid", self.http)
        tokens = Tokens(mock_teams.APP, "x", mock_teams.TENANT, f"{self.teams.root}/login", self.http)
        service = Service(mock_teams.APP, self.keys, tokens, self.http)
        teams = TeamsDoor(service, ("127.0.0.1",), (mock_teams.TENANT,), hear)
        slack = SlackDoor(self.bolt, mock_slack.SECRET)  # type: ignore[arg-type]  # as much of bolt as a door needs
        routes = [Route("/slack/events", slack.receive, methods=["POST"]),
                  Route("/teams/messages", teams.receive, methods=["POST"])]  # fmt: skip
        self.web = Web("127.0.0.1:0", routes, self.loops, Patience)
        await self.web.start()

    def do(self, making: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(making, self.loop).result(30)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.web.port}{path}"

    @property
    def through(self) -> int:
        return len(self.bolt.through) + self.heard[0]

    def refused(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Whether a request is refused on purpose: no error of the server's, and nobody hears of it."""
        before = self.through
        raw = b"".join(b"%s: %s\r\n" % one for one in [*headers, (b"Content-Length", b"%d" % len(body))])
        with socket.create_connection(("127.0.0.1", self.web.port), timeout=20) as connection:
            connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s" % (path.encode(), raw, body))
            answer = connection.recv(100)
        return answer[:9] == b"HTTP/1.1 " and int(answer[9:12]) in REFUSED and self.through == before


@contextmanager
def _doors() -> Iterator[Doors]:
    loop = asyncio.new_event_loop()
    with mock_teams.running() as teams, ThreadPoolExecutor(1) as thread:
        thread.submit(loop.run_forever)
        made = Doors(loop, teams)
        made.do(made.open())
        try:
            yield made
        finally:
            made.do(made.web.stop())
            made.do(made.http.aclose())
            loop.call_soon_threadsafe(loop.stop)


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    with _doors() as made:
        yield made


@pytest.fixture
def fresh() -> Iterator[Doors]:
    """Doors that nobody has come through yet."""
    with _doors() as made:
        yield made


def _slack(**other: bytes) -> list[tuple[bytes, bytes]]:
    """What Slack signs, with some headers replaced."""
    right = {name.lower().encode(): value.encode() for name, value in mock_slack.signed(BODY.decode()).items()}
    return list((right | {name.replace("_", "-").encode(): value for name, value in other.items()}).items())


BODY = mock_slack.Slack().command("run birds").encode()


def test_slacks_door_refuses_whatever_stands_in_its_headers(doors: Doors, attempts: Attempts) -> None:
    signature = dict(_slack())[b"x-slack-signature"]
    wrong = {
        f"a signature with {name}": signature[: len(signature) // 2] + odd + signature[len(signature) // 2 :]
        for name, odd in ODD.items() if odd.strip()
    }  # fmt: skip
    wrong |= {f"a signature of {name}": odd for name, odd in ODD.items()}
    wrong |= {f"a signature with letter {at} changed": signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]
              for at in range(3, 67, 4)}  # fmt: skip
    for name, value in wrong.items():
        held = doors.refused("/slack/events", _slack(x_slack_signature=value), BODY)
        attempts.tried("doors", f"Slack: {name}", held=held)
    for name, odd in ODD.items():
        for header in (b"x-slack-request-timestamp", b"content-type"):
            given = [one for one in _slack() if one[0] != header]
            held = doors.refused("/slack/events", [*given, (header, odd)], BODY)
            attempts.tried("doors", f"Slack: {header.decode()} is {name}", held=held)
    for header in (b"x-slack-signature", b"x-slack-request-timestamp", b"content-type"):
        twice = [*_slack(), (header, dict(_slack())[header])]
        attempts.tried("doors", f"Slack: {header.decode()} twice", held=doors.refused("/slack/events", twice, BODY))
    assert not doors.refused("/slack/events", _slack(), BODY), "what Slack signs comes through"


def _teams(doors: Doors, token: bytes | None = None, **more: Any) -> tuple[list[tuple[bytes, bytes]], bytes]:
    activity = doors.teams.activity("run birds", **more)
    token = mock_teams.signed(activity).encode() if token is None else token
    return [(b"authorization", b"Bearer " + token), (b"content-type", b"application/json")], json.dumps(
        activity
    ).encode()


def test_teams_door_refuses_whatever_stands_in_its_headers(doors: Doors, attempts: Attempts) -> None:
    headers, body = _teams(doors)
    token = headers[0][1].removeprefix(b"Bearer ")
    head, claims, mac = token.split(b".")
    wrong = {f"a token of {name}": odd for name, odd in ODD.items()}
    wrong |= {f"a token that begins with {name}": odd + token for name, odd in ODD.items() if odd.strip()}
    wrong |= {f"a token with a head of {name}": b".".join([odd, claims, mac]) for name, odd in ODD.items()}
    wrong |= {f"a token with claims of {name}": b".".join([head, odd, mac]) for name, odd in ODD.items()}
    wrong |= {f"a token with a signature of {name}": b".".join([head, claims, odd]) for name, odd in ODD.items()}
    named = {"a list": ["key-1"], "a number": 1, "an object": {"a": 1}, "nothing": None, "true": True,
             "a path": "../key-1", "a letter more": "key-1 ", "another case": "KEY-1"}  # fmt: skip
    for name, kid in named.items():
        forged = jwt.utils.base64url_encode(json.dumps({"alg": "RS256", "kid": kid}).encode())
        wrong[f"a key called {name}"] = b".".join([forged, claims, mac])
    for name, value in wrong.items():
        held = doors.refused("/teams/messages", [(b"authorization", b"Bearer " + value), headers[1]], body)
        attempts.tried("doors", f"Teams: {name}", held=held)
    for name, odd in ODD.items():
        for at, header in enumerate((b"authorization", b"content-type")):
            given = [*headers[:at], (header, odd), *headers[at + 1 :]]
            held = doors.refused("/teams/messages", given, body)
            attempts.tried("doors", f"Teams: {header.decode()} is {name}", held=held)
        odd_text = odd.decode("latin-1")
        held = doors.refused("/teams/messages", headers, _teams(doors, token, serviceUrl=f"http://{odd_text}/")[1])
        attempts.tried("doors", f"Teams: a service called {name}", held=held)
    for header, value in headers:
        held = doors.refused("/teams/messages", [*headers, (header, value)], body)
        attempts.tried("doors", f"Teams: {header.decode()} twice", held=held)
    assert not doors.refused("/teams/messages", *_teams(doors)), "what Teams signs comes through"


def test_the_api_refuses_whatever_stands_in_its_authorization(settings: Settings, attempts: Attempts) -> None:
    home = open_home(settings)
    with home.database.write() as db:
        token = access.issue(db, access.add_user(db, "anna", "admin"), 3600).encode()
    with live(create_app(home, lambda: None), settings) as api:
        given = {f"Authorization is {name}": odd for name, odd in ODD.items()}
        given |= {f"a token of {name}": b"Bearer " + odd for name, odd in ODD.items()}
        given |= {
            f"a token that ends with {name}": b"Bearer " + token + odd
            for name, odd in ODD.items() if odd.decode("latin-1").strip()
        }  # fmt: skip
        for name, value in given.items():
            attempts.tried("doors", f"API: {name}", held=_of_the_api(api, Authorization=value) in REFUSED)
        for name, odd in ODD.items():
            status = _of_the_api(api, Authorization=b"Bearer " + token, Atlas_On_Behalf_Of=odd, X_Request_ID=odd)
            attempts.tried("doors", f"API: on behalf of {name}", held=status in (*REFUSED, 422))
    home.database.close()


def _of_the_api(api: Live, **headers: bytes) -> int:
    """The status of who asks for themselves."""
    raw = b"".join(b"%s: %s\r\n" % (name.replace("_", "-").encode(), value) for name, value in headers.items())
    return int(api.send(b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + raw + b"\r\n")[9:12])


def test_six_messages_at_once_after_a_start_all_come_through(fresh: Doors) -> None:
    """Five of six were answered with 401, and so lost: only the first waited for the keys."""
    fresh.teams.trouble("keys", seconds=0.3)
    assert _answers(fresh, 6) == [200] * 6
    assert fresh.teams.calls["keys"] == 1


def test_while_the_keys_cannot_be_fetched_teams_is_asked_to_send_again(fresh: Doors) -> None:
    fresh.teams.trouble("openid", status=503, seconds=0.3, times=99)
    assert _answers(fresh, 6) == [503] * 6
    assert fresh.teams.calls["openid"] <= 3
    fresh.teams._trouble.clear()
    assert wait_for(lambda: _answers(fresh, 1) == [200], 10)


def test_a_new_key_is_taken_and_a_withdrawn_one_is_not(fresh: Doors) -> None:
    assert _answers(fresh, 1) == [200]
    fresh.teams.keys[:] = [mock_teams.jwk(mock_teams.OTHER_KEY, "key-2")]
    fresh.keys._asked -= 301
    assert _answers(fresh, 6, key=mock_teams.OTHER_KEY, kid="key-2") == [200] * 6
    assert fresh.teams.calls["keys"] == 2
    assert _answers(fresh, 1) == [401]


def test_one_key_that_cannot_be_read_leaves_the_others(fresh: Doors) -> None:
    fresh.teams.keys[:0] = [{"kid": "x", "endorsements": ["msteams"]}, {"kid": "y", "kty": "RSA", "endorsements": 5},
                            {"kty": "RSA", "n": "?", "e": "AQAB", "kid": "z", "endorsements": ["msteams"]}]  # fmt: skip
    assert _answers(fresh, 2) == [200] * 2


def test_made_up_keys_are_not_looked_for_again_and_again(doors: Doors, attempts: Attempts) -> None:
    assert _answers(doors, 1) == [200]
    before = doors.teams.calls["openid"]
    for number in range(12):
        if number == 6:
            time.sleep(1.2)
        refused = _answers(doors, 1, kid=f"made-up-{number}") == [401]
        held = refused and doors.teams.calls["openid"] == before
        attempts.tried("doors", f"Teams: the made-up key {number}", held=held)


def test_a_sign_in_that_fails_is_told_to_all_who_wait_for_it(fresh: Doors) -> None:
    fresh.teams.trouble("token", status=500, seconds=0.3)
    tokens = Tokens(mock_teams.APP, "x", mock_teams.TENANT, f"{fresh.teams.root}/login", fresh.http)

    async def ask() -> list[Any]:
        return await asyncio.gather(*(tokens.fresh() for _ in range(6)), return_exceptions=True)

    assert len({type(end).__name__ for end in fresh.do(ask())}) == 1
    assert fresh.teams.calls["token"] == 1


def _answers(doors: Doors, count: int, **claims: Any) -> list[int]:
    """The answers to so many messages at once."""

    def send(number: int) -> int:
        activity = doors.teams.activity(f"status {number}")
        headers = doors.teams.headers(activity, **claims)
        return CLIENT.post(doors.url("/teams/messages"), json=activity, headers=headers).status_code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(send, range(count)))


BEGUN = {
    "nothing at all": b"", "one byte": b"P", "a request line": b"POST /slack/events HTTP/1.1\r\n",
    "half a header": b"POST /teams/messages HTTP/1.1\r\nHost: x\r\nX-A: ",
    "no end of the headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
    "a body that never comes": b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
    "half a body": b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nteam",
    "half a chunk": b"POST /slack/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nte",
}  # fmt: skip


def test_who_never_ends_a_request_is_sent_away(fresh: Doors, attempts: Attempts, monkeypatch: Any) -> None:
    """Limits are made short here; a byte now and then is no excuse."""
    monkeypatch.setattr(Patience, "seconds", 0.5)
    monkeypatch.setattr(web, "SLOWEST", 0.5)
    for name, begun in BEGUN.items():
        for drips in (False, True):
            held = _ends(fresh.web.port, begun, drips=drips)
            attempts.tried("doors", f"{name}{', then a byte now and then' if drips else ''}", held=held)


def _ends(port: int, begun: bytes, *, drips: bool) -> bool:
    """Whether a connection is ended from the other side within seconds."""
    end = time.monotonic() + 8
    with closing(socket.create_connection(("127.0.0.1", port), timeout=0.1)) as connection:
        connection.sendall(begun)
        while time.monotonic() < end:
            try:
                if not connection.recv(1000):
                    return True
            except TimeoutError:
                pass
            except OSError:
                return True
            if drips:
                try:
                    connection.sendall(b"a")
                except OSError:
                    return True
    return False


def test_one_address_cannot_take_all_connections(doors: Doors, attempts: Attempts) -> None:
    """505 idle connections of one address kept everybody out for half a minute."""
    idle = []
    try:
        for _ in range(505):
            idle.append(socket.create_connection(("127.0.0.1", doors.web.port), timeout=5))
        for number in range(10):
            with socket.create_connection(
                ("127.0.0.1", doors.web.port), timeout=5, source_address=("127.0.0.2", 0)
            ) as other:
                other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                attempts.tried("doors", f"505 idle ones and caller {number}", held=b" 200 " in other.recv(100))
    finally:
        for one in idle:
            one.close()
