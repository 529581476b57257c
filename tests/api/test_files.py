"""Files by a link, and what the bot remembers: for a while, encrypted, and for nobody else."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from api.main import IN_PROCESS, create_app
from core.settings import load
from engine.home import Home, open_home
from engine.store.tables import Remembered, SharedFile
from tests.api.conftest import Client

PUBLIC = "https://atlas.example.dk"
KIM = {"Atlas-On-Behalf-Of": "teams:T1:U1"}
KEY = "0" * 64
SECRET = b"what nobody else may read"


@pytest.fixture
def public(home: Home, client: Client) -> Callable[..., Any]:
    """Asks an API that knows its public address, as an administrator, or as whoever has a link."""
    settings = load({"ATLAS_HOME": str(home.settings.home), "ATLAS_PIPELINES": str(home.settings.pipelines),
                     "ATLAS_PUBLIC_URL": f"{PUBLIC}/"})  # fmt: skip
    app = create_app(open_home(settings), lambda: None)
    bot = TestClient(app, base_url=IN_PROCESS, headers=dict(client("admin").headers))
    anybody = TestClient(app, base_url=IN_PROCESS)

    def ask(method: str, path: str, *, with_token: bool = True, **more: Any) -> Any:
        return (bot if with_token else anybody).request(method, f"/api/v1/{path}", **more)

    return ask


def share(ask: Callable[..., Any], name: str = "æ ø.csv", kind: str = "text/csv") -> str:
    body = {"name": name, "kind": kind, "content": base64.b64encode(SECRET).decode()}
    answer = ask("POST", "files", json=body, headers=KIM)
    assert (answer.status_code, answer.json()["seconds"]) == (201, 900)
    url: str = answer.json()["url"]
    assert url.startswith(f"{PUBLIC}/api/v1/files/")
    return url.removeprefix(f"{PUBLIC}/api/v1/")


def test_whoever_has_the_link_can_fetch_the_file_until_it_ends(public: Callable[..., Any], home: Home) -> None:
    link = share(public)
    for _ in range(2):
        answer = public("GET", link, with_token=False)
        assert (answer.status_code, answer.content) == (200, SECRET)
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A6%20%C3%B8.csv"
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["cache-control"] == "no-store"
    with home.database.write() as db:
        db.execute(update(SharedFile).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert public("GET", link, with_token=False).status_code == 404
    share(public)
    with home.database.read() as db:
        assert len(db.scalars(select(SharedFile)).all()) == 1  # those that have ended are gone


def test_the_database_holds_neither_the_file_nor_the_link(public: Callable[..., Any], home: Home) -> None:
    link = share(public)
    public("PUT", f"memory/{KEY}", json={"value": {"x": SECRET.decode()}})
    with home.database.read() as db:
        (file,), (known,) = db.scalars(select(SharedFile)).all(), db.scalars(select(Remembered)).all()
    assert SECRET not in file.sealed + known.sealed
    assert link.rpartition("/")[2] not in file.hash


def test_only_for_somebody_a_bot_speaks_for_and_only_with_an_address(
    public: Callable[..., Any], client: Client
) -> None:
    body = {"name": "x.csv", "kind": "text/csv", "content": "eA=="}
    assert public("POST", "files", json=body).status_code == 409
    refused = client("admin").post("/api/v1/files", json=body, headers=KIM)
    assert (refused.status_code, "ATLAS_PUBLIC_URL" in refused.text) == (409, True)
    assert public("POST", "files", json={**body, "content": "no base64"}, headers=KIM).status_code == 422
    assert public("POST", "files", json={**body, "kind": "text/html"}, headers=KIM).status_code == 422


def test_what_the_bot_remembers_is_known_until_it_is_forgotten(public: Callable[..., Any], home: Home) -> None:
    path = f"memory/{KEY}"
    assert public("GET", f"memory/{'1' * 64}").status_code == 404
    assert public("PUT", path, json={"value": {"a": 1}}).status_code == 204
    assert public("PUT", path, json={"value": {"a": 2}, "seconds": 60}).status_code == 204
    assert public("GET", path).json() == {"value": {"a": 2}}
    with home.database.write() as db:
        db.execute(update(Remembered).values(forget_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert public("GET", path).status_code == 404
