"""What tests stand on: a home of their own, and real servers where they answer."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from core.settings import Settings, load
from engine.home import Home
from engine.store.database import HEAD, Database, migrate, open_database
from engine.worker import Worker, celery_app

REQUIRED = os.environ.get("ATLAS_REQUIRE_SERVICES") == "1"
POSTGRES = os.environ.get("ATLAS_TEST_POSTGRES", "postgresql://postgres@127.0.0.1/postgres")
REDIS = os.environ.get("ATLAS_TEST_REDIS", "redis://127.0.0.1:6379/9")


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in [name for name in os.environ if name.startswith("ATLAS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pipelines" / "navigate").mkdir(parents=True)
    return load({"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(tmp_path / "pipelines")})


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database of its own on a real PostgreSQL, migrated."""
    server = create_engine(POSTGRES.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    name = f"atlas_test_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        if REQUIRED:
            raise
        pytest.skip("PostgreSQL does not answer; ATLAS_TEST_POSTGRES says where it is")
    url = POSTGRES.rpartition("/")[0] + f"/{name}"
    migrate(Database(url), HEAD)
    yield url
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="module")
def worker(home: Home) -> Iterator[Worker]:
    """A worker on the home of a test module."""
    working = Worker(home, celery_app(home))
    working.start()
    yield working
    assert working.stop(10)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The metadata database, on each kind of server it may be on."""
    if request.param == "sqlite":
        opened = open_database(f"sqlite:///{tmp_path / 'atlas.db'}", tmp_path)
    else:
        opened = open_database(request.getfixturevalue("postgres_url"), tmp_path)
        with opened.engine.begin() as connection:
            tables = "run, part, dataset, version, version_file, user_account, token, fact, score, check_result"
            connection.execute(text(f"TRUNCATE {tables}, verdict, dead_letters, lineage_event, lineage_edge CASCADE"))
    yield opened
    opened.close()
