"""Duties: each is on its own, tells its errors once, and comes again whatever it raised."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from api.metrics import Metrics
from core.settings import Settings
from engine.duties import Apart, Duties, Duty, Failed, kinds, words
from engine.home import Home, open_home
from engine.store import follow_ups, processes, runs
from engine.store.tables import Process
from tests.conftest import Lines
from tests.program import wait_for
from tests.test_health import ORDERS, WORKS

SECRET = "anna@example.com"


@pytest.fixture
def stopping() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    opened = open_home(settings)
    yield opened
    opened.database.close()


def raising(errors: list[BaseException | None], turns: list[int]) -> Callable[[], None]:
    def do() -> None:
        turns.append(1)
        error = errors.pop(0) if errors else None
        if error is not None:
            raise error

    return do


def test_an_error_is_logged_once_when_it_begins_and_once_when_it_is_over(
    stopping: threading.Event, lines: Lines
) -> None:
    turns: list[int] = []
    errors: list[BaseException | None] = [*(ValueError(SECRET) for _ in range(4)), None]
    duties = Duties(stopping)
    duties.start([Duty("sweep", 0.01, raising(errors, turns))])
    assert wait_for(lambda: len(turns) > 6, 10)
    told = [(line["level"], line["message"].partition(" at ")[0]) for line in lines()]
    assert told == [
        ("ERROR", "the duty sweep fails: ValueError"), ("WARNING", "the duty sweep works again"),
    ]  # fmt: skip
    assert duties.failing == {}


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), MemoryError(), RecursionError()])
def test_a_duty_that_ends_in_any_way_comes_again_and_others_go_on(
    stopping: threading.Event, error: BaseException
) -> None:
    turns: list[int] = []
    others: list[int] = []
    duties = Duties(stopping)
    duties.start([Duty("bad", 0.01, raising([error], turns)), Duty("good", 0.01, raising([], others))])
    assert wait_for(lambda: len(turns) > 2 and len(others) > 2, 10)


def test_a_duty_that_hangs_stops_no_other(stopping: threading.Event) -> None:
    others: list[int] = []
    duties = Duties(stopping)
    duties.start([Duty("hangs", 0.01, stopping.wait), Duty("good", 0.01, raising([], others))])
    assert wait_for(lambda: len(others) > 2, 10)


def test_what_is_done_apart_is_done_and_told_together_without_values() -> None:
    apart, done = Apart(), []
    for name, error in {"a": ValueError(SECRET), "b": None, "c": OSError(SECRET)}.items():
        with apart(name):
            if error:
                raise error
            done.append(name)
    with pytest.raises(Failed) as caught:
        apart.end()
    assert done == ["b"]
    assert kinds(caught.value) == "OSError, ValueError"
    assert "a: ValueError at test_duties.py:" in words(caught.value)
    assert SECRET not in words(caught.value) + str(caught.value) + repr(caught.value)


def test_processes_that_are_silent_are_not_listed_and_are_forgotten(home: Home) -> None:
    with home.database.write() as db:
        for name in ("lives", "silent", "long gone"):
            processes.lives(db, name, WORKS)
        for name, minutes in {"silent": 2, "long gone": 70}.items():
            at = datetime.now(UTC) - timedelta(minutes=minutes)
            db.execute(update(Process).where(Process.id == name).values(seen_at=at))
    with home.database.write() as db:
        processes.lives(db, "lives", {**WORKS, "reason": "it has no key"})
        assert [(it.id, it.works, it.reason) for it in processes.listed(db)] == [("lives", False, "it has no key")]
        assert {it.id for it in db.query(Process)} == {"lives", "silent"}
        processes.ended(db, "lives")
        assert processes.listed(db) == []


def test_a_figure_names_what_fails_and_counts_who_works(home: Home) -> None:
    since = datetime.now(UTC).isoformat()
    with home.database.write() as db:
        processes.lives(db, "one", WORKS | {"failing": {"sweep": [since, "OSError"]}})
        processes.lives(db, "two", WORKS | {"reason": "it has no key", "failing": {"sweep": [since, "OSError"]}})
        run = runs.start(db, ORDERS, "anna", "plan")[0]
        assert follow_ups.failed(db, run.id, "alerts", "NotFound")
        assert not follow_ups.failed(db, run.id, "alerts", "NotFound")
    told = Metrics(home).text().decode()
    assert 'atlas_duty_failing{duty="sweep"} 1.0' in told
    assert 'atlas_duty_failing{duty="after a run: alerts"} 1.0' in told
    assert 'atlas_workers{state="works"} 1.0' in told
    assert 'atlas_workers{state="does not work"} 1.0' in told
