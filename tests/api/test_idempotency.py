"""A write that comes twice under one key is done once and answered the same."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from engine.home import Home
from engine.store.tables import AuditEntry, Idempotent, Run, Token
from tests.api.conftest import Client

KEY = {"Idempotency-Key": "7f3c"}
RUN = {"pipeline": "orders"}


@pytest.fixture
def admin(client: Client, orders: object) -> TestClient:
    return client("admin")


def test_the_same_key_gets_the_same_answer_and_nothing_happens(admin: TestClient, home: Home) -> None:
    first = admin.post("/api/v1/runs", json=RUN, headers=KEY)
    admin.post("/api/v1/runs/1/cancel")
    second = admin.post("/api/v1/runs", json=RUN, headers=KEY)
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers["Idempotency-Replayed"] == "true"
    with home.database.read() as db:
        assert db.scalar(select(func.count()).select_from(Run)) == 1
        assert db.scalar(select(func.count()).where(AuditEntry.action == "run.start")) == 1


def test_a_key_does_not_serve_for_another_request(admin: TestClient) -> None:
    admin.post("/api/v1/runs", json=RUN, headers=KEY)
    assert admin.post("/api/v1/runs", json={**RUN, "full": True}, headers=KEY).status_code == 422
    assert admin.post("/api/v1/runs/1/cancel", headers=KEY).status_code == 422


def test_somebody_elses_key_is_not_mine(admin: TestClient, client: Client) -> None:
    admin.post("/api/v1/tokens", json={"name": "mine"}, headers=KEY)
    other = client("operator").post("/api/v1/runs", json=RUN, headers=KEY)
    assert other.status_code == 202
    assert "Idempotency-Replayed" not in other.headers


def test_what_was_refused_may_be_tried_again_under_its_key(admin: TestClient) -> None:
    assert admin.post("/api/v1/runs", json={"pipeline": "ordres"}, headers=KEY).status_code == 404
    assert admin.post("/api/v1/runs", json=RUN, headers=KEY).status_code == 202


def test_an_answer_with_a_secret_is_not_kept(admin: TestClient, home: Home) -> None:
    made = admin.post("/api/v1/tokens", json={"name": "mine"}, headers=KEY).json()
    again = admin.post("/api/v1/tokens", json={"name": "mine"}, headers=KEY)
    assert again.status_code == 409
    with home.database.read() as db:
        assert db.scalar(select(func.count()).where(Token.name == "mine")) == 1
        assert made["token"] not in str([(row.key, row.answer) for row in db.scalars(select(Idempotent))])


def test_an_answer_without_a_body_is_given_again(admin: TestClient) -> None:
    number = admin.post("/api/v1/tokens", json={"name": "mine"}).json()["id"]
    for _ in range(2):
        assert admin.delete(f"/api/v1/tokens/{number}", headers=KEY).status_code == 204


def test_many_at_once_under_one_key_do_it_once(admin: TestClient, home: Home) -> None:
    def add(_: int) -> int:
        return admin.post("/api/v1/users", json={"user": "bo"}, headers=KEY).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(add, range(8)))
    assert 201 in statuses
    assert set(statuses) <= {201, 409}
    with home.database.read() as db:
        assert db.scalar(select(func.count()).where(AuditEntry.action == "user.add")) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_of_no_use_is_refused(admin: TestClient, key: str) -> None:
    assert admin.post("/api/v1/runs", json=RUN, headers={"Idempotency-Key": key}).status_code == 422


def test_an_answer_is_not_given_again_to_who_lost_the_right_to_it(admin: TestClient, client: Client) -> None:
    """Whoever may still run another dataset passes the door of the route; the answer kept is of this one."""
    for dataset in ("orders", "others"):
        (admin.app.state.home.settings.pipelines / f"{dataset}.yml").write_text(
            f"name: {dataset}\nowner: web-team\nsource: {{connector: csv, path: orders.csv}}\n"
        )
        assert admin.put(f"/api/v1/datasets/{dataset}/grants/viewer", json={"role": "steward"}).status_code == 200
    viewer = client("viewer")
    assert viewer.post("/api/v1/runs", json=RUN, headers=KEY).status_code == 202
    admin.delete("/api/v1/datasets/orders/grants/viewer")
    again = viewer.post("/api/v1/runs", json=RUN, headers=KEY)
    assert again.status_code == 409
    assert "pipeline" not in again.json()
