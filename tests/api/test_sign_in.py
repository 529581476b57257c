"""Signing in: what a password gives, for how long, and what ends it."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.main import signing_keys
from core.errors import Misconfigured
from engine.access import passwords, signing
from engine.access.signing import Access, SigningKeys
from engine.home import Home
from engine.store import access
from engine.store.tables import AuditEntry, RefreshToken, SignIn, User
from tests.api.conftest import Client
from tests.api.live import live

PASSWORD = "rødgrød med fløde"


@pytest.fixture
def anna(home: Home) -> str:
    """A steward with a password."""
    with home.database.write() as db:
        access.set_password(db, access.add_user(db, "anna", "steward"), passwords.hashed(PASSWORD, "anna"))
    return "anna"


def sign_in(nobody: TestClient, user: str = "anna", password: str = PASSWORD) -> Any:
    return nobody.post("/api/v1/auth/token", json={"user": user, "password": password})


def me(nobody: TestClient, token: str) -> Any:
    return nobody.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})


def test_a_password_gives_a_pair_of_tokens_for_minutes(client: Client, anna: str) -> None:
    nobody = client(None)
    pair = sign_in(nobody).json()
    assert pair["expires_in"] == 15 * 60
    assert me(nobody, pair["access_token"]).json()["user"] == anna
    claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert PASSWORD not in json.dumps(claims)


def test_unknown_users_and_wrong_passwords_fail_alike(client: Client, anna: str) -> None:
    nobody = client(None)
    answers = [sign_in(nobody, "anna", "wrong password"), sign_in(nobody, "nobody at all", "wrong password"),
               sign_in(nobody, "viewer", "has no password")]  # fmt: skip
    bodies = [{k: v for k, v in answer.json().items() if k != "request_id"} for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.parametrize("user", ["anna", "nobody at all"])
def test_after_five_failures_one_has_to_wait_whoever_it_is(client: Client, anna: str, user: str) -> None:
    nobody = client(None)
    statuses = [sign_in(nobody, user, "wrong password").status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    refused = sign_in(nobody, user)  # the right one has to wait as well, else it could be told from the wrong ones
    assert refused.status_code == 429
    # a quarter of an hour is the longest wait: 0 or more than that fails
    assert 1 <= int(refused.headers["Retry-After"]) <= 15 * 60


def test_a_right_password_clears_the_failures_before_it(client: Client, anna: str) -> None:
    nobody = client(None)
    for _ in range(3):
        for _ in range(4):
            assert sign_in(nobody, password="wrong password").status_code == 401
        assert sign_in(nobody).status_code == 200


def test_a_refresh_token_is_good_for_one_exchange(client: Client, anna: str) -> None:
    nobody = client(None)
    first = sign_in(nobody).json()
    second = nobody.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}).json()
    assert me(nobody, second["access_token"]).status_code == 200
    assert second["refresh_token"] != first["refresh_token"]


def test_a_refresh_token_used_twice_ends_the_whole_sign_in(client: Client, home: Home, anna: str) -> None:
    nobody = client(None)
    first = sign_in(nobody).json()
    second = nobody.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}).json()
    stolen = nobody.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert stolen.status_code == 401
    for token in (first["access_token"], second["access_token"]):
        assert me(nobody, token).status_code == 401
    assert nobody.post("/api/v1/auth/refresh", json={"refresh_token": second["refresh_token"]}).status_code == 401
    with home.database.read() as db:
        assert db.scalar(select(AuditEntry.who).where(AuditEntry.action == "sign-in.reuse")) == anna


def test_logging_out_ends_what_the_sign_in_gave(client: Client, anna: str) -> None:
    nobody = client(None)
    pair, other = sign_in(nobody).json(), sign_in(nobody).json()
    assert nobody.post("/api/v1/auth/logout", json={"refresh_token": pair["refresh_token"]}).status_code == 204
    assert me(nobody, pair["access_token"]).status_code == 401
    assert me(nobody, other["access_token"]).status_code == 200
    assert nobody.post("/api/v1/auth/logout", json={"refresh_token": "refresh_unknown"}).status_code == 204


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"active": False}])
def test_another_role_or_the_end_of_a_user_ends_their_sign_ins(
    client: Client, anna: str, change: dict[str, Any]
) -> None:
    nobody, admin = client(None), client("admin")
    pair = sign_in(nobody).json()
    assert admin.patch("/api/v1/users/anna", json=change).status_code == 200
    assert me(nobody, pair["access_token"]).status_code == 401
    assert nobody.post("/api/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]}).status_code == 401


def test_a_new_password_ends_the_sign_ins_of_the_old_one(client: Client, anna: str) -> None:
    nobody = client(None)
    pair = sign_in(nobody).json()
    mine = {"Authorization": f"Bearer {pair['access_token']}"}
    new = {"password": "koldskål med kammerjunkere"}
    wrong = nobody.put("/api/v1/users/anna/password", json={**new, "present": "wrong password"}, headers=mine)
    assert wrong.status_code == 403
    right = nobody.put("/api/v1/users/anna/password", json={**new, "present": PASSWORD}, headers=mine)
    assert right.status_code == 204
    assert me(nobody, pair["access_token"]).status_code == 401
    assert sign_in(nobody).status_code == 401
    assert sign_in(nobody, password=new["password"]).status_code == 200


@pytest.mark.parametrize(
    "password", ["short", "aaaaaaaaaaaaaaaa", "anna1234567890", "passwordpassword", "Velkommen123456", "x" * 257]
)
def test_a_password_that_is_easily_guessed_is_refused_and_not_repeated(
    client: Client, anna: str, password: str
) -> None:
    answer = client("admin").put("/api/v1/users/anna/password", json={"password": password})
    assert answer.status_code == 422
    assert password not in answer.text


def test_of_passwords_and_tokens_only_hashes_are_kept(client: Client, home: Home, anna: str) -> None:
    pair = sign_in(client(None)).json()
    with home.database.read() as db:
        kept = db.scalars(select(User.password).where(User.name == "anna")).one()
        assert kept is not None
        assert kept.startswith("$argon2id$")
        assert pair["refresh_token"] not in db.scalars(select(RefreshToken.hash)).all()


def forged(home: Home, **other: Any) -> dict[str, str]:
    """Access tokens that are wrong in one way each."""
    keys = signing_keys(home)
    with home.database.read() as db:
        user, begun = db.scalars(select(User).where(User.name == "anna")).one(), db.scalars(select(SignIn)).first()
    assert begun is not None
    good = keys.sign(Access(user.id, begun.id, user.generation))
    claims, header = jwt.decode(good, options={"verify_signature": False}), jwt.get_unverified_header(good)
    kid = header["kid"]
    key, stranger = keys._keys[kid], Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    fine = {"kid": kid, "typ": "at+jwt"}
    past = datetime.now(UTC) - timedelta(minutes=1)
    unsigned = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in
                ({**fine, "alg": "none"}, claims)]  # fmt: skip
    return {
        "good": good,
        "alg none": ".".join([*unsigned, ""]),
        "alg HS256 with the public key as its secret": jwt.encode(claims, public, "HS256", fine),
        "another key under our name": jwt.encode(claims, stranger, "EdDSA", fine),
        "an unknown kid": jwt.encode(claims, key, "EdDSA", {**fine, "kid": "unknown"}),
        "a kid that is a path": jwt.encode(claims, stranger, "EdDSA", {**fine, "kid": f"../signing/{kid}"}),
        "a kid that is a device": jwt.encode(claims, b"\0" * 32, "HS256", {**fine, "kid": "/dev/null"}),
        "no kid": jwt.encode(claims, key, "EdDSA", {"typ": "at+jwt"}),
        "another kind of token": jwt.encode(claims, key, "EdDSA", {**fine, "typ": "JWT"}),
        "another audience": jwt.encode({**claims, "aud": "another"}, key, "EdDSA", fine),
        "another issuer": jwt.encode({**claims, "iss": "another"}, key, "EdDSA", fine),
        "expired": jwt.encode({**claims, "exp": past}, key, "EdDSA", fine),
        "not yet": jwt.encode({**claims, "nbf": datetime.now(UTC) + timedelta(hours=1)}, key, "EdDSA", fine),
        "no end": jwt.encode({k: v for k, v in claims.items() if k != "exp"}, key, "EdDSA", fine),
        "somebody else's sign-in": jwt.encode({**claims, "sub": "1"}, key, "EdDSA", fine),
        "another generation": jwt.encode({**claims, "gen": 99}, key, "EdDSA", fine),
        "a sub that is no number": jwt.encode({**claims, "sub": "anna"}, key, "EdDSA", fine),
        "altered": good[:-6] + ("AAAAAA" if not good.endswith("AAAAAA") else "BBBBBB"),
    }


def test_forged_tokens_are_refused_and_all_alike(client: Client, home: Home, anna: str) -> None:
    nobody = client(None)
    sign_in(nobody)
    tokens = forged(home)
    assert me(nobody, tokens.pop("good")).status_code == 200
    answers = {name: me(nobody, token) for name, token in tokens.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(tokens, 401)
    assert len({answer.json()["detail"] for answer in answers.values()}) == 1


def test_a_new_key_signs_and_the_old_one_still_verifies(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path / "signing", "atlas:test", make=True)
    old = keys.sign(Access(1, 2, 3))
    signing.rotate(tmp_path / "signing")
    new = keys.sign(Access(1, 2, 3))
    kids = [jwt.get_unverified_header(token)["kid"] for token in (old, new)]
    assert kids[0] != kids[1]
    other_process = SigningKeys(tmp_path / "signing", "atlas:test", make=False)
    assert [other_process.verify(token) for token in (old, new)] == [Access(1, 2, 3)] * 2


def test_a_key_that_was_replaced_long_ago_is_removed(tmp_path: Path) -> None:
    import os

    folder = tmp_path / "signing"
    first, second = signing.rotate(folder), signing.rotate(folder)
    long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    for name in (first, second):
        os.utime(folder / f"{name}.pem", (long_ago, long_ago))
    third = signing.rotate(folder)
    assert {path.stem for path in folder.glob("*.pem")} == {second, third}
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.pem"))


def test_servers_that_share_a_database_make_no_key_by_themselves(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no key"):
        SigningKeys(tmp_path / "signing", "atlas:test", make=False).sign(Access(1, 2, 3))


def test_who_was_ended_sees_no_more_of_a_run_they_watch(client: Client, home: Home, orders: Path) -> None:
    admin = client("admin")
    number = admin.post("/api/v1/runs", json={"pipeline": "orders"}).json()["run"]
    headers = client("viewer").headers
    with live(admin.app, home.settings) as server:  # type: ignore[arg-type]
        path = f"{server.url}/api/v1/runs/{number}/events"
        with httpx.stream("GET", path, headers={"Authorization": headers["Authorization"]}, timeout=20) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: run"
            admin.patch("/api/v1/users/viewer", json={"active": False})
            admin.post(f"/api/v1/runs/{number}/cancel")
            assert "cancelled" not in "".join(lines)


def test_a_stolen_sign_in_does_not_guess_the_password(client: Client, anna: str) -> None:
    nobody = client(None)
    mine = {"Authorization": f"Bearer {sign_in(nobody).json()['access_token']}"}
    wanted = {"password": "koldskål med kammerjunkere", "present": "wrong password"}
    tries = [nobody.put("/api/v1/users/anna/password", json=wanted, headers=mine).status_code for _ in range(6)]
    assert tries == [403] * 5 + [429]
