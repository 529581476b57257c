"""Who holds a part works on it, as long as its lease and no longer; a cancelled run stops soon."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

import connectors
from core import parts
from core.errors import LeaseLost
from core.pipeline import Pipeline
from core.settings import Settings, load
from engine import catalog
from engine.home import Home, open_home
from engine.runs import course
from engine.runs.worker import Worker, celery_app
from engine.store import datasets, leases, runs
from engine.store.tables import Part, Run
from tests.homes import prepare
from tests.program import HANGS, wait_for

ROWS = 150_000
ELSEWHERE = "another-machine/4026531836:17:123456"
THINGS = Pipeline(
    name="things", owner="web-team", source={"connector": "csv", "path": "things.csv"}, key=["id"],
    quality={"uniqueness": ["id"], "validity": [{"column": "email", "format": "email"}], "reject_rows": ["validity"]},
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    yield from home_in(tmp_path_factory.mktemp("leases"))


@pytest.fixture
def another_home(tmp_path: Path) -> Iterator[Home]:
    """One that no other worker works on."""
    yield from home_in(tmp_path)


def home_in(folder: Path) -> Iterator[Home]:
    (folder / "pipelines" / "navigate").mkdir(parents=True)
    lines = (f"{n},person{n}@mail.example,{n % 97}.5" for n in range(ROWS))
    (folder / "pipelines" / "things.csv").write_text("\n".join(["id,email,amount", *lines, ""]), encoding="utf-8")
    prepare(folder / "home")
    opened = open_home(settings(folder.as_posix()))
    yield opened
    opened.database.close()


def settings(folder: str) -> Settings:
    return load(
        {"ATLAS_HOME": f"{folder}/home", "ATLAS_PIPELINES": f"{folder}/pipelines", "ATLAS_LEASE_SECONDS": "1.5"}
    )


def start(home: Home) -> int:
    with home.database.write() as db:
        return course.start(db, THINGS, "anna")[0].id


def state(home: Home, number: int) -> Run:
    with home.database.read() as db:
        return runs.get(db, number)


def steps_running(home: Home, number: int) -> set[str]:
    with home.database.read() as db:
        return {part.step for part in runs.parts(db, number) if part.state == "running"}


def ended(home: Home, number: int, seconds: float = HANGS) -> Run:
    end = time.monotonic() + seconds
    while (run := state(home, number)).state in runs.ACTIVE:
        assert time.monotonic() < end, "The run did not end."
        time.sleep(0.005)
    return run


def claimed_elsewhere(home: Home, number: int) -> leases.Claim:
    """The first part of a run, in the hands of another machine's worker."""
    with home.database.write() as db:
        claim = leases.claim(db, runs.parts(db, number)[0].id, ELSEWHERE, home.settings.lease_seconds)
    assert claim is not None
    return claim


def test_work_of_another_machine_is_left_until_its_lease_ends_and_then_taken_over(home: Home, worker: Worker) -> None:
    number = start(home)
    late = claimed_elsewhere(home, number)
    begun = time.monotonic()
    worker.wake()
    time.sleep(0.7)
    assert state(home, number).resumed == 0
    done = ended(home, number)
    assert time.monotonic() - begun > home.settings.lease_seconds
    assert (done.state, done.resumed, done.rows_in, done.rows_out) == ("succeeded", 1, ROWS, ROWS)
    with pytest.raises(LeaseLost), home.database.write() as db:
        leases.complete(db, late, {"parts": []}, 0)
    with pytest.raises(LeaseLost), home.database.write() as db:
        leases.pulse(db, late, 1, 30)


def test_what_a_clock_that_ran_ahead_has_put_off_is_worked_on_all_the_same(home: Home, worker: Worker) -> None:
    """As after a clock was set back: the part is to be called in hours, and then its lease ends in hours."""
    hours = datetime.now(UTC) + timedelta(hours=3)
    with home.database.write() as db:
        number = course.start(db, THINGS, "anna")[0].id
        db.execute(update(Part).where(Part.run_id == number).values(wake_at=hours))
    assert ended(home, number).state == "succeeded"
    with home.database.write() as db:
        number = course.start(db, THINGS, "anna")[0].id
        assert leases.claim(db, runs.parts(db, number)[0].id, ELSEWHERE, home.settings.lease_seconds)
        db.execute(update(Part).where(Part.run_id == number).values(lease_until=hours))
    done = ended(home, number)
    assert (done.state, done.resumed) == ("succeeded", 1)


def test_what_a_late_worker_wrote_never_becomes_visible(home: Home, worker: Worker) -> None:
    """It comes to the last moment before publishing, loses its lease, and tries to publish all the same."""
    ended(home, first := start_and_wake(home, worker))
    before = current(home)
    assert before is not None
    with home.database.write() as db:
        old, _ = runs.start(db, THINGS, "anna", "plan", again=runs.get(db, first))
        runs.copy_finished(db, first, old.id, course.STEPS_UNTIL_PUBLISH)
        runs.offer(db, old.id, "publish", [{}])
        part = runs.parts(db, old.id, "publish")[0]
        late = leases.claim(db, part.id, ELSEWHERE, 30)
        assert late is not None
        # meanwhile somebody else has taken the part over
        db.execute(update(Part).where(Part.id == part.id).values(token=late.token + 1))
    with pytest.raises(LeaseLost):
        course.work(home, late, lambda rows: None)
    assert current(home) == before
    with home.database.write() as db:
        past = datetime.now(UTC) - timedelta(seconds=1)
        db.execute(update(Part).where(Part.id == part.id).values(lease_until=past))
    assert ended(home, old.id).state == "succeeded"
    assert (current(home) or 0) > before


@pytest.mark.parametrize("step", ["explore", "verdicts", "rejects", "contract", "chart"])
def test_a_run_stops_within_two_seconds_of_its_cancellation(home: Home, worker: Worker, step: str) -> None:
    number = start_and_wake(home, worker)
    while step not in steps_running(home, number):
        assert state(home, number).state in runs.ACTIVE
        time.sleep(0.001)
    before = current(home)
    begun = time.monotonic()
    with home.database.write() as db:
        runs.cancel(db, number)
    assert ended(home, number).state == "cancelled"
    took = time.monotonic() - begun
    assert took < 2, f"{took:.2f} s in {step}"
    assert current(home) == before


def current(home: Home) -> int | None:
    with home.database.read() as db:
        version = datasets.current_version(db, "things")
        return version.id if version else None


def start_and_wake(home: Home, worker: Worker) -> int:
    number = start(home)
    worker.wake()
    return number


def test_a_worker_that_is_told_to_stop_ends_what_it_does_and_begins_nothing(another_home: Home) -> None:
    home = another_home
    ending = Worker(home, celery_app(home))
    number = start_and_wake(home, ending)
    while "verdicts" not in steps_running(home, number):
        time.sleep(0.001)
    with home.database.write() as db:
        others = [
            runs.start(db, THINGS.model_copy(update={"name": f"other_{n}"}), "anna", "plan")[0].id for n in (1, 2)
        ]
    assert ending.stop(30)
    with home.database.write() as db:
        assert {part.state for part in runs.parts(db, number, "verdicts")} == {"done"}
        assert [part.attempt for other in others for part in runs.parts(db, other)] == [0, 0]
        for left in (number, *others):
            runs.end(db, left, "cancelled")


@pytest.fixture
def more_connectors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(Path(__file__).parent / "more_connectors")])
    parts.names.cache_clear()
    yield
    parts.names.cache_clear()


@pytest.mark.parametrize("told_to_stop", [True, False])
@pytest.mark.usefixtures("more_connectors")
def test_what_breaks_because_the_process_ends_is_left_to_others(
    another_home: Home, tmp_path: Path, told_to_stop: bool
) -> None:
    home, when = another_home, tmp_path / "now"
    (tmp_path / "pipelines" / "odd.yml").write_text(
        f"name: odd\nowner: web-team\nsource: {{connector: breaking, when: {when}}}\n", encoding="utf-8"
    )
    with home.database.write() as db:
        number = course.start(db, catalog.pipeline(home.settings.pipelines, "odd"), "anna")[0].id
    ending = Worker(home, celery_app(home))
    ending.wake()
    assert wait_for(lambda: "explore" in steps_running(home, number))
    if told_to_stop:
        assert not ending.stop(0)
    when.touch()
    assert wait_for(lambda: not ending.working)
    run = state(home, number)
    if told_to_stop:
        assert (run.state, steps_running(home, number)) == ("running", {"explore"})
    else:
        assert ending.stop(30)
        assert run.state == "failed"
        assert "A bug in Atlas stopped `explore`: RuntimeError" in run.error["message"]
    with home.database.write() as db:
        if run.state in runs.ACTIVE:
            runs.end(db, number, "cancelled")
