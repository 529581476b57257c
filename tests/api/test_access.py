"""Who may do what: roles, grants by owners, tokens with limits, people whom a bot speaks for."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from engine.home import Home
from engine.store import access
from engine.store.tables import AuditEntry, Link, LinkCode, Token
from tests.api.conftest import Client

BEHALF = "Atlas-On-Behalf-Of"
ANNA = "slack:T1:U1"


@pytest.fixture(autouse=True)
def _two_pipelines(settings: Any) -> None:
    for name in ("orders", "customers"):
        text = f"name: {name}\nowner: {name}-team\nsource: {{connector: csv, path: {name}.csv}}\n"
        (settings.pipelines / f"{name}.yml").write_text(text, encoding="utf-8")
        (settings.pipelines / f"{name}.csv").write_text("id,country\n1,DK\n2,SE\n", encoding="utf-8")


def using(client: TestClient, token: str) -> TestClient:
    return TestClient(
        client.app, base_url=str(client.base_url), headers={"Authorization": f"Bearer {token}"},
        raise_server_exceptions=False,
    )  # fmt: skip


def run(client: TestClient, pipeline: str) -> Any:
    return client.post("/api/v1/runs", json={"pipeline": pipeline})


# grants


def test_an_owner_is_steward_of_their_own_dataset_only(client: Client) -> None:
    client("admin").patch("/api/v1/users/viewer", json={"owns": ["orders-team"]})
    viewer = client("viewer")
    assert run(viewer, "orders").status_code == 202
    assert run(viewer, "customers").status_code == 403
    assert viewer.get("/api/v1/datasets/orders/pii").status_code == 404  # nothing was found yet, but they may ask
    assert viewer.get("/api/v1/datasets/customers/pii").status_code == 403


def test_an_owner_gives_a_role_on_their_dataset_and_takes_it_back(client: Client) -> None:
    client("admin").patch("/api/v1/users/viewer", json={"owns": ["orders-team"]})
    client("admin").post("/api/v1/users", json={"user": "bo"})
    owner, bo = client("viewer"), client("bo")
    assert run(bo, "orders").status_code == 403
    assert owner.put("/api/v1/datasets/orders/grants/bo", json={"role": "operator"}).status_code == 200
    assert run(bo, "orders").status_code == 202
    assert run(bo, "customers").status_code == 403
    assert bo.get("/api/v1/datasets/orders/pii").status_code == 403  # an operator is no steward
    shown = owner.get("/api/v1/datasets/orders/grants").json()["items"]
    assert [(row["user"], row["role"], row["granted_by"]) for row in shown] == [("bo", "operator", "viewer")]
    assert owner.delete("/api/v1/datasets/orders/grants/bo").status_code == 204
    assert run(bo, "orders").status_code == 403


def test_nobody_grants_on_a_dataset_that_is_not_theirs(client: Client) -> None:
    client("admin").patch("/api/v1/users/viewer", json={"owns": ["orders-team"]})
    for who in ("viewer", "operator", "steward", "dpo"):
        answer = client(who).put("/api/v1/datasets/customers/grants/viewer", json={"role": "steward"})
        assert answer.status_code == 403


@pytest.mark.parametrize("role", ["dpo", "admin", "viewer", "owner"])
def test_a_grant_gives_no_role_beyond_the_dataset(client: Client, role: str) -> None:
    assert client("admin").put("/api/v1/datasets/orders/grants/viewer", json={"role": role}).status_code == 422


# tokens


def test_a_token_of_one_dataset_sees_and_does_nothing_else(client: Client) -> None:
    admin = client("admin")
    for pipeline in ("orders", "customers"):
        run(admin, pipeline)
    wanted = {"name": "nightly", "datasets": ["orders"], "scopes": ["run", "read:runs", "read:catalog"]}
    script = using(admin, admin.post("/api/v1/tokens", json=wanted).json()["token"])
    assert [item["pipeline"] for item in script.get("/api/v1/runs").json()["items"]] == ["orders"]
    assert [item["name"] for item in script.get("/api/v1/pipelines").json()["items"]] == ["orders"]
    assert run(script, "orders").json()["joined"] is True
    assert run(script, "customers").status_code == 403
    assert script.get("/api/v1/runs/1").status_code == 200
    for path in ("runs/2", "runs/2/events", "datasets/customers", "datasets/orders/pii", "users", "lineage/events"):
        assert script.get(f"/api/v1/{path}").status_code == 403, path
    assert script.post("/api/v1/runs/2/cancel").status_code == 403
    assert script.post("/api/v1/runs/2/retry").status_code == 403


def test_a_token_never_may_more_than_its_users_role_does_now(client: Client) -> None:
    admin = client("admin")
    token = client("operator").post("/api/v1/tokens", json={"name": "nightly", "scopes": ["run"]}).json()["token"]
    script = using(admin, token)
    assert run(script, "orders").status_code == 202
    admin.patch("/api/v1/users/operator", json={"role": "viewer"})
    assert run(script, "orders").status_code == 403
    admin.patch("/api/v1/users/operator", json={"active": False})
    assert run(script, "orders").status_code == 401


def test_a_token_makes_no_token_that_may_more(client: Client) -> None:
    admin = client("admin")
    wanted = {"name": "small", "scopes": ["read:runs"], "datasets": ["orders"], "seconds": 60}
    small = using(admin, admin.post("/api/v1/tokens", json=wanted).json()["token"])
    for more in ({"scopes": ["admin"]}, {"scopes": ["run"]}, {"datasets": ["customers"]}, {"user": "dpo"}):
        assert small.post("/api/v1/tokens", json={"name": "more", **more}).status_code == 403, more
    same = small.post("/api/v1/tokens", json={"name": "same", "seconds": 10_000_000}).json()
    assert (same["scopes"], same["datasets"]) == (["read:runs"], ["orders"])
    assert same["expires_at"] <= admin.get("/api/v1/tokens").json()["items"][-2]["expires_at"]


@pytest.mark.parametrize("scope", ["admin", "read:gdpr", "speak-for", "no such right"])
def test_nobody_makes_a_token_with_a_right_they_lack(client: Client, scope: str) -> None:
    answer = client("operator").post("/api/v1/tokens", json={"name": "more", "scopes": [scope]})
    assert answer.status_code == 403


def test_a_token_is_shown_once_and_of_its_use_the_last_time(client: Client, home: Home) -> None:
    viewer = client("viewer")
    made = viewer.post("/api/v1/tokens", json={"name": "mine"}).json()
    using(viewer, made["token"]).get("/api/v1/me")
    shown = [row for row in viewer.get("/api/v1/tokens").json()["items"] if row["name"] == "mine"]
    assert "token" not in shown[0]
    assert shown[0]["last_used_at"]
    with home.database.read() as db:
        assert made["token"] not in db.scalars(select(Token.hash)).all()


def test_somebody_elses_token_is_neither_listed_nor_ended(client: Client) -> None:
    operator = client("operator")
    made = operator.post("/api/v1/tokens", json={"name": "mine"}).json()
    viewer = client("viewer")
    assert "mine" not in [row["name"] for row in viewer.get("/api/v1/tokens").json()["items"]]
    assert viewer.get("/api/v1/tokens?all=true").status_code == 403
    assert viewer.delete(f"/api/v1/tokens/{made['id']}").status_code == 404
    assert using(viewer, made["token"]).get("/api/v1/me").status_code == 200
    assert client("admin").delete(f"/api/v1/tokens/{made['id']}").status_code == 204
    assert using(viewer, made["token"]).get("/api/v1/me").status_code == 401


# users


def test_the_last_administrator_stays_one(client: Client) -> None:
    admin = client("admin")
    for change in ({"role": "viewer"}, {"active": False}):
        assert admin.patch("/api/v1/users/admin", json=change).status_code == 409
    admin.post("/api/v1/users", json={"user": "second", "role": "admin"})
    assert admin.patch("/api/v1/users/admin", json={"role": "viewer"}).status_code == 200
    assert admin.get("/api/v1/users").status_code == 403  # and the same token is a viewer's from now on


@pytest.mark.parametrize("extra", [{"id": 1}, {"password": "hunter2hunter2"}, {"generation": 9}, {"active": True}])
def test_no_field_beyond_the_documented_ones_is_taken(client: Client, extra: dict[str, Any]) -> None:
    answer = client("admin").post("/api/v1/users", json={"user": "bo", "role": "viewer", **extra})
    assert answer.status_code == 422
    assert next(iter(extra)) in answer.json()["errors"][0]["field"]
    assert client("admin").get("/api/v1/users/bo").status_code == 404


def test_one_sees_oneself_and_not_the_others(client: Client) -> None:
    viewer = client("viewer")
    assert viewer.get("/api/v1/users/viewer").json()["role"] == "viewer"
    assert viewer.get("/api/v1/users/admin").status_code == 403
    assert viewer.get("/api/v1/users/nobody").status_code == 403


# people whom a bot speaks for


@pytest.fixture
def bot(client: Client) -> TestClient:
    admin = client("admin")
    made = admin.post("/api/v1/tokens", json={"name": "bot", "scopes": ["speak-for"]}).json()
    return using(admin, made["token"])


def test_an_unknown_person_gets_a_code_and_nothing_else(client: Client, bot: TestClient) -> None:
    who = {BEHALF: ANNA}
    assert bot.get("/api/v1/me", headers=who).json()["user"] == ""
    for path in ("runs", "datasets", "pipelines", "models/x/rows"):
        answer = bot.get(f"/api/v1/{path}", headers=who)
        assert (answer.status_code, answer.json()["hint"]) == (403, "link"), path
    assert bot.post("/api/v1/links/codes", headers=who).status_code == 201


def test_a_code_links_a_person_once(client: Client, bot: TestClient, home: Home) -> None:
    code = bot.post("/api/v1/links/codes", headers={BEHALF: ANNA}).json()["code"]
    steward = client("steward")
    assert steward.post("/api/v1/links/confirm", json={"code": code.lower()}).status_code == 201
    assert bot.get("/api/v1/me", headers={BEHALF: ANNA}).json()["user"] == "steward"
    assert client("admin").post("/api/v1/links/confirm", json={"code": code}).status_code == 404
    with home.database.read() as db:
        assert db.scalars(select(LinkCode)).all() == []


def test_a_newer_code_takes_the_place_of_the_one_before(client: Client, bot: TestClient) -> None:
    first, second = (bot.post("/api/v1/links/codes", headers={BEHALF: ANNA}).json()["code"] for _ in range(2))
    assert client("viewer").post("/api/v1/links/confirm", json={"code": first}).status_code == 404
    assert client("viewer").post("/api/v1/links/confirm", json={"code": second}).status_code == 201


def test_a_bot_has_the_rights_of_the_person_and_none_of_its_own(client: Client, bot: TestClient) -> None:
    admin = client("admin")
    admin.post("/api/v1/links", json={"platform": "slack", "tenant": "T1", "person": "U1", "user": "viewer"})
    who = {BEHALF: ANNA}
    assert bot.get("/api/v1/runs", headers=who).status_code == 200
    assert bot.get("/api/v1/users", headers=who).status_code == 403
    assert run(bot, "orders").status_code == 403  # speaking for nobody it may nothing
    assert bot.post("/api/v1/runs", json={"pipeline": "orders"}, headers=who).status_code == 403
    admin.patch("/api/v1/users/viewer", json={"role": "operator"})
    started = bot.post("/api/v1/runs", json={"pipeline": "orders"}, headers=who)
    assert started.json()["requested_by"] == "viewer"


def test_through_a_bot_nobody_makes_tokens_passwords_or_links(client: Client, bot: TestClient) -> None:
    admin = client("admin")
    admin.post("/api/v1/links", json={"platform": "slack", "tenant": "T1", "person": "U1", "user": "admin"})
    who = {BEHALF: ANNA}
    link = {"platform": "slack", "tenant": "T1", "person": "U2", "user": "admin"}
    assert bot.post("/api/v1/tokens", json={"name": "mine"}, headers=who).status_code == 403
    assert bot.put("/api/v1/users/dpo/password", json={"password": "x" * 20}, headers=who).status_code == 403
    assert bot.post("/api/v1/links", json=link, headers=who).status_code == 403


@pytest.mark.parametrize(
    "said", ["slack", "slack:T1", "Slack:T1:U1", "slack:T1:U1\tx", "slack:T 1:U1", "a:b:" + "c" * 101]
)
def test_what_is_no_identity_is_refused(bot: TestClient, said: str) -> None:
    assert bot.get("/api/v1/me", headers={BEHALF: said}).status_code == 422


def test_only_a_bot_speaks_for_others(client: Client) -> None:
    for role in access.ROLES[:-1]:
        assert client(role).get("/api/v1/me", headers={BEHALF: ANNA}).status_code == 403


def test_an_identity_that_is_somebody_is_not_taken_over(client: Client, bot: TestClient, home: Home) -> None:
    wanted = {"platform": "slack", "tenant": "T1", "person": "U1", "user": "viewer"}
    admin = client("admin")
    assert admin.post("/api/v1/links", json=wanted).status_code == 201
    assert admin.post("/api/v1/links", json={**wanted, "user": "dpo"}).status_code == 409
    code = bot.post("/api/v1/links/codes", headers={BEHALF: ANNA}).json()["code"]
    assert client("dpo").post("/api/v1/links/confirm", json={"code": code}).status_code == 409
    with home.database.read() as db:
        assert [link.user_id for link in db.scalars(select(Link))] == [access.user(db, "viewer").id]


def test_somebody_elses_link_is_neither_listed_nor_ended(client: Client) -> None:
    wanted = {"platform": "slack", "tenant": "T1", "person": "U1", "user": "viewer"}
    number = client("admin").post("/api/v1/links", json=wanted).json()["id"]
    assert client("dpo").get("/api/v1/links").json()["items"] == []
    assert client("dpo").delete(f"/api/v1/links/{number}").status_code == 404
    assert client("viewer").delete(f"/api/v1/links/{number}").status_code == 204


# what is written down


def test_what_was_refused_is_written_down_too(client: Client, home: Home) -> None:
    run(client("viewer"), "orders")
    with home.database.read() as db:
        last = db.scalars(select(AuditEntry).order_by(AuditEntry.number.desc())).first()
    assert last is not None
    assert (last.who, last.action, last.result) == ("viewer", "POST /api/v1/runs", "forbidden")


def test_one_caller_watches_so_many_runs_at_once(client: Client, home: Home) -> None:
    from api.watching import MOST_OF_ONE

    admin = client("admin")
    number = run(admin, "orders").json()["run"]
    with home.database.read() as db:
        who = f"user:{access.user(db, 'admin').id}"
    for _ in range(MOST_OF_ONE):
        admin.app.state.watching.begin(who)  # type: ignore[attr-defined]
    refused = admin.get(f"/api/v1/runs/{number}/events")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")


@pytest.mark.parametrize("path", ["audit?user=viewer", "runs?stat=failed", "runs?limt=3", "me?x=1"])
def test_a_parameter_that_is_not_there_is_refused_and_the_nearest_named(client: Client, path: str) -> None:
    answer = client("admin").get(f"/api/v1/{path}")
    assert answer.status_code == 422
    assert answer.json()["hint"].startswith(("There is: ", "This route has none."))


def test_the_number_of_a_token_is_never_given_again(client: Client) -> None:
    admin = client("admin")
    first = admin.post("/api/v1/tokens", json={"name": "first"}).json()["id"]
    admin.delete(f"/api/v1/tokens/{first}")
    assert admin.post("/api/v1/tokens", json={"name": "second"}).json()["id"] > first


def test_a_limited_token_of_an_owner_is_told_what_it_lacks(client: Client) -> None:
    admin = client("admin")
    admin.patch("/api/v1/users/viewer", json={"owns": ["orders-team"]})
    made = client("viewer").post("/api/v1/tokens", json={"name": "x", "scopes": ["run"]}).json()["token"]
    refused = using(admin, made).get("/api/v1/datasets/orders/pii")
    assert (refused.status_code, refused.json()["hint"]) == (403, "It lacks the scope read:pii.")


def test_names_that_look_alike_are_one(client: Client) -> None:
    admin = client("admin")
    assert admin.post("/api/v1/users", json={"user": "Åse"}).status_code == 201
    for name in ("åse", "A\u030ase"):
        assert admin.post("/api/v1/users", json={"user": name}).status_code == 409
    assert admin.get("/api/v1/users/A\u030ase").json()["user"] == "Åse"
