"""What tests stand on: a home of their own, and real servers where they answer."""

import json
import logging
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from atlas import logs
from core.settings import Settings, load
from engine.home import Home
from engine.runs.worker import Worker, celery_app
from engine.store.database import HEAD, Database, migrate, open_database
from engine.store.tables import Table
from tests.databases import POSTGRES, new_database
from tests.homes import prepare

REQUIRED = os.environ.get("ATLAS_REQUIRE_SERVICES") == "1"
OF_THIS_PROCESS = 9 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 7
REDIS = os.environ.get("ATLAS_TEST_REDIS", f"redis://127.0.0.1:6379/{OF_THIS_PROCESS}")

# files that take long are given out first: what is begun last decides when all have ended
LONGEST = ("tests/crash/", "tests/test_people.py", "tests/attack/test_channels.py", "tests/attack/test_who_works.py",
           "tests/test_canaries.py", "tests/test_leases.py", "tests/test_incremental.py", "tests/test_retry.py",
           "tests/test_main_job.py", "tests/api/test_contract.py", "tests/alerts/", "tests/attack/", "tests/test_",
           "tests/bot/", "tests/api/")  # fmt: skip

Lines = Callable[[], list[dict[str, Any]]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((n for n, name in enumerate(LONGEST) if item.nodeid.startswith(name)), 99))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was logged can be sent from one test process to another, whatever is in it: half a letter cannot."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in [name for name in os.environ if name.startswith("ATLAS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pipelines" / "navigate").mkdir(parents=True)
    prepare(tmp_path / "home")
    return load({"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(tmp_path / "pipelines")})


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    """What the log of this process says from here on."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    logs.configure("INFO", tmp_path / "log" / "atlas.log")
    yield lambda: [
        json.loads(line) for line in (tmp_path / "log" / "atlas.log").read_bytes().removesuffix(b"\n").split(b"\n")
    ]
    for handler in list(root.handlers):
        if handler not in before[1]:
            handler.close()
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    logging.getLogger("atlas").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database of its own on a real PostgreSQL, migrated."""
    _postgres_answers()
    with new_database() as url:
        migrate(Database(url), HEAD)
        yield url


@pytest.fixture
def url() -> Iterator[str]:
    """An empty database on a real PostgreSQL."""
    _postgres_answers()
    with new_database() as made:
        yield made


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    """A database for the sources of a test module."""
    _postgres_answers()
    with new_database() as made:
        yield made


def _postgres_answers() -> None:
    try:
        psycopg.connect(POSTGRES).close()
    except psycopg.OperationalError:
        if REQUIRED:
            raise
        # where services are required, as in CI, it has failed by now
        pytest.skip("PostgreSQL does not answer; ATLAS_TEST_POSTGRES says where it is")


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
        prepare(tmp_path)
        opened = open_database(f"sqlite:///{tmp_path / 'atlas.db'}", tmp_path)
    else:
        opened = open_database(request.getfixturevalue("postgres_url"), tmp_path)
        with opened.engine.begin() as connection:
            # without triggers, for the audit log refuses to be emptied; TRUNCATE takes a hundred times as long
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("; ".join(f"DELETE FROM {table.name}" for table in Table.metadata.sorted_tables)))
    yield opened
    opened.close()
