"""A request has one id: in its answer, its problem, its log line, its run."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.main import IN_PROCESS, create_app
from engine.home import Home
from engine.store import access, runs
from tests.api.conftest import Client

GIVEN = "5a1d1c4a700010f25a1d1c4a700010f2"
CANARY = "canary@mail.example"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    logging.getLogger("atlas").setLevel(logging.INFO)
    yield caplog
    logging.getLogger("atlas").setLevel(logging.NOTSET)


def test_an_id_that_is_one_is_kept(client: Client) -> None:
    answer = client("viewer").get("/api/v1/runs/7", headers={"X-Request-ID": GIVEN})
    assert (answer.status_code, answer.headers["X-Request-ID"], answer.json()["request_id"]) == (404, GIVEN, GIVEN)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "x" * 65,
        "with space",
        'x"}\n{"level": "ERROR',
        "1234567\n8",
        "é" * 9,
        "010203-1234",
        "x" * 32,
        "0" * 31,
        "0" * 33,
        f"{GIVEN}\n",
        GIVEN.upper(),
        "00010203-1234-0102-0312-34010203123",
        "Jens.Hansen-010203-1234",
    ],
)
def test_anything_else_is_replaced(client: Client, given: str) -> None:
    """Through the server's own door: a client would refuse to send most of these."""
    app = client(None).app
    sent = []

    async def ask() -> None:
        async def receive() -> dict[str, object]:
            return {"type": "http.request"}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"x-request-id", given.encode("latin-1"))]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/api/v1/me",
            "raw_path": b"/api/v1/me", "query_string": b"", "headers": headers, "scheme": "http", "root_path": "",
            "server": ("atlas", 80), "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await app(scope, receive, send)

    asyncio.run(ask())
    headers = dict(sent[0]["headers"])
    made = headers[b"x-request-id"].decode()
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert json.loads(sent[1]["body"])["request_id"] == made


def test_every_problem_has_the_id(client: Client, orders: object) -> None:
    nobody, viewer, operator = client(None), client("viewer"), client("operator")
    answers = [
        nobody.get("/api/v1/me"),
        viewer.post("/api/v1/runs", json={"pipeline": "orders"}),
        viewer.get("/nowhere"),
        viewer.put("/api/v1/me"),
        viewer.get("/api/v1/runs/seven"),
        viewer.get("/api/v1/me", headers={"Host": "evil.example"}),
        operator.post("/api/v1/runs", json={"pipeline": "a\nb"}),
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 404, 405, 422, 403, 404]
    for answer in answers:
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == len(answers)


def test_a_bug_refers_to_the_id_and_keeps_what_it_said(home: Home, log: pytest.LogCaptureFixture) -> None:
    app = create_app(home, lambda: None)

    @app.get("/broken")
    def broken() -> None:
        raise ValueError(CANARY)

    answer = TestClient(app, base_url=IN_PROCESS, raise_server_exceptions=False).get(
        "/broken", headers={"X-Request-ID": GIVEN}
    )
    assert (answer.status_code, answer.json()["request_id"]) == (500, GIVEN)
    assert GIVEN in answer.json()["detail"]
    assert answer.headers["X-Request-ID"] == GIVEN
    assert CANARY not in answer.text + log.text
    assert "bug: ValueError" in log.text


def test_a_request_is_one_line_with_its_template_and_its_user(
    home: Home, client: Client, log: pytest.LogCaptureFixture
) -> None:
    client("viewer").get(f"/api/v1/datasets/{CANARY}", headers={"X-Request-ID": GIVEN})
    with home.database.read() as db:
        number = access.user(db, "viewer").id
    lines = [record for record in log.records if record.name == "atlas.api"]
    assert [(line.getMessage(), line.method, line.route, line.status, line.user) for line in lines] == [
        ("answered", "GET", "/api/v1/datasets/{name}", 404, number)
    ]
    assert CANARY not in str(lines[0].__dict__)


def test_a_run_remembers_the_request_that_asked_for_it(home: Home, client: Client, orders: object) -> None:
    operator = client("operator")
    started = operator.post(
        "/api/v1/runs", json={"pipeline": "orders"}, headers={"X-Request-ID": "00000000000000000000000000000001"}
    )
    joined = operator.post(
        "/api/v1/runs", json={"pipeline": "orders"}, headers={"X-Request-ID": "00000000000000000000000000000002"}
    )
    number = started.json()["run"]
    assert joined.json()["run"] == number
    operator.post(f"/api/v1/runs/{number}/cancel")
    again = operator.post(
        f"/api/v1/runs/{number}/retry", headers={"X-Request-ID": "00000000000000000000000000000003"}
    ).json()["run"]
    with home.database.read() as db:
        assert [runs.get(db, n).request_id for n in (number, again)] == [
            "00000000000000000000000000000001",
            "00000000000000000000000000000003",
        ]
