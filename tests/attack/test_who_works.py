"""Who cannot do the work does not take it: processes without the installation's masking key, or for other tables."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from core.settings import load
from engine import catalog
from engine.home import Home, masking_key, open_home
from engine.runs import course
from engine.runs.worker import Worker, celery_app
from engine.store import processes, runs
from engine.store.database import HEAD, Database, migrate
from tests.attack.attempts import Attempts, Guard
from tests.conftest import REDIS
from tests.program import COMMAND, Program, wait_for

GUARDS = [
    Guard(
        "engine/runs/worker.py",
        "if not facts.stands(db, self._fingerprint):",
        "if False:",
        "test_who_works.py::test_a_worker_whose_tables_or_key_change_takes_nothing_more",
    ),
    Guard(
        "engine/runs/worker.py",
        "begins = self.why_not is None and not self._begun",
        "begins = not self._begun",
        "test_who_works.py::test_without_the_right_key_no_part_is_taken",
    ),
    Guard(
        "engine/home.py",
        "if key is None and known is not None:",
        "if False:",
        "test_who_works.py::test_without_the_right_key_no_part_is_taken",
    ),
    Guard(
        "atlas/serve.py",
        "    may_work(home)\n",
        "",
        "test_who_works.py::test_a_worker_without_the_key_refuses_and_names_the_remedy",
    ),
]
KEY, OTHER = "k" * 32, "o" * 32


def orders(program: Program, *names: str) -> None:
    for name in names or ("orders",):
        program.pipeline(name, "id,mail\n1,anna@example.com\n2,bo@example.com\n")


def home_of(program: Program) -> Home:
    return open_home(load({k: v for k, v in program.environment.items() if k.startswith("ATLAS_")}))


def start(home: Home, name: str) -> int:
    with home.database.write() as db:
        return course.start(db, catalog.pipeline(home.settings.pipelines, name), "anna")[0].id


def state(home: Home, number: int) -> str:
    with home.database.read() as db:
        return runs.get(db, number).state


def works(home: Home) -> bool:
    with home.database.read() as db:
        return processes.works(db)


def listed(home: Home) -> list[tuple[str, bool]]:
    with home.database.read() as db:
        return [(it.does, it.works) for it in processes.listed(db)]


def ended(process: subprocess.Popen[str]) -> str:
    """Ends a process; what it wrote on stderr."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=60)[1]


@pytest.fixture
def shared(tmp_path: Path, url: str) -> Program:
    """Processes on one PostgreSQL and one Redis, as `deploy/local.sh` starts them."""
    migrate(Database(url), HEAD)
    return Program(
        tmp_path, ATLAS_DATABASE_URL=url, ATLAS_BROKER_URL=REDIS.rpartition("/")[0] + "/12", ATLAS_THREADS="1",
        ATLAS_WORKERS="1", ATLAS_LOG_LEVEL="INFO",
    )  # fmt: skip


def talks(program: Program) -> subprocess.Popen[str]:
    """`atlas chat`, in which nobody says anything."""
    return subprocess.Popen(
        [*COMMAND, "chat"], env=program.environment, cwd=program.folder, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.services
def test_a_chat_without_the_key_takes_no_work_from_a_worker(shared: Program, attempts: Attempts) -> None:
    names = [f"orders_{n}" for n in range(5)]
    orders(shared, *names)
    keys: dict[str, dict[str, str]] = {
        "the": {"ATLAS_MASKING_KEY": KEY},
        "no": {},
        "another": {"ATLAS_MASKING_KEY": OTHER},
    }
    right, *wrong = (Program(shared.folder) for _ in keys)
    for program, key in zip((right, *wrong), keys.values(), strict=True):
        program.environment = shared.environment | key
    home = home_of(right)
    worker = right.start("worker")
    chats: list[subprocess.Popen[str]] = []
    try:
        assert wait_for(lambda: works(home), 60)
        chats += [talks(program) for program in wrong]
        both = lambda: listed(home).count(("client", False)) == 2  # noqa: E731
        assert wait_for(lambda: both() or any(chat.poll() is not None for chat in chats))
        assert both()  # none of them has ended
        numbers = [start(home, name) for name in names]
        wait_for(lambda: all(state(home, n) not in runs.ACTIVE for n in numbers), 90)
        for number in numbers:
            held = state(home, number) == "succeeded"
            attempts.tried("work without the key", f"two chats, run {number}", held=held)
        assert ("worker", True) in listed(home)
    finally:
        told = [ended(chat) for chat in chats]
        ended(worker)
        home.database.close()
    for said in told:
        assert "This process only asks. Runs are left to the workers." in said
        assert "Copy the key of the processes that work" in said
        assert not {"openssl", KEY, OTHER} & set(said.split())


def test_say_without_the_key_queues_and_says_that_nobody_works(tmp_path: Path, attempts: Attempts) -> None:
    program = Program(tmp_path)
    orders(program)
    home = home_of(program)
    masking_key(home)
    key = program.home / "keys" / "masking.key"
    first = key.read_text("ascii")
    key.unlink()
    asking = program.start("say", "run orders", "--json")
    try:
        assert wait_for(lambda: newest(home) == 1, 60)
        time.sleep(2)
        attempts.tried("work without the key", "say, key lost", held=state(home, 1) == "queued")
        assert not key.exists()  # no new key splits the hashes
        key.write_text(first, "ascii")
        worker = program.start("worker")
        told, said = asking.communicate(timeout=90)
        ended(worker)
    finally:
        asking.kill()
        home.database.close()
    assert json.loads(told)["facts"]["state"] == "succeeded"
    assert "Copy the key of the processes that work to keys/masking.key of ATLAS_HOME." in said
    assert "No worker is running that can work; start one: atlas worker" in said


def newest(home: Home) -> int | None:
    with home.database.read() as db:
        run = runs.newest(db, "orders")
        return run.id if run else None


@pytest.mark.services
def test_a_worker_without_the_key_refuses_and_names_the_remedy(shared: Program, attempts: Attempts) -> None:
    fresh = shared.run("worker")
    attempts.tried("remedy", "fresh installation", held="Make one: openssl rand -hex 32" in fresh.stderr)
    shared.environment["ATLAS_MASKING_KEY"] = KEY
    home = home_of(shared)
    worker = Worker(home, celery_app(home))
    worker.start()
    assert wait_for(lambda: works(home), 20)
    assert worker.stop(10)
    home.database.close()
    for name, key in (("no key", None), ("another key", OTHER)):
        shared.environment.pop("ATLAS_MASKING_KEY", None)
        shared.environment |= {"ATLAS_MASKING_KEY": key} if key else {}
        refused = shared.run("worker")
        held = refused.returncode == 1 and "openssl" not in refused.stderr and "Copy the key" in refused.stderr
        attempts.tried("remedy", name, held=held)


# `make test-long` and `make test-attack` try all of them
@pytest.mark.parametrize(
    "how", ["gone", *(pytest.param(how, marks=pytest.mark.long) for how in ("another", "empty", "a folder"))]
)
def test_without_the_right_key_no_part_is_taken(tmp_path: Path, attempts: Attempts, how: str) -> None:
    program = Program(tmp_path)
    orders(program)
    home = home_of(program)
    first = Worker(home, celery_app(home))
    first.start()
    assert wait_for(lambda: works(home), 20)
    assert first.stop(10)
    key = home.settings.keys / "masking.key"
    kept = key.read_text("ascii")
    key.unlink()
    if how in ("another", "empty"):
        key.write_text(OTHER if how == "another" else "", "ascii")
    elif how == "a folder":
        key.mkdir()
    worker = Worker(home, celery_app(home), only_asks=True)
    number = start(home, "orders")
    worker.wake()
    time.sleep(1.5)
    attempts.tried("work without the key", f"key is {how}", held=state(home, number) == "queued")
    assert wait_for(lambda: listed(home) == [("client", False)], 20)
    assert worker.why_not is not None
    if how == "a folder":
        key.rmdir()
    key.write_text(kept, "ascii")  # from now on it may
    assert wait_for(lambda: state(home, number) == "succeeded", 30)
    assert worker.stop(10)
    assert listed(home) == []
    home.database.close()


def test_a_worker_whose_tables_or_key_change_takes_nothing_more(tmp_path: Path, attempts: Attempts) -> None:
    program = Program(tmp_path)
    orders(program)
    home = home_of(program)
    worker = Worker(home, celery_app(home))
    worker.start()
    assert wait_for(lambda: works(home), 20)
    changes = {
        "another migration": ("UPDATE alembic_version SET version_num = '{}'", "9999", HEAD),
        "another key": ("UPDATE fact SET value = '{}' WHERE name = 'masking key'", "feedfeedfeedfeed", None),
    }
    with home.database.read() as db:
        fingerprint = db.execute(text("SELECT value FROM fact WHERE name = 'masking key'")).scalar()
    for name, (statement, value, back) in changes.items():
        with home.database.write() as db:
            db.execute(text(statement.format(value)))
        number = start(home, "orders")
        worker.wake()
        time.sleep(1.5)
        attempts.tried("work of another version", name, held=state(home, number) == "queued")
        assert wait_for(lambda: listed(home) == [("worker", False)], 20)
        with home.database.write() as db:
            db.execute(text(statement.format(back or fingerprint)))
        assert wait_for(lambda number=number: state(home, number) == "succeeded", 30)  # type: ignore[misc]
    assert worker.stop(10)
    home.database.close()
