"""Who asks too often is told to wait, by address and by token."""

import asyncio
import logging
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from limits.storage import memory

from api import problems
from api.inside import inside
from api.limits import ByAddress, Limits, address, limit_caller
from api.main import IN_PROCESS, create_app
from atlas.embedded import Embedded
from core.errors import Misconfigured, TooMany
from core.settings import Settings, load
from engine.home import Home
from tests.api.live import live
from tests.conftest import REDIS, REQUIRED

# by the hour: no test lasts until the next window
FEW = {
    "ATLAS_LIMIT_PER_ADDRESS": "8/hour", "ATLAS_LIMIT_SIGN_IN": "3/hour", "ATLAS_LIMIT_PER_TOKEN": "4/hour",
}  # fmt: skip


def few(home: Path, **more: str) -> Settings:
    return load({"ATLAS_HOME": str(home), **FEW, **more})


@pytest.fixture
def prefix() -> Iterator[str]:
    """Keys of its own on a real Redis."""
    server = redis.Redis.from_url(REDIS)
    try:
        server.ping()
    except redis.ConnectionError:
        if REQUIRED:
            raise
        # where services are required, as in CI, it has failed by now
        pytest.skip("Redis does not answer; ATLAS_TEST_REDIS says where it is")
    name = f"atlas-test-{uuid.uuid4().hex}"
    yield name
    for key in server.scan_iter(f"{name}*"):
        server.delete(key)


def taken(limits: Limits, name: str, path: str = "/api/v1/runs", tries: int = 20) -> int:
    """How many requests of an address are taken."""
    count = 0
    for _ in range(tries):
        try:
            limits.address(name, path)
        except TooMany:
            continue
        count += 1
    return count


def test_an_address_has_so_many_requests_and_another_has_its_own(tmp_path: Path) -> None:
    limits = Limits(few(tmp_path))
    assert [taken(limits, "192.0.2.1"), taken(limits, "192.0.2.1"), taken(limits, "192.0.2.2")] == [8, 0, 8]


@pytest.mark.parametrize("path", ["/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/links/confirm"])
def test_signing_in_is_for_few_tries(tmp_path: Path, path: str) -> None:
    limits = Limits(few(tmp_path))
    assert taken(limits, "192.0.2.1", path, 4) == 3
    assert taken(limits, "192.0.2.1", "/api/v1/links") == 4  # what is left of the eight


@pytest.mark.services
def test_processes_share_their_counts_in_redis(tmp_path: Path, prefix: str) -> None:
    one, other = (Limits(few(tmp_path, ATLAS_BROKER_URL=REDIS), prefix) for _ in range(2))
    assert taken(one, "192.0.2.1", tries=5) == 5
    assert taken(other, "192.0.2.1") == 3
    with pytest.raises(TooMany) as refused:
        one.address("192.0.2.1", "/")
    # an hour is the window: 0, a time in the past or one beyond it fails
    assert 1 <= int(str(refused.value.members["retry_after"])) <= 3600
    assert all(server_key.startswith(prefix.encode()) for server_key in redis.Redis.from_url(REDIS).keys(f"{prefix}*"))


@pytest.mark.services
def test_what_redis_keeps_of_an_address_ends_by_itself(tmp_path: Path, prefix: str) -> None:
    taken(Limits(few(tmp_path, ATLAS_BROKER_URL=REDIS), prefix), "192.0.2.1")
    server = redis.Redis.from_url(REDIS)
    keys = list(server.scan_iter(f"{prefix}*"))
    assert keys
    assert all(0 < server.ttl(key) <= 2 * 3600 for key in keys)


def test_without_redis_each_process_counts_for_itself_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"redis://:hunter2@127.0.0.1:{nobody.getsockname()[1]}/0"
        with caplog.at_level(logging.DEBUG):
            assert taken(Limits(few(tmp_path, ATLAS_BROKER_URL=url), pause=0), "192.0.2.1") == 8
    told = [record.getMessage() for record in caplog.records if record.name == "atlas.api"]
    assert told == ["Redis does not answer (ConnectionError): each process counts requests for itself"]
    assert "hunter2" not in caplog.text


def test_a_redis_that_says_nothing_holds_nobody_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        home = tmp_path / "home"
        settings = few(home, ATLAS_BROKER_URL=url)
        assert taken(Limits(settings), "192.0.2.1") == 8


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
    ],
)
def test_addresses_count_by_household(client: str, counted: str) -> None:
    assert address({"client": (client, 1)}) == counted
    assert address({"client": None}) == "unknown"


def test_too_many_is_a_problem_that_says_when_to_come_again(home: Home, tmp_path: Path) -> None:
    settings = few(tmp_path / "home")
    with live(create_app(Home(settings, home.database), lambda: None), settings) as server:
        answers = [httpx.get(f"{server.url}/healthz") for _ in range(9)]
        signing_in = httpx.post(f"{server.url}/api/v1/auth/token", json={})
    assert [answer.status_code for answer in answers] == [200] * 8 + [429]
    refused = answers[-1]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == str(refused.json()["retry_after"])
    assert int(refused.headers["retry-after"]) >= 1
    assert (refused.json()["code"], refused.json()["hint"][:13]) == ("too_many", "Try again in ")
    assert refused.headers["cache-control"] == "no-store"
    assert signing_in.status_code == 429


def test_a_page_that_may_not_call_uses_up_nothing(home: Home, tmp_path: Path) -> None:
    settings = few(tmp_path / "home")
    client = TestClient(create_app(Home(settings, home.database), lambda: None), base_url=IN_PROCESS)
    for _ in range(20):
        assert client.get("/healthz", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get("/healthz").status_code == 200


def test_a_token_has_so_many_requests_wherever_it_comes_from(tmp_path: Path) -> None:
    app = FastAPI()
    app.state.limits = Limits(few(tmp_path))
    problems.install(app)

    @app.get("/{who}")
    def ask(who: str, request: Request) -> str:
        limit_caller(request, who)
        return "yes"

    client = TestClient(app)
    assert [client.get("/token-1").status_code for _ in range(5)] == [200] * 4 + [429]
    assert int(client.get("/token-1").headers["retry-after"]) >= 1
    assert client.get("/token-2").status_code == 200


def test_a_client_in_the_same_process_has_no_address(home: Home, tmp_path: Path) -> None:
    app = create_app(Home(few(tmp_path / "home"), home.database), lambda: None)

    async def many() -> set[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(inside(app)), base_url=IN_PROCESS) as client:
            return {(await client.get("/healthz")).status_code for _ in range(20)}

    assert asyncio.run(many()) == {200}


def test_nobody_from_the_network_passes_for_a_client_in_the_same_process(home: Home, tmp_path: Path) -> None:
    settings = few(tmp_path / "home")
    with live(create_app(Home(settings, home.database), lambda: None), settings) as server:
        for name in ("atlas.inside", "X-Forwarded-For", "Forwarded", "X-Real-IP", "Client", "State", "Extensions"):
            assert httpx.get(f"{server.url}/healthz", headers={name: "atlas.inside"}).status_code == 200
        for name in ("atlas.inside", "X-Forwarded-For", "Forwarded"):
            last = httpx.get(f"{server.url}/healthz", headers={name: "True"}).status_code
        assert last == 429


def test_without_a_trusted_proxy_nobody_chooses_their_address(home: Home, tmp_path: Path) -> None:
    settings = few(tmp_path / "home")
    with live(create_app(Home(settings, home.database), lambda: None), settings) as server:
        answers = [
            httpx.get(f"{server.url}/healthz", headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code
            for n in range(9)
        ]
    assert answers[-1] == 429


def test_behind_a_trusted_proxy_the_rightmost_other_address_counts(home: Home, tmp_path: Path) -> None:
    settings = few(tmp_path / "home", ATLAS_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8")
    with live(create_app(Home(settings, home.database), lambda: None), settings) as server:

        def ask(*forwarded: str) -> int:
            headers = [("X-Forwarded-For", value) for value in forwarded]
            return httpx.get(f"{server.url}/healthz", headers=headers).status_code

        # whatever the client claims to the left of it, in one header or two
        answers = [ask(f"203.0.113.{n}, 198.51.100.1, 10.1.2.3") for n in range(8)]
        assert (set(answers), ask("203.0.113.9", "198.51.100.1, 10.1.2.3")) == ({200}, 429)
        assert ask("198.51.100.1, 198.51.100.2") == 200


@pytest.mark.parametrize("name", ["ATLAS_LIMIT_PER_ADDRESS", "ATLAS_LIMIT_SIGN_IN", "ATLAS_LIMIT_PER_TOKEN"])
@pytest.mark.parametrize("value", ["", "many", "0/minute", "-1/minute", "10", "10/fortnight", "1.5/minute"])
def test_a_malformed_limit_is_an_error_that_names_it(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        load({name: value})


@pytest.mark.parametrize("value", ["*", "proxy.internal", "10.0.0.1/8", "10.0.0.0/33", "300.0.0.1"])
def test_a_malformed_proxy_is_an_error(value: str) -> None:
    with pytest.raises(Misconfigured, match="ATLAS_TRUSTED_PROXIES"):
        load({"ATLAS_TRUSTED_PROXIES": value})


def test_requests_count_before_a_route_is_looked_for(tmp_path: Path) -> None:
    reached: list[str] = []

    async def app(scope: dict[str, str], *_: object) -> None:
        reached.append(scope["path"])

    async def ask(times: int) -> list[int]:
        sent: list[int] = []

        async def send(message: dict[str, int]) -> None:
            sent.extend([message["status"]] if "status" in message else [])

        counted = ByAddress(app, Limits(few(tmp_path)))  # type: ignore[arg-type]
        for _ in range(times):
            await counted({"type": "http", "path": "/x", "client": ("192.0.2.1", 1)}, None, send)  # type: ignore[arg-type]
        return sent

    assert (asyncio.run(ask(10)), len(reached)) == ([429, 429], 8)


def test_what_many_people_said_counts_as_theirs_and_not_as_their_bot_s(tmp_path: Path) -> None:
    embedded = Embedded(few(tmp_path / "home"))
    token = embedded.token(None, name="bot", scopes=["speak-for"])
    client = TestClient(embedded.app, base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"})

    def say(*said: tuple[str, int]) -> list[dict[str, int | None]]:
        items = [
            {"key": f"slack:T1:{person}-{n}", "person": f"slack:T1:{person}", "text": "status", "place": {}}
            for person, n in said
        ]
        answer = client.post("/api/v1/inbox", json={"items": items})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    for n in range(4):
        assert [bool(stored["id"]) for stored in say(("KIM", n), ("BO", n))] == [True, True]
    kim, bo, ann = say(("KIM", 5), ("BO", 5), ("ANN", 1))
    assert (kim["id"], bo["id"]) == (None, None)
    assert min(kim["wait"] or 0, bo["wait"] or 0) >= 1
    assert (bool(ann["id"]), ann["wait"]) == (True, None)
    embedded.close()


def test_callers_at_the_same_moment_are_all_counted(tmp_path: Path) -> None:
    def slowly(frame: FrameType, what: str, _: object) -> Any:
        if frame.f_code.co_filename == memory.__file__:
            time.sleep(0.001)  # at each line of the storage the others get their turn
            return slowly
        return None

    limits = Limits(load({"ATLAS_HOME": str(tmp_path), **FEW}))
    together = threading.Barrier(4, timeout=60)
    threading.settrace(slowly)
    try:
        with ThreadPoolExecutor(4) as pool:
            counted = list(pool.map(lambda name: (together.wait(), taken(limits, name))[1], "abcd"))
    finally:
        threading.settrace(None)  # type: ignore[arg-type]
    assert counted == [8] * 4
