"""Attacks with tokens that were made from a stolen sign-in: none outlives what its victim does against it."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from core.errors import Refused
from engine.access import passwords
from engine.store import access
from engine.store.database import HEAD, Database, migrate
from engine.store.tables import User
from tests.attack.attempts import Attempts, Guard
from tests.attack.shop import Shop

PASSWORD, NEW = "rødgrød med fløde på", "koldskål med kammerjunkere"
LIMITS: tuple[dict[str, Any], ...] = ({}, {"scopes": ["read:runs"]}, {"datasets": ["orders"]}, {"seconds": 60})
DEEP = 3  # tokens made from tokens
GUARDS = [
    Guard("engine/store/access.py", "Token.sign_in_id.in_(select(SignIn.id).where(SignIn.user_id == row.id))",
          "Token.id == 0", "test_tokens.py::test_no_token_outlives_the_sign_ins_that_somebody_ended"),
    Guard("engine/store/access.py", "sign_in_id=sign_in, made_from=made_from,", "made_from=made_from,",
          "test_tokens.py::test_no_token_outlives_the_sign_ins_that_somebody_ended"),
    Guard("engine/store/access.py", "which, found = (Token.made_from.in_(ended),), True", "return True",
          "test_tokens.py::test_no_token_outlives_the_token_that_made_it"),
    Guard("engine/access/sign_in.py", "access.end_tokens_of(db, found.id)", "pass",
          "test_tokens.py::test_no_token_outlives_the_sign_ins_that_somebody_ended"),
    Guard("engine/store/access.py", "        _room(db, owner)\n", "",
          "test_tokens.py::test_nobody_has_more_than_twenty_tokens"),
    Guard("engine/store/access.py", "where(User.id == owner.id).with_for_update())",
          "where(User.id == owner.id))", "test_tokens.py::test_many_at_once_make_no_more_than_twenty_tokens"),
    Guard("api/routes/tokens.py", 'caller.token if caller.limited and not caller.may("admin") else None', "None",
          "test_tokens.py::test_a_token_with_limits_sees_no_token_but_itself"),
    Guard("api/routes/links.py", "caller.unlimited()\n    with home.database.read()",
          "pass\n    with home.database.read()", "test_tokens.py::test_a_token_with_limits_sees_no_token_but_itself"),
]  # fmt: skip


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A steward and an administrator with passwords."""
    made = Shop(tmp_path_factory.mktemp("tokens"))
    made.pipeline("orders", "web-team")
    with made.home.database.write() as db:
        for name, role in (("anna", "steward"), ("root", "admin"), ("other", "admin")):
            access.set_password(db, access.add_user(db, name, role), passwords.hashed(PASSWORD, name))
    yield made
    made.home.database.close()


def sign_in(shop: Shop, name: str) -> dict[str, Any]:
    answer = shop.using("").post("/api/v1/auth/token", json={"user": name, "password": PASSWORD})
    pair: dict[str, Any] = answer.json()
    return pair


def make(client: TestClient, shop: Shop, **wanted: Any) -> TestClient:
    answer = client.post("/api/v1/tokens", json={"name": "made", **wanted})
    assert answer.status_code == 201, answer.text
    return shop.using(answer.json()["token"])


def good(client: TestClient) -> bool:
    return client.get("/api/v1/me").status_code == 200


def chains(client: TestClient, shop: Shop) -> dict[str, TestClient]:
    """Tokens made from a sign-in or token, and from those, with each kind of limit."""
    found = {}
    for limits in LIMITS:
        last = client
        for depth in range(1, DEEP + 1):
            last = found[f"{limits or 'all'}, {depth} deep"] = make(last, shop, **limits)
    return found


# what ends sign-ins


def own_password(shop: Shop, pair: dict[str, Any]) -> None:
    wanted = {"password": NEW, "present": PASSWORD}
    mine = shop.using(pair["access_token"])
    assert mine.put("/api/v1/users/anna/password", json=wanted).status_code == 204


def reset(shop: Shop, pair: dict[str, Any]) -> None:
    assert shop.caller("root").put("/api/v1/users/anna/password", json={"password": NEW}).status_code == 204


def another_role(shop: Shop, pair: dict[str, Any]) -> None:
    assert shop.caller("root").patch("/api/v1/users/anna", json={"role": "operator"}).status_code == 200


def end_and_return(shop: Shop, pair: dict[str, Any]) -> None:
    for active in (False, True):
        assert shop.caller("root").patch("/api/v1/users/anna", json={"active": active}).status_code == 200


def reset_after_sign_out(shop: Shop, pair: dict[str, Any]) -> None:
    assert shop.using("").post("/api/v1/auth/logout", json={"refresh_token": pair["refresh_token"]}).is_success
    reset(shop, pair)


def used_refresh_token_twice(shop: Shop, pair: dict[str, Any]) -> None:
    for status in (200, 401):
        answer = shop.using("").post("/api/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        assert answer.status_code == status


@pytest.mark.parametrize(
    "ends", [own_password, reset, another_role, end_and_return, reset_after_sign_out, used_refresh_token_twice]
)
def test_no_token_outlives_the_sign_ins_that_somebody_ended(
    shop: Shop, attempts: Attempts, ends: Callable[[Shop, dict[str, Any]], None]
) -> None:
    """A token for a year, made from an access token for 15 minutes, outlived sign-out, new password and reset."""
    pair, others = sign_in(shop, "anna"), sign_in(shop, "root")
    mine = shop.using(pair["access_token"])
    made = chains(mine, shop)
    theirs = make(shop.using(others["access_token"]), shop)
    assert all(map(good, (*made.values(), theirs)))
    ends(shop, pair)
    for name, client in made.items():
        attempts.tried("tokens", f"{ends.__name__}: {name}", held=not good(client))
        again = client.post("/api/v1/tokens", json={"name": "again"}).status_code
        attempts.tried("tokens", f"{ends.__name__}: another one by {name}", held=again == 401)
    attempts.tried("tokens", f"{ends.__name__}: another one by the sign-in", held=not good(mine))
    assert good(theirs)


def test_a_token_that_an_administrator_made_for_another_user_ends_with_the_sign_ins_of_the_administrator(
    shop: Shop, attempts: Attempts
) -> None:
    stolen = shop.using(sign_in(shop, "root")["access_token"])
    for user in ("anna", "other"):
        first = make(stolen, shop, user=user)
        made = {"first": first, **chains(first, shop)}
        shop.caller("other").put("/api/v1/users/root/password", json={"password": NEW})
        for name, client in made.items():
            attempts.tried("tokens", f"made by root for {user}: {name}", held=not good(client))
        with shop.home.database.write() as db:
            access.set_password(db, access.user(db, "root"), passwords.hashed(PASSWORD, "root"))
        stolen = shop.using(sign_in(shop, "root")["access_token"])


def test_no_token_outlives_the_token_that_made_it(shop: Shop, attempts: Attempts) -> None:
    for root, depth in itertools.product(("server", "sign-in"), range(DEEP)):
        last = shop.caller("anna") if root == "server" else shop.using(sign_in(shop, "anna")["access_token"])
        chain = []
        for _ in range(DEEP):
            answer = last.post("/api/v1/tokens", json={"name": "made"}).json()
            last = shop.using(answer["token"])
            chain.append((answer["id"], last))
        assert shop.caller("root").delete(f"/api/v1/tokens/{chain[depth][0]}").status_code == 204
        for number, (_, client) in enumerate(chain):
            if number >= depth:
                attempts.tried("tokens", f"{root}: {number} after the end of {depth}", held=not good(client))
            else:
                assert good(client)


def test_what_was_made_on_the_server_stays_good_and_is_listed(shop: Shop) -> None:
    nightly = shop.caller("anna", name="nightly")
    mine = make(shop.using(sign_in(shop, "anna")["access_token"]), shop)
    root = shop.caller("root")
    answer = root.put("/api/v1/users/anna/password", json={"password": NEW})
    assert (answer.status_code, [row["name"] for row in answer.json()["tokens"]]) == (200, ["nightly"])
    assert (good(nightly), good(mine)) == (True, False)
    changed = root.patch("/api/v1/users/anna", json={"role": "operator"}).json()
    assert (changed["role"], [row["name"] for row in changed["tokens"]]) == ("operator", ["nightly"])
    assert root.patch("/api/v1/users/anna", json={"active": False}).json()["tokens"] == []
    assert not good(nightly)


def test_signing_out_leaves_the_tokens_of_ones_scripts(shop: Shop) -> None:
    pair = sign_in(shop, "anna")
    nightly = make(shop.using(pair["access_token"]), shop)
    assert shop.using("").post("/api/v1/auth/logout", json={"refresh_token": pair["refresh_token"]}).is_success
    assert good(nightly)
    assert not good(shop.using(pair["access_token"]))
    (shown,) = nightly.get("/api/v1/tokens").json()["items"]
    assert shown["made_from"] == "sign-in"


# how many, and what one sees of them


def test_nobody_has_more_than_twenty_tokens(shop: Shop, attempts: Attempts) -> None:
    mine = shop.using(sign_in(shop, "anna")["access_token"])
    made = [make(mine, shop) for _ in range(access.MOST)]
    root = shop.using(sign_in(shop, "root")["access_token"])
    ways = {"sign-in": (mine, {}), "another sign-in": (shop.using(sign_in(shop, "anna")["access_token"]), {}),
            "token": (made[0], {}), "limited token": (made[1], {"scopes": ["read:runs"]}),
            "server token": (shop.caller("anna"), {}), "administrator": (root, {"user": "anna"})}  # fmt: skip
    for name, (client, wanted) in ways.items():
        answer = client.post("/api/v1/tokens", json={"name": "more", **wanted})
        attempts.tried("tokens", f"one too many: {name}", held=answer.status_code == 409)
        assert "DELETE /api/v1/tokens/ID" in answer.json()["hint"]
    number = mine.get("/api/v1/tokens").json()["items"][0]["id"]
    assert mine.delete(f"/api/v1/tokens/{number}").status_code == 204
    assert mine.post("/api/v1/tokens", json={"name": "room"}).status_code == 201


def test_many_at_once_make_no_more_than_twenty_tokens(url: str, attempts: Attempts) -> None:
    """On a server, where transactions run side by side."""
    database = Database(url)
    migrate(database, HEAD)
    with database.write() as db:
        access.add_user(db, "anna", "steward")
        parent = access.token(db, access.issue(db, access.user(db, "anna"), 600)).id
        others = [access.token(db, access.issue(db, access.user(db, "anna"), 600)).id for _ in range(4)]

    def one(number: int) -> bool:
        try:
            with database.write() as db:
                owner = db.get_one(User, 1)
                access.issue(db, owner, 600, name="x", made_from=[parent, *others][number % 5])
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        through = sum(pool.map(one, range(60)))
    for number in range(60 - access.MOST):
        attempts.tried("tokens", f"at once: {number}", held=through <= access.MOST)
    database.close()


@pytest.mark.parametrize("limits", [{"scopes": ["read:runs"]}, {"datasets": ["orders"]}, {"datasets": []}])
@pytest.mark.parametrize("user", ["anna", "root"])
def test_a_token_with_limits_sees_no_token_but_itself(
    shop: Shop, attempts: Attempts, limits: dict[str, Any], user: str
) -> None:
    """A token of one dataset listed the names of all others."""
    mine = shop.using(sign_in(shop, user)["access_token"])
    for name in ("payroll export", "board report"):
        make(mine, shop, name=name)
    stolen = make(mine, shop, name="stolen", **limits)
    for path in ("tokens", "tokens?limit=200", "tokens?after=0", "tokens?all=true", "links", "links?all=true"):
        answer = stolen.get(f"/api/v1/{path}")
        seen = [row["name"] for row in answer.json().get("items", [])]
        held = seen in ([], ["stolen"]) and (path.startswith("tokens") or answer.status_code == 403)
        attempts.tried("tokens", f"{user} {limits}: GET {path}", held=held)
