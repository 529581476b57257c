"""/readyz tells which part is not well, to anybody, and nothing else."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text, update

from api.main import IN_PROCESS, create_app
from core.pipeline import Pipeline
from core.settings import load
from engine.home import Home, masking_key, open_home
from engine.ops import health
from engine.runs.worker import Worker
from engine.store import lineage, processes, runs
from engine.store.tables import LineageEvent, Part, Process
from tests.homes import prepare
from tests.program import wait_for

ORDERS = Pipeline(name="orders", owner="web-team", source={"connector": "csv", "path": "orders.csv"})
WORKS = {"does": "worker", "host": "here", "pid": 1, "version": "1", "reason": None, "failing": {}}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = at(tmp_path)
    with opened.database.write() as db:
        processes.lives(db, "one worker", WORKS)
    yield opened
    opened.database.close()


def at(folder: Path, **more: str) -> Home:
    prepare(folder / "home")
    return open_home(load({"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(folder), **more}))


def ready(home: Home) -> tuple[int, str, dict[str, str]]:
    """Status, what it says in all, and each part that is not well."""
    answer = TestClient(create_app(home, lambda: None), base_url=IN_PROCESS).get("/readyz")
    told: dict[str, Any] = answer.json()
    assert list(told["parts"]) == list(health.PARTS)
    return answer.status_code, told["status"], {name: said for name, said in told["parts"].items() if said != "ok"}


def test_all_is_well(home: Home) -> None:
    masking_key(home)
    assert ready(home) == (200, "ok", {})


def test_a_worker_that_nobody_has_seen_is_told_and_keeps_nobody_out(home: Home) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    with home.database.write() as db:
        db.execute(update(Process).values(seen_at=long_ago))
    told = "degraded: no worker was seen in the last minute that can work."
    assert ready(home) == (200, "ok", {"worker": told})


def test_a_worker_says_that_it_lives(tmp_path: Path, worker_of_its_own: Worker) -> None:
    assert wait_for(lambda: ready(worker_of_its_own.home)[2] == {})


@pytest.fixture
def worker_of_its_own(tmp_path: Path) -> Iterator[Worker]:
    from engine.runs.worker import celery_app

    opened = at(tmp_path)
    assert ready(opened)[2].keys() == {"worker"}
    working = Worker(opened, celery_app(opened))
    working.start()
    yield working
    assert working.stop(10)
    opened.database.close()


def test_a_broker_that_is_down_is_named_without_its_address(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    status, all_in_all, told = ready(at(tmp_path, ATLAS_BROKER_URL=f"redis://:hunter2@127.0.0.1:{port}/0"))
    assert (status, all_in_all) == (503, "not ready")
    assert told["broker"].startswith("not ready: it does not answer")
    assert not {str(port), "hunter2", "127.0.0.1"} & set(told["broker"].replace(":", " ").split())


def test_a_broker_that_hangs_keeps_no_answer_waiting(tmp_path: Path) -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        looking = health.Health(at(tmp_path, ATLAS_BROKER_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        said = looking.parts()
    assert (said["broker"], said["database"]) == ("not ready: it does not answer", "ok")


def test_a_run_that_is_asked_for_while_the_broker_is_down_is_kept(tmp_path: Path) -> None:
    from engine.runs.worker import Wakeups, celery_app

    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
    home = at(tmp_path, ATLAS_BROKER_URL=url)
    with home.database.write() as db:
        number = runs.start(db, ORDERS, "anna", "plan")[0].id
    Wakeups(home, celery_app(home)).try_to_send()  # as a process does that works on nothing itself
    with home.database.read() as db:
        assert runs.get(db, number).state == "queued"


def test_a_database_at_another_migration_is_not_ready(home: Home) -> None:
    with home.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    told = "not ready: the database is not at the migration that this Atlas needs"
    assert ready(home) == (503, "not ready", {"migrations": told})


def test_a_home_that_cannot_be_written_to_is_not_ready(home: Home) -> None:
    looking = health.Health(home)
    shutil.rmtree(home.settings.home)
    assert looking.parts()["home"] == "not ready: it cannot be written to: No such file or directory"


@pytest.mark.parametrize(
    ("free", "told"),
    [
        (10**7, "not ready: less than 100 MB are free"),
        (10**9, "degraded: less than 2 GB are free"),
        (10**11, None),
    ],
)
def test_little_room_is_told_before_there_is_none(free: int, told: str | None) -> None:
    if told is None:
        health.has_room(free)
        return
    with pytest.raises(health.NotWell) as caught:
        health.has_room(free)
    assert str(caught.value) == told


def test_another_masking_key_is_not_ready(home: Home) -> None:
    masking_key(home)
    (home.settings.keys / "masking.key").write_text("another one", encoding="ascii")
    assert ready(home) == (
        503, "not ready", {"masking key": "not ready: it is not the installation's"}
    )  # fmt: skip


def test_a_masking_key_that_is_gone_is_not_ready(home: Home) -> None:
    masking_key(home)
    (home.settings.keys / "masking.key").unlink()
    status, _, told = ready(home)
    assert (status, told.keys()) == (503, {"masking key"})


def test_calls_that_nobody_sends_are_told(home: Home) -> None:
    with home.database.write() as db:
        runs.start(db, ORDERS, "anna", "plan")
        db.execute(update(Part).values(wake_at=datetime.now(UTC) - timedelta(hours=1)))
    told = "degraded: wake-up calls have waited to be sent for more than a minute"
    assert ready(home) == (200, "ok", {"outbox": told})


def test_a_warehouse_that_is_away_is_told_and_keeps_nobody_out(tmp_path: Path, home: Home) -> None:
    away = at(tmp_path, ATLAS_WAREHOUSE_URL="postgresql://anna:hunter2@127.0.0.1:9/bi")
    assert ready(away) == (200, "ok", {"warehouse": "degraded: it does not answer"})


def test_lineage_that_is_not_forwarded_is_told(tmp_path: Path, home: Home) -> None:
    with home.database.write() as db:
        run = runs.start(db, ORDERS, "anna", "plan")[0]
        lineage.save_events(db, run.id, [{}])
        db.flush()
        db.execute(update(LineageEvent).values(at=datetime.now(UTC) - timedelta(hours=1)))
    assert ready(home) == (200, "ok", {})
    status, all_in_all, told = ready(at(tmp_path, ATLAS_MARQUEZ_URL="http://127.0.0.1:9/api"))
    assert (status, all_in_all) == (200, "ok")
    assert told == {"lineage": "degraded: events have waited to be forwarded for more than ten minutes"}


@pytest.mark.services
def test_a_database_that_has_gone_is_not_ready(tmp_path: Path, postgres_url: str) -> None:
    """Its connections are refused from here on, as by a server that is going down."""
    home = at(tmp_path, ATLAS_DATABASE_URL=postgres_url, ATLAS_MASKING_KEY="k" * 32)
    looking = health.Health(home)
    assert looking.parts()["database"] == "ok"
    home.database.engine.dispose()
    gone = Home(home.settings, type(home.database)(postgres_url + "_that_has_gone"))
    said = health.Health(gone).parts()
    assert said["database"].startswith("not ready: it does not answer")
    assert "atlas_test" not in str(said)
