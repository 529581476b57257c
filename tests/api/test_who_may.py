"""Nobody gets in without a token, and nobody further than their role."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from api.main import create_app
from engine.home import Home
from engine.store import access
from engine.store.tables import Token, User
from tests.api.conftest import Client

OPEN = {
    "/healthz", "/readyz", "/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/auth/logout",
    "/api/v1/files/{token}",  # the link is the key
}  # fmt: skip


def test_every_route_but_health_declares_its_rights(home: Home) -> None:
    document = create_app(home, lambda: None).openapi()
    for where, methods in document["paths"].items():
        for method, operation in methods.items():
            assert where in OPEN or "security" in operation, (method, where)


@pytest.mark.parametrize(
    ("role", "method", "where", "allowed"),
    [
        ("viewer", "POST", "/api/v1/runs", False),
        ("operator", "POST", "/api/v1/runs", True),
        ("steward", "POST", "/api/v1/runs", True),
        ("dpo", "POST", "/api/v1/runs", False),
        ("viewer", "GET", "/api/v1/models/x/rows", False),
        ("operator", "GET", "/api/v1/models/x/rows", True),
        ("operator", "GET", "/api/v1/datasets/x/pii", False),
        ("dpo", "GET", "/api/v1/datasets/x/pii", True),
        ("viewer", "GET", "/api/v1/runs", True),
        ("admin", "POST", "/api/v1/runs", True),
    ],
)
def test_a_role_may_do_what_it_may(client: Client, role: str, method: str, where: str, allowed: bool) -> None:
    answer = client(role).request(method, where, json={"pipeline": "x"} if method == "POST" else None)
    assert (answer.status_code != 403) == allowed
    if not allowed:
        assert f"you are {role}" in answer.json()["detail"]


def test_a_token_that_has_ended_is_refused(home: Home, client: Client) -> None:
    anna = client("viewer")
    with home.database.write() as db:
        db.execute(update(Token).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert anna.get("/api/v1/me").status_code == 401


def test_a_role_that_changes_holds_at_the_next_request(home: Home, client: Client) -> None:
    anna = client("admin")
    assert anna.get("/api/v1/datasets/x/pii").status_code == 404
    with home.database.write() as db:
        db.execute(update(User).where(User.name == "admin").values(role="viewer"))
    assert anna.get("/api/v1/datasets/x/pii").status_code == 403


def test_the_database_does_not_hold_the_token(home: Home) -> None:
    with home.database.write() as db:
        token = access.issue(db, access.user(db, "viewer"), 60)
    with home.database.read() as db:
        assert all(
            token not in row.hash and token.removeprefix("atlas_") not in row.hash for row in db.scalars(select(Token))
        )


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer " + "x" * 9000, "Bearer \u00e6"])
def test_no_authorization_header_makes_the_server_fail(client: Client, header: str) -> None:
    answer = client(None).get("/api/v1/me", headers={"Authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Host": ""}])
def test_a_web_page_cannot_reach_the_server_by_another_name(client: Client, headers: dict[str, str]) -> None:
    assert client("admin").get("/api/v1/me", headers=headers).status_code == 403
