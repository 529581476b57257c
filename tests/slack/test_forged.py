"""Who cannot be Slack is refused, nothing of it reaches a skill, and nothing of it is logged."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
import pytest
from starlette.routing import Route

from bot.loops import Loops
from bot.platforms.slack.door import Door
from bot.web import Web
from tests.mocks import slack as mock
from tests.mocks.slack import CHANNEL, KIM, SECRET, Slack, signed
from tests.program import wait_for
from tests.slack.office import Office

CANARY = "run canary-9f3c1e"
REFUSED = (401, 403)


@dataclass(frozen=True)
class Request:
    """What somebody sends who is not Slack."""

    body: bytes
    headers: dict[str, str] | list[tuple[str, str]]


def request(body: str | bytes, headers: dict[str, str] | None = None, **more: str) -> Request:
    raw = body.encode() if isinstance(body, str) else body
    return Request(raw, {**(signed(raw) if headers is None else headers), **more})


def without(name: str, body: str) -> Request:
    return Request(body.encode(), {key: value for key, value in signed(body).items() if key != name})


def command(slack: Slack) -> str:
    return slack.command(CANARY)


def changed(slack: Slack, change: Callable[[str], str]) -> Request:
    body = command(slack)
    return Request(change(body).encode(), signed(body))


def twice(name: str, slack: Slack) -> Request:
    body = command(slack)
    headers = [*signed(body).items(), (name, signed(body, secret="other")[name])]
    return Request(body.encode(), headers)


def fields(slack: Slack, **other: str | None) -> str:
    known = dict(httpx.QueryParams(command(slack)).items())
    return urlencode({key: value for key, value in {**known, **other}.items() if value is not None})


def event(slack: Slack, **other: object) -> str:
    body = json.loads(slack.event(CANARY))
    body["event"] = {key: value for key, value in {**body["event"], **other}.items() if value is not None}
    return json.dumps(body)


def now(seconds: float) -> int:
    return int(time.time() + seconds)


FORGED: dict[str, Callable[[Slack], Request]] = {
    "no signature": lambda s: without("X-Slack-Signature", command(s)),
    "no timestamp": lambda s: without("X-Slack-Request-Timestamp", command(s)),
    "no content type": lambda s: without("Content-Type", command(s)),
    "an empty signature": lambda s: request(command(s), **{"X-Slack-Signature": ""}),
    "a version and no signature": lambda s: request(command(s), **{"X-Slack-Signature": "v0="}),
    "another secret": lambda s: request(b := command(s), signed(b, secret="guessed-secret")),
    "an empty secret": lambda s: request(b := command(s), signed(b, secret="")),
    "the token as the secret": lambda s: request(b := command(s), signed(b, secret=mock.TOKEN)),
    "the version v1": lambda s: request(
        b := command(s), **{"X-Slack-Signature": signed(b)["X-Slack-Signature"].replace("v0=", "v1=")}
    ),
    "no version": lambda s: request(b := command(s), **{"X-Slack-Signature": signed(b)["X-Slack-Signature"][3:]}),
    "a signature in capitals": lambda s: request(
        b := command(s), **{"X-Slack-Signature": signed(b)["X-Slack-Signature"].upper()}
    ),
    "half a signature": lambda s: request(
        b := command(s), **{"X-Slack-Signature": signed(b)["X-Slack-Signature"][:40]}
    ),
    "a signature of another body": lambda s: request(command(s), signed(command(s))),
    "a signature of an empty body": lambda s: request(command(s), {**signed(""), "Content-Type": FORM}),
    "an altered text": lambda s: changed(s, lambda body: body.replace("canary", "orders")),
    "an altered person": lambda s: changed(s, lambda body: body.replace(KIM, "U0ADMIN")),
    "something added at the end": lambda s: changed(s, lambda body: body + "&text=run+orders"),
    "one byte less": lambda s: changed(s, lambda body: body[:-1]),
    "a timestamp of six minutes ago": lambda s: request(b := command(s), signed(b, at=now(-360))),
    "a timestamp of yesterday": lambda s: request(b := command(s), signed(b, at=now(-86_400))),
    "a timestamp in six minutes": lambda s: request(b := command(s), signed(b, at=now(360))),
    "a timestamp that is a word": lambda s: request(b := command(s), signed(b, at="abc")),
    "a timestamp that is nothing": lambda s: request(b := command(s), signed(b, at="")),
    "a timestamp with a sign": lambda s: request(b := command(s), signed(b, at=f"+{now(0)}")),
    "a timestamp with a point": lambda s: request(b := command(s), signed(b, at=f"{now(0)}.0")),
    "a timestamp without end": lambda s: request(b := command(s), signed(b, at="9" * 400)),
    "a timestamp below zero": lambda s: request(b := command(s), signed(b, at=-1)),
    "a new timestamp on an old signature": lambda s: request(
        b := command(s), **{**signed(b, at=now(-400)), "X-Slack-Request-Timestamp": str(now(0))}
    ),
    "two signatures": lambda s: twice("X-Slack-Signature", s),
    "two timestamps": lambda s: twice("X-Slack-Request-Timestamp", s),
    "another content type": lambda s: request(command(s), **{"Content-Type": "text/plain"}),
    "a form with files": lambda s: request(command(s), **{"Content-Type": "multipart/form-data; boundary=x"}),
    "a body of two megabytes": lambda s: request(s.command(CANARY + "x" * 2_000_000)),
    "bytes that are no text": lambda s: request(b"text=\xff\xfe\x80" + command(s).encode()),
    "another team": lambda s: request(s.command(CANARY, team="T0OTHER")),
    "an event for another team": lambda s: request(s.event(CANARY, team="T0OTHER")),
    "a click in another team": lambda s: request(s.click(CANARY, a_message(), team="T0OTHER")),
    "no team": lambda s: request(fields(s, team_id=None)),
    "no person": lambda s: request(fields(s, user_id=None)),
    "an empty person": lambda s: request(fields(s, user_id="")),
    "no channel": lambda s: request(fields(s, channel_id=None)),
    "no trigger": lambda s: request(fields(s, trigger_id=None)),
    "an event without a person": lambda s: request(event(s, user=None)),
    "an event without a channel": lambda s: request(event(s, channel=None)),
    "a click without a command": lambda s: request(s.click(CANARY, a_message()).replace("value", "valour")),
    "JSON that is a list": lambda s: request("[]", {**signed("[]"), "Content-Type": "application/json"}),
    "JSON that is broken": lambda s: request('{"team_id": '),
    "JSON that is deep": lambda s: request(deep := '{"a":' * 20_000 + "1" + "}" * 20_000, signed(deep)),
}
FORM = "application/x-www-form-urlencoded"

# Slack sends these too, and would send them again if they were refused
IGNORED: dict[str, Callable[[Slack], Request]] = {
    "what the bot itself has said": lambda s: request(s.event(CANARY, user=mock.BOT_USER, bot_id=mock.BOT_ID)),
    "another bot's direct message": lambda s: request(
        s.event(CANARY, kind="message", channel=s.direct(), bot_id="B0OTHER")
    ),
    "a direct message that was edited": lambda s: request(
        s.event(CANARY, kind="message", channel=s.direct(), subtype="message_changed")
    ),
    "a message in a channel that is not for the bot": lambda s: request(s.event(CANARY, kind="message")),
    "a guest of another company": lambda s: request(event(s, team="T0PARTNER")),
    "an event that nobody asked for": lambda s: request(s.event(CANARY, kind="reaction_added")),
}


def a_message() -> mock.Message:
    return mock.Message(CHANNEL, "1700000000.000100", mock.BOT_USER, {})


def answered(url: str, asked: Request) -> int:
    return httpx.post(url, content=asked.body, headers=asked.headers, timeout=20).status_code


def let_in(url: str, slack: Slack) -> list[str]:
    """The forged requests that are not refused."""
    return [name for name, forge in FORGED.items() if answered(url, forge(slack)) not in REFUSED]


@pytest.fixture
def nothing_is_said(office: Office, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing reaches a skill or Slack, and no log line holds a body, a signature or a token."""
    caplog.set_level(logging.DEBUG)
    before = dict(office.slack.calls)
    yield
    time.sleep(0.2)
    assert office.idle()
    assert dict(office.slack.calls) == before
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    for secret in ("canary", "verification-token-of-old", SECRET, mock.TOKEN, "v0="):
        assert secret not in logged


def test_there_are_more_than_forty_cases() -> None:
    assert len(FORGED) >= 40


def test_what_is_forged_is_refused_and_reaches_nobody(office: Office, nothing_is_said: None) -> None:
    assert let_in(office.url, office.slack) == []


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_not_for_atlas_is_acknowledged_and_left(office: Office, name: str, nothing_is_said: None) -> None:
    assert answered(office.url, IGNORED[name](office.slack)) == 200


def test_a_body_that_never_ends_is_not_waited_for(office: Office, nothing_is_said: None) -> None:
    port = int(office.url.rsplit(":")[2].split("/")[0])
    head = f"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: {FORM}\r\n\r\nteam"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert b" 401 " in connection.recv(1000)


def test_without_the_check_the_suite_fails(office: Office) -> None:
    """The same requests to a door that lets in whatever comes: nearly all of them get through."""

    class Open(Door):
        def signed(self, request: object, body: bytes) -> bool:
            return True

    async def open_door() -> Web:
        web = Web(
            "127.0.0.1:0",
            [Route("/slack/events", Open(office.bot.platform("slack").app, SECRET).receive, methods=["POST"])],
            Loops(),
        )
        await web.start()
        return web

    before = len(office.slack.messages)
    web: Web = office.run(open_door)
    try:
        through = let_in(f"http://127.0.0.1:{web.port}/slack/events", office.slack)
    finally:
        office.run(web.stop)
    assert {"no signature", "another secret", "an altered person", "a timestamp of yesterday"} <= set(through)
    assert len(through) >= 25
    assert wait_for(lambda: office.idle() and len(office.slack.messages) >= before + 20)
