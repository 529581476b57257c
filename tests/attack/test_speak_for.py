"""Attacks with a stolen token of a bot: every route, on behalf of everybody who is linked, and of nobody."""

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from engine.store import access, links
from engine.store.links import Identity
from tests.api import rights
from tests.attack.attempts import Attempts, Guard
from tests.attack.shop import Shop

BEHALF = "Atlas-On-Behalf-Of"
UNKNOWN = "unknown"
# of these neither the caller nor the header is looked at: they are open to everybody
OPEN = {route for route, row in rights.table().items() if row[rights.NOBODY] == "yes"}
GUARDS = [
    Guard("api/deps.py", "            if found.identity is not None:\n", "            if False:\n",
          "test_speak_for.py::test_a_bots_token_opens_no_route_that_is_not_listed_whoever_is_linked"),
    Guard("api/on_behalf.py", 'if f"{method} {path}" not in ROUTES:',
          'if path not in {route.split(" ")[1] for route in ROUTES}:',
          "test_speak_for.py::test_a_listed_path_opens_no_other_method"),
    Guard("api/routes/users.py",
          "    caller.may_give(access.rights(wanted.role) | (access.OWNER if wanted.owns else frozenset()))\n", "",
          "test_speak_for.py::test_a_token_with_scopes_gives_nobody_a_right_it_lacks"),
    Guard("api/routes/users.py", "            caller.may_give(new | (access.rights_of(db, row) - before))\n", "",
          "test_speak_for.py::test_a_token_with_scopes_gives_nobody_a_right_it_lacks"),
    Guard("api/routes/grants.py", "    caller.may_give(access.rights(wanted.role))\n", "",
          "test_speak_for.py::test_a_token_with_scopes_gives_nobody_a_right_it_lacks"),
]  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A user of each role, each linked to a person in a chat."""
    made = Shop(tmp_path_factory.mktemp("speak"))
    made.pipeline("orders", "web-team")
    with made.home.database.write() as db:
        for role in access.ROLES:
            links.link(db, Identity("slack", "T1", role), access.add_user(db, role, role), "test")
    yield made
    made.home.database.close()


@pytest.fixture(scope="module")
def bot(shop: Shop) -> TestClient:
    return shop.caller("admin", scopes=["speak-for"])


def call(bot: TestClient, route: str, person: str) -> int:
    method, path = re.sub(r"\{[^}]*\}", "1", route).split(" ", 1)
    return bot.request(method, path, headers={BEHALF: f"slack:T1:{person}"}).status_code


def test_a_bots_token_opens_no_route_that_is_not_listed_whoever_is_linked(
    shop: Shop, bot: TestClient, attempts: Attempts
) -> None:
    """With it one could add users, promote, grant, and read settings and the audit log, as a linked administrator."""
    closed = rights.routes(shop.app).keys() - rights.in_chat() - OPEN
    assert len(closed) >= 35
    for route in sorted(closed):
        for person in (*access.ROLES, UNKNOWN):
            attempts.tried("speak-for", f"{route} for {person}", held=call(bot, route, person) == 403)


def test_a_listed_path_opens_no_other_method(shop: Shop, bot: TestClient, attempts: Attempts) -> None:
    for route in sorted(rights.in_chat()):
        path = route.split(" ")[1]
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
            other = f"{method} {path}"
            if other in rights.in_chat():
                continue
            attempts.tried("speak-for", f"{other} for admin", held=call(bot, other, "admin") in (403, 405))


def test_on_behalf_of_somebody_a_listed_route_takes_the_rights_of_that_person(
    shop: Shop, bot: TestClient, attempts: Attempts
) -> None:
    rows = rights.table()
    wrong = []
    for route in sorted(rights.in_chat()):
        for person in access.ROLES:
            status = call(bot, route, person)
            if rows[route][person] == "no":
                attempts.tried("speak-for", f"{route} for {person}", held=status == 403)
            elif status in (401, 403):
                wrong.append(f"{route} for {person}: {status}")
        known = route in ("GET /api/v1/me", "POST /api/v1/links/codes", "POST /api/v1/files")
        if not known:  # these ask for no right: who speaks, and what a stranger needs to become known
            attempts.tried("speak-for", f"{route} for a stranger", held=call(bot, route, UNKNOWN) in (403, 422))
    assert wrong == []


def test_what_was_refused_to_a_bot_is_written_down_under_the_person_it_spoke_for(shop: Shop, bot: TestClient) -> None:
    answer = bot.get("/api/v1/settings", headers={BEHALF: "slack:T1:admin"})
    assert (answer.status_code, answer.json()["detail"]) == (403, "This cannot be done from a chat.")
    newest = shop.caller("admin").get("/api/v1/audit?limit=1").json()["items"][0]
    assert (newest["who"], newest["through"], newest["result"]) == ("admin", "slack:T1:admin", "forbidden")


def test_a_token_with_scopes_gives_nobody_a_right_it_lacks(shop: Shop, attempts: Attempts) -> None:
    """A token of the scope `admin` alone made an accomplice an administrator, with all the rights it did not have."""
    shop.user("friend")
    shop.user("gone", "operator")
    shop.caller("admin").patch("/api/v1/users/gone", json={"active": False})
    tries = [
        *(("POST", "users", {"user": f"new-{role}", "role": role}) for role in access.ROLES),
        ("POST", "users", {"user": "new-owner", "owns": ["web-team"]}),
        *(("PATCH", "users/friend", {"role": role}) for role in access.ROLES if role != "viewer"),
        ("PATCH", "users/friend", {"owns": ["web-team"]}),
        ("PATCH", "users/gone", {"active": True}),
        ("PUT", "users/friend/password", {"password": "en lang sætning til ham"}),
        *(("PUT", "datasets/orders/grants/friend", {"role": role}) for role in access.GRANTABLE),
        *(("POST", "tokens", {"name": "more", "user": "friend", "scopes": [one]}) for one in ("run", "read:models")),
        ("POST", "links", {"platform": "slack", "tenant": "T1", "person": "friend", "user": "admin"}),
    ]
    for scopes in (["admin"], ["grant"], ["admin", "grant"], ["admin", "read:audit", "read:runs"]):
        stolen = shop.caller("admin", scopes=scopes)
        for method, path, body in tries:
            status = stolen.request(method, f"/api/v1/{path}", json=body).status_code
            attempts.tried("scopes", f"{' '.join(scopes)}: {method} {path} {body}", held=status == 403)
    me = shop.caller("friend").get("/api/v1/me").json()
    assert (me["role"], me["somewhere"]) == ("viewer", [])


def test_a_token_with_the_scope_admin_still_takes_rights_away(shop: Shop) -> None:
    shop.user("leaves", "steward", ["crm-team"])
    helper = shop.caller("admin", scopes=["admin"])
    for change in ({"role": "viewer"}, {"owns": []}, {"active": False}):
        assert helper.patch("/api/v1/users/leaves", json=change).status_code == 200
    wide = shop.caller("admin", scopes=["admin", *access.rights("viewer")])
    assert wide.post("/api/v1/users", json={"user": "trainee"}).status_code == 201
