"""What a request carries is JSON that is small, whole, in time and storable, or it is refused; never is it a bug."""

import asyncio
import json
import math
import threading
from typing import Any

import pytest
from anyio import to_thread
from anyio.to_thread import current_default_thread_limiter
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given, settings, strategies
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.inputs import DEEPEST, LARGEST, LARGEST_OF, MOST, Inputs
from api.main import IN_PROCESS, create_app
from core.settings import Settings
from engine.home import Home
from tests.api.conftest import Client
from tests.api.live import Live, live

JSON = {"Content-Type": "application/json"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers the body it is given."""
    await Response(await Request(scope, receive).body())(scope, receive, send)


def post(body: bytes, app: ASGIApp = Inputs(echo), path: str = "/api/v1/files", **headers: str) -> Any:  # noqa: B008
    return TestClient(app, base_url=IN_PROCESS).post(path, content=body, headers={**JSON, **headers})


def storable(value: Any, depth: int = 0) -> bool:
    """Whether a database could hold it: said anew, one value at a time."""
    match value:
        case dict():
            inner = [*value, *value.values()]
        case list():
            inner = value
        case str():
            return "\0" not in value and not any(0xD800 <= ord(sign) <= 0xDFFF for sign in value)
        case float():
            return math.isfinite(value)
        case int():
            return -(2**63) <= value < 2**63
        case _:
            return True
    return depth < DEEPEST and all(storable(part, depth + 1) for part in inner)


signs = strategies.characters(exclude_categories=()) | strategies.sampled_from("\0\ud800\udfff")
leaves = (
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(signs)
    | strategies.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 1e308, "\ud83d\ude00", "\\u0000"])
)  # fmt: skip
values = strategies.recursive(
    leaves, lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(signs), inner)
)


@given(values, strategies.booleans())
@example({"\0": 1}, True)
@example({"a": [{"b": "x\ud800"}]}, True)
@example(float("nan"), True)
@settings(max_examples=300, deadline=None)
def test_what_can_be_stored_comes_through_as_it_was_and_nothing_else_does(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    answer = post(body)
    if not _decodes(body):  # half a pair is not even UTF-8
        assert answer.status_code == 422
    elif storable(json.loads(body)):
        assert (answer.status_code, answer.content) == (200, body)
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_input")


def _decodes(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(strategies.binary(min_size=1))
@settings(max_examples=200, deadline=None)
def test_bytes_of_any_kind_are_json_or_refused(body: bytes) -> None:
    try:
        is_json = _decodes(body) and storable(json.loads(body))
    except ValueError:
        is_json = False
    assert post(body).status_code == (200 if is_json else 422)


@given(body=values)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_is_a_bug_of_a_route(client: Client, orders: object, body: Any) -> None:
    admin = client("admin")
    for sent in (body, {"pipeline": body}, {"pipeline": "orders", "full": body}):
        text = json.dumps(sent).encode()
        assert admin.post("/api/v1/runs", content=text, headers=JSON).status_code < 500


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{secret-of-anna", "is not JSON: Expecting property name enclosed in double quotes, line 1, column 2"),
        (b'{"a": secret-of-anna}', "is not JSON: Expecting value, line 1, column 7"),
        (b'{"a": 1} secret-of-anna', "is not JSON: Extra data, line 1, column 10"),
        (b'"secret-of-anna\n"', "is not JSON: Invalid control character at, line 1, column 16"),
        (b'"secret-of-anna\xff"', "is not UTF-8"),
        ('"secret-of-anna"'.encode("utf-16"), "is not UTF-8"),
        (b'{"secret-of-anna": NaN}', "is not JSON: NaN and Infinity are no numbers"),
        (b'["secret-of-anna", -Infinity]', "is not JSON: NaN and Infinity are no numbers"),
        (b'{"secret-of-anna": 1e999}', "has a number that is too large"),
        (b'{"secret-of-anna": 9223372036854775808}', "has a number that is too large"),
        (b"9" * 5000, "has a number that is too large"),
        (rb'{"a": "secret-of-anna\u0000"}', "has a text with a NUL character or half of a surrogate pair"),
        (rb'{"secret-of-anna\u0000": 1}', "has a text with a NUL character or half of a surrogate pair"),
        (rb'["secret-of-anna\ud800"]', "has a text with a NUL character or half of a surrogate pair"),
        (b"[" * 100 + b'"secret-of-anna"' + b"]" * 100, "is nested more than 64 deep"),
        (b"[" * 400_000 + b"]" * 400_000, "is nested more than 64 deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is nested more than 64 deep"),
    ],
)
def test_a_body_that_cannot_be_taken_is_told_why_and_not_repeated(body: bytes, why: str) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["detail"]) == (422, f"body: {why}")
    assert answer.json()["errors"] == [{"field": "body", "message": why}]
    assert "anna" not in answer.text


@pytest.mark.parametrize("path", ["/a%00b", "/%00", "/a?x=%00", "/a?%00=1", "/a?x=1&y=b%00c"])
def test_a_nul_character_in_the_address_is_refused(client: Client, path: str) -> None:
    answer = client("admin").get(f"/api/v1/datasets{path}")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_input")


@pytest.mark.parametrize("path", ["/a%2500b", "/a?x=%2500", "/%ED%A0%80", "/%FF?x=%ED%A0%80", "/a?limit=" + "9" * 5000])
def test_any_other_address_is_no_bug(client: Client, path: str) -> None:
    assert client("admin").get(f"/api/v1/datasets{path}").status_code < 500
    assert client("admin").get(f"/api/v1/runs{path}").status_code in (200, 404, 422)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/json;", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonp", 415),
        ("application/merge-patch+json", 415),
        ("text/plain, application/json", 415),
        ("", 415),
    ],
)
def test_a_body_is_json_or_refused(kind: str, status: int) -> None:
    answer = post(b"{}", **{"Content-Type": kind})
    assert answer.status_code == status
    assert status == 200 or answer.json()["hint"] == "Send JSON, with `Content-Type: application/json`."
    assert "multipart" not in answer.text


def test_a_compressed_body_is_refused() -> None:
    assert post(b"{}", **{"Content-Encoding": "gzip"}).status_code == 415
    assert post(b"{}", **{"Content-Encoding": "identity"}).status_code == 200


def test_no_body_needs_no_kind() -> None:
    assert post(b"", **{"Content-Type": "text/plain"}).status_code == 200


def test_a_body_may_be_so_large_and_no_larger() -> None:
    for path, most in {
        **LARGEST_OF,
        "/api/v1/runs": LARGEST,
        "/api/v1/files/": LARGEST,
        "//api/v1/inbox": LARGEST,
    }.items():
        largest = b'"' + b"a" * (most - 2) + b'"'
        assert post(largest, path=path).content == largest
        refused = post(largest + b" ", path=path)
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")


def test_a_body_may_have_so_many_values_and_no_more() -> None:
    assert post(b"[" + b"0," * (MOST - 2) + b"0]").status_code == 200
    for body in (b"[" + b"0," * (MOST - 1) + b"0]", b"[" + b"[]," * 320_000 + b"[]]"):
        refused = post(body)
        assert (refused.status_code, refused.json()["detail"]) == (422, f"body: has more than {MOST} values")


def test_a_body_that_is_not_small_is_parsed_where_no_quick_route_waits() -> None:
    """The one thread of the quick routes is taken, and the body is parsed all the same."""
    begun, taken = threading.Event(), threading.Event()

    def quick() -> None:
        begun.set()
        assert taken.wait(20)

    async def all_taken() -> list[Message]:
        current_default_thread_limiter().total_tokens = 1
        route = asyncio.create_task(to_thread.run_sync(quick))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        said: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b'"' + b"a" * 50_000 + b'"'}

        async def send(message: Message) -> None:
            said.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
        try:
            await asyncio.wait_for(Inputs(echo)(scope, receive, send), 10)
        finally:
            taken.set()
            await route
        return said

    assert asyncio.run(all_taken())[0]["status"] == 200


@pytest.mark.parametrize(("where", "allow"), [("/api/v1/runs", "GET, POST"), ("/api/v1/runs/1/cancel", "POST")])
@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PUT", "DELETE", "TRACE", "PROPFIND"])
def test_another_method_is_told_which_there_are(client: Client, where: str, allow: str, method: str) -> None:
    answer = client("admin").request(method, where)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_slash_too_many_leads_nowhere(client: Client) -> None:
    assert client("admin").get("/api/v1/runs/", follow_redirects=False).status_code == 404


def start(length: bytes = b"Transfer-Encoding: chunked") -> bytes:
    return b"POST /api/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + length + b"\r\n"


@pytest.fixture
def server(settings: Settings) -> Any:
    with live(Inputs(echo, seconds=0.5), settings) as running:
        yield running


CLOSE = b"Connection: close\r\n\r\n"


def test_a_chunked_body_comes_through(server: Live) -> None:
    answer = server.send(start() + CLOSE + b"2\r\n[1\r\n", b"2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n")
    assert (answer[:13], answer[-5:]) == ("HTTP/1.1 200 ", "[1,2]")


def test_a_chunked_body_is_refused_once_it_is_too_large(server: Live) -> None:
    chunk = b"f424\r\n" + b" " * 62_500 + b"\r\n"  # sixteen of them are as much as is taken
    assert server.send(start() + CLOSE, *[chunk] * 16, b"1\r\n \r\n").startswith("HTTP/1.1 413 ")
    assert server.send(start() + CLOSE, *[chunk] * 15, b"1\r\n1\r\n0\r\n\r\n").startswith("HTTP/1.1 200 ")


def test_a_body_said_to_be_too_large_is_refused_unread(server: Live) -> None:
    asked = start(b"Content-Length: 1000001\r\nExpect: 100-continue") + CLOSE
    assert server.send(asked).startswith("HTTP/1.1 413 ")
    assert server.send(start(b"Content-Length: 99999999999999999999") + CLOSE).startswith("HTTP/1.1 413 ")


def test_a_body_that_does_not_arrive_is_given_up(server: Live) -> None:
    answer = server.send(start(b"Content-Length: 10") + CLOSE + b"[1,")
    assert answer.startswith("HTTP/1.1 408 ")
    assert "The body did not arrive within 0.5 s." in answer
    assert server.send(start() + CLOSE + b"1\r\n[\r\n").startswith("HTTP/1.1 408 ")


def test_a_refused_body_ends_the_connection(home: Home) -> None:
    with live(create_app(home, lambda: None), home.settings) as server:
        asked = start(b"Content-Length: 1000001") + b"\r\n[1,"
        elsewhere = asked.replace(b"Host: localhost", b"Host: evil.example")
        open_to_all = asked.replace(b"/files", b"/auth/token")
        for answer, status in (
            (server.send(asked), 401), (server.send(open_to_all), 413), (server.send(elsewhere), 403),
        ):  # fmt: skip
            assert answer.startswith(f"HTTP/1.1 {status} ")
            assert "\r\nconnection: close\r\n" in answer.lower()


def test_half_a_body_reaches_no_route() -> None:
    reached: list[Scope] = []
    coming: list[Message] = [
        {"type": "http.request", "body": b"1", "more_body": True},  # the client wanted to say 12, and left
        {"type": "http.disconnect"},
    ]

    async def route(scope: Scope, *_: object) -> None:
        reached.append(scope)

    async def receive() -> Message:
        return coming.pop(0)

    async def send(_: Message) -> None:
        raise AssertionError("there is nobody to answer")

    headers = [(b"content-type", b"application/json")]
    asyncio.run(Inputs(route)({"type": "http", "path": "/", "query_string": b"", "headers": headers}, receive, send))
    assert (reached, coming) == ([], [])


def test_endless_headers_are_refused(server: Live) -> None:
    lines = [b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(65)]
    assert server.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n", *lines).startswith("HTTP/1.1 400 ")


def test_a_switch_is_no_number_of_seconds(client: Client) -> None:
    bot = client("admin")
    for path, body in (("inbox/take", {"platforms": ["slack"], "seconds": False}), ("memory/x", {"seconds": True})):
        answer = bot.request("PUT" if "memory" in path else "POST", f"/api/v1/{path}", json=body)
        assert answer.status_code == 422, path
        assert "seconds" in answer.text, path
