"""Bodies that cost much, from nobody and from people: who sends one is known before it is read."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api import inputs
from api.known import OPEN
from api.main import IN_PROCESS, create_app
from core.settings import load
from engine.home import open_home
from engine.store import access
from engine.store.tables import User
from tests.api import rights
from tests.attack.attempts import Attempts, Guard
from tests.homes import prepare

GUARDS = [
    Guard("api/known.py", 'scope["path"] not in OPEN', "False",
          "test_bodies.py::test_nobody_has_a_body_parsed"),
    Guard("api/known.py", "await run_in_threadpool(must_be_known, request)", "pass",
          "test_bodies.py::test_nobody_has_a_body_parsed"),
    Guard("api/inputs.py", "LARGEST_OF.get(scope[\"path\"], LARGEST)", "LARGEST_OF[\"/api/v1/files\"]",
          "test_bodies.py::test_a_body_is_bounded_by_what_its_route_needs"),
    Guard("api/inputs.py", "if values > MOST:", "if False:",
          "test_bodies.py::test_nobody_who_may_call_has_many_values_looked_at"),
]  # fmt: skip
JSON = {"Content-Type": "application/json"}
NO_JSON = b"[[],"
BAD_TOKENS = {
    "no token": None, "an empty header": "", "no word": "Bearer", "an empty token": "Bearer ",
    "another scheme": "Basic YTpi", "an unknown token": "Bearer atlas_" + "a" * 43, "no JWT": "Bearer a.b.c",
    "a JWT": "Bearer eyJhbGciOiJub25lIn0.e30.",
    "spaces": "Bearer    ", "two": "Bearer a, Bearer b",
}  # fmt: skip


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> tuple[TestClient, str, str]:
    """A client, the token of a viewer, and one that has ended."""
    folder: Path = tmp_path_factory.mktemp("bodies")
    (folder / "pipelines").mkdir()
    free = dict.fromkeys(("ATLAS_LIMIT_PER_ADDRESS", "ATLAS_LIMIT_PER_TOKEN", "ATLAS_LIMIT_SIGN_IN"), "99999/second")
    prepare(folder / "home")
    home = open_home(load({"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(folder / "pipelines"), **free}))
    with home.database.write() as db:
        viewer: User = access.add_user(db, "viewer", "viewer")
        good, ended = access.issue(db, viewer, 600), access.issue(db, viewer, 600)
        access.revoke(db, access.token(db, ended).id, None)
    return TestClient(create_app(home, lambda: None), base_url=IN_PROCESS), f"Bearer {good}", f"Bearer {ended}"


def test_nobody_has_a_body_parsed(callers: tuple[TestClient, str, str], attempts: Attempts) -> None:
    """On every route: a body that is no JSON would be answered as such if it had been parsed."""
    client, good, ended = callers
    app = client.app
    for route in sorted(rights.routes(app)):  # type: ignore[arg-type]
        method, _, path = route.partition(" ")
        tokens = {"no token": None} if method == "GET" else {**BAD_TOKENS, "an ended token": ended}
        for name, token in tokens.items():
            headers = JSON if token is None else {**JSON, "Authorization": token}
            answer = client.request(method, path, content=NO_JSON, headers=headers)
            attempts.tried("bodies of nobody", f"{route}: {name}", held=path in OPEN or answer.status_code == 401)
    told = client.post("/api/v1/runs", content=NO_JSON, headers={**JSON, "Authorization": good})
    assert told.json()["detail"].startswith("body: is not JSON")


def test_a_body_is_bounded_by_what_its_route_needs(callers: tuple[TestClient, str, str], attempts: Attempts) -> None:
    client, good, _ = callers
    app = client.app
    for route in sorted(rights.routes(app)):  # type: ignore[arg-type]
        method, _, path = route.partition(" ")
        if method == "GET":
            continue
        most = inputs.LARGEST_OF.get(path, inputs.LARGEST)
        for name, more in {"said": {}, "in chunks": {"chunks": True}}.items():
            body = json.dumps("a" * most).encode()
            content = iter([body]) if more else body
            answer = client.request(method, path, content=content, headers={**JSON, "Authorization": good})
            attempts.tried("bodies that are too large", f"{route}: {name}", held=answer.status_code == 413)
    assert sum(most > inputs.LARGEST for most in inputs.LARGEST_OF.values()) == 3


MANY = {
    "lists": b"[]", "objects": b"{}", "numbers": b"1", "texts": b'""', "nulls": b"null", "pairs": b"[1,2]",
    "named": b'{"a":1}', "nested": b"[[[[]]]]",
}  # fmt: skip


@pytest.mark.parametrize("kind", MANY)
def test_nobody_who_may_call_has_many_values_looked_at(
    callers: tuple[TestClient, str, str], attempts: Attempts, kind: str
) -> None:
    client, good, _ = callers
    body = b"[" + b",".join([MANY[kind]] * (900_000 // (len(MANY[kind]) + 1))) + b"]"
    for path in ("files", "inbox"):
        answer = client.post(f"/api/v1/{path}", content=body, headers={**JSON, "Authorization": good})
        held = f"has more than {inputs.MOST} values" in answer.text
        attempts.tried("bodies of many values", f"{kind} for {path}", held=held)
