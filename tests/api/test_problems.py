"""Every error is a problem document that says what happened and what would work."""

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import Client


@pytest.fixture
def admin(client: Client, orders: object) -> TestClient:
    return client("admin")


def test_a_typo_in_a_pipelines_name_gets_the_nearest(admin: TestClient) -> None:
    answer = admin.post("/api/v1/runs", json={"pipeline": "ordres"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "There is no pipeline `ordres`."
    assert answer.json()["nearest"] == ["orders"]


def test_a_wrong_field_is_named_and_its_value_is_not_repeated(admin: TestClient) -> None:
    answer = admin.post("/api/v1/runs", json={"pipeline": "orders", "password": "hunter2"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.password"
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ("/api/v1/runs/7", 404),
        ("/api/v1/runs/seven", 422),
        ("/api/v1/runs?pipeline=ordres", 404),
        ("/api/v1/runs?limit=0", 422),
        ("/api/v1/datasets/orders", 404),
        ("/api/v1/datasets/..%2F..%2Fetc%2Fpasswd", 404),
        ("/api/v1/datasets/orders/quality", 404),
        ("/api/v1/datasets/orders/pii", 404),
        ("/api/v1/datasets/nowhere/pii", 404),
        ("/api/v1/models/orders/rows", 404),
        ("/api/v1/why/orders", 404),
        ("/api/v1/why/99", 404),
        ("/nowhere", 404),
    ],
)
def test_what_is_not_there_is_told(admin: TestClient, where: str, status: int) -> None:
    answer = admin.get(where)
    assert answer.status_code == status
    assert answer.json()["code"]
    assert answer.json()["status"] == status


def test_a_run_that_has_ended_cannot_be_cancelled(admin: TestClient) -> None:
    number = admin.post("/api/v1/runs", json={"pipeline": "orders"}).json()["run"]
    assert admin.post(f"/api/v1/runs/{number}/cancel").json()["state"] == "cancelled"
    again = admin.post(f"/api/v1/runs/{number}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "refused")


def test_a_second_start_joins(admin: TestClient) -> None:
    first = admin.post("/api/v1/runs", json={"pipeline": "orders"}).json()
    second = admin.post("/api/v1/runs", json={"pipeline": "orders"}).json()
    assert (first["joined"], second["joined"], first["run"] == second["run"]) == (False, True, True)


def test_lists_are_paged(admin: TestClient) -> None:
    for _ in range(5):
        number = admin.post("/api/v1/runs", json={"pipeline": "orders"}).json()["run"]
        admin.post(f"/api/v1/runs/{number}/cancel")
    page = admin.get("/api/v1/runs?limit=2").json()
    rest = admin.get(f"/api/v1/runs?limit=200&after={page['next']}").json()
    assert [run["run"] for run in page["items"] + rest["items"]] == [5, 4, 3, 2, 1]
    assert rest["next"] is None
