"""A real API over a real home, called over its own transport."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.main import IN_PROCESS, create_app
from core.settings import Settings
from engine.home import Home, open_home
from engine.store import access

Client = Callable[[str | None], TestClient]


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    # tests sign in more often than a person
    opened = open_home(settings.model_copy(update={"limit_sign_in": "10000/minute"}))
    with opened.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    yield opened
    opened.database.close()


@pytest.fixture
def client(home: Home) -> Client:
    """A client for a role, or for nobody."""
    app = create_app(home, lambda: None)

    def of(role: str | None) -> TestClient:
        headers = {}
        if role is not None:
            with home.database.write() as db:
                headers["Authorization"] = f"Bearer {access.issue(db, access.user(db, role), 60)}"
        return TestClient(app, base_url=IN_PROCESS, headers=headers, raise_server_exceptions=False)

    return of


@pytest.fixture
def orders(settings: Settings) -> Path:
    """A small pipeline file."""
    path = settings.pipelines / "orders.yml"
    path.write_text("name: orders\nowner: web-team\nsource: {connector: csv, path: orders.csv}\n", encoding="utf-8")
    (settings.pipelines / "orders.csv").write_text("id,country\n1,DK\n2,SE\n", encoding="utf-8")
    return path
