"""Every answer, a refusal or a bug as well, tells a browser what it may do with it."""

import httpx
import pytest
from fastapi.testclient import TestClient

from api.headers import SecurityHeaders
from api.main import IN_PROCESS, create_app
from engine.home import Home
from tests.api.conftest import Client
from tests.api.live import live

EXPECTED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/healthz", {}, 200),
        ("GET", "/api/v1/me", {}, 200),
        ("GET", "/api/v1/nothing", {}, 404),
        ("DELETE", "/api/v1/me", {}, 405),
        ("GET", "/api/v1/me", {"Authorization": ""}, 401),
        ("GET", "/api/v1/me", {"Host": "evil.example"}, 403),
        ("POST", "/api/v1/runs", {"Content-Length": "2000000"}, 413),
        ("GET", "/api/v1/me?%00", {}, 422),
        ("GET", "/bug", {}, 500),
    ],
)
def test_every_answer_has_them(
    home: Home, client: Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    caller = client("admin")

    @caller.app.get("/bug")  # type: ignore[attr-defined]
    def bug() -> None:
        raise ZeroDivisionError

    answer = caller.request(method, path, headers=headers)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "strict-transport-security" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_over_https_browsers_are_told_to_stay_there(home: Home) -> None:
    secure = TestClient(create_app(home, lambda: None), base_url=IN_PROCESS.replace("http:", "https:"))
    assert secure.get("/healthz").headers["strict-transport-security"] == "max-age=31536000"


def test_only_a_trusted_proxy_says_that_it_was_https(home: Home) -> None:
    for proxies, told in (("", False), ("127.0.0.1", True)):
        settings = home.settings.model_copy(update={"trusted_proxies": proxies})
        with live(create_app(Home(settings, home.database), lambda: None), settings) as server:
            own = {"X-Forwarded-Proto": "https", "Origin": server.url.replace("http:", "https:")}
            answer = httpx.get(f"{server.url}/healthz", headers=own)
        assert (answer.status_code, "strict-transport-security" in answer.headers) == (200 if told else 403, told)


def test_the_server_does_not_say_what_it_is(home: Home) -> None:
    with live(create_app(home, lambda: None), home.settings) as server:
        assert "server" not in httpx.get(f"{server.url}/healthz").headers


def test_nothing_under_api_is_kept_whatever_a_route_says() -> None:
    async def route(scope, receive, send):  # type: ignore[no-untyped-def]
        kept = [(b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": kept})
        await send({"type": "http.response.body"})

    client = TestClient(SecurityHeaders(route))
    assert client.get("/api/v1/x").headers["cache-control"] == "no-store"
    assert client.get("/picture").headers["cache-control"] == "max-age=60"
