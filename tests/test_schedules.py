"""Schedules fire once however many look after them, lose nothing to a kill, and catch up once."""

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.errors import BadInput, Refused
from core.settings import Settings
from engine import catalog
from engine.home import Home
from engine.runs import course, schedules
from engine.store import audit, runs
from engine.store import schedules as rows
from engine.store.database import Database
from engine.store.tables import Run, Schedule
from tests.processes import PROCESSES
from tests.program import Program, end, wait_for

START = datetime(2026, 3, 2, 5, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def home(settings: Settings, database: Database) -> Home:
    write(settings, "orders")
    return Home(settings, database)


def write(settings: Settings, name: str, more: str = "") -> Path:
    path = settings.pipelines / f"{name}.yml"
    path.write_text(f"name: {name}\nowner: web-team\nsource: {{connector: csv, path: {name}.csv}}\n{more}", "utf-8")
    return path


def put(home: Home, text: str, now: datetime = START, name: str = "orders") -> schedules.Planned:
    with home.database.write() as db:
        return schedules.put(home, db, catalog.pipeline(home.settings.pipelines, name), text, "kim", now)


def plans(home: Home, now: datetime = START) -> dict[str, schedules.Planned]:
    return {plan.pipeline: plan for plan in schedules.listed(home, None, None, now)}


def firings(home: Home) -> list[str]:
    with home.database.read() as db:
        found = audit.entries(db, who=None, action=None, about=None, since=None, before=None, limit=1000)
        return [row.action for row in found if row.through == "schedule"]


def finish(home: Home) -> None:
    with home.database.write() as db:
        for number in runs.active(db):
            runs.end(db, number, "succeeded")


def test_a_due_schedule_starts_a_run_and_moves_on(home: Home) -> None:
    assert put(home, "0 6 * * *").next_at == datetime(2026, 3, 3, 5, tzinfo=UTC)  # 06:00 in Copenhagen has been
    assert schedules.fire(home, START) == 0
    late = datetime(2026, 3, 3, 5, 0, 1, tzinfo=UTC)
    assert schedules.fire(home, late) == 1
    assert schedules.fire(home, late) == 0
    with home.database.read() as db:
        assert [(run.requested_by, run.state) for run in db.scalars(select(Run))] == [("schedule", "queued")]
    assert firings(home) == ["run.start"]
    plan = plans(home)["orders"]
    assert (plan.next_at, plan.last_at, plan.note) == (datetime(2026, 3, 4, 5, tzinfo=UTC), late, None)
    assert plan.run is not None


def test_what_was_missed_is_caught_up_once(home: Home) -> None:
    put(home, "*/5 * * * *")
    later = START + timedelta(days=3)
    assert [schedules.fire(home, later + n * timedelta(seconds=1)) for n in range(3)] == [1, 0, 0]
    assert plans(home)["orders"].next_at == datetime(2026, 3, 5, 5, 5, tzinfo=UTC)


def test_a_run_that_is_under_way_is_joined_and_that_is_noted(home: Home) -> None:
    put(home, "* * * * *")
    with home.database.write() as db:
        run, _ = course.start(db, catalog.pipeline(home.settings.pipelines, "orders"), "anna")
    assert schedules.fire(home, START + MINUTE) == 1
    plan = plans(home)["orders"]
    assert (plan.run, plan.note, firings(home)) == (run.id, f"Run `#{run.id}` was still under way.", ["run.join"])


def test_a_run_that_is_being_cancelled_is_waited_for(home: Home) -> None:
    put(home, "0 * * * *")
    with home.database.write() as db:
        run, _ = course.start(db, catalog.pipeline(home.settings.pipelines, "orders"), "anna")
        run.cancel_requested = True
    due = START + timedelta(hours=1)
    assert schedules.fire(home, due) == 0
    finish(home)
    assert schedules.fire(home, due + MINUTE) == 1
    assert firings(home) == ["run.start"]


@pytest.mark.parametrize("gone", [True, False])
def test_a_broken_or_missing_file_keeps_its_schedule_and_is_told_once(
    home: Home, gone: bool, caplog: pytest.LogCaptureFixture
) -> None:
    put(home, "* * * * *")
    path = home.settings.pipelines / "orders.yml"
    path.unlink() if gone else path.write_text("name: orders\nownr: x\n", "utf-8")
    assert [schedules.fire(home, START + n * MINUTE) for n in (1, 2, 3)] == [0, 0, 0]
    assert sum("the schedule of orders" in record.getMessage() for record in caplog.records) == 1
    plan = plans(home)["orders"]
    assert (plan.next_at, plan.run) == (datetime(2026, 3, 2, 5, 4, tzinfo=UTC), None)
    assert (plan.note or "").startswith("It could not start: ")
    write(home.settings, "orders")
    assert schedules.fire(home, START + 4 * MINUTE) == 1
    assert plans(home)["orders"].note is None


def test_a_file_sets_changes_and_ends_its_own_schedule(home: Home) -> None:
    files = schedules.Files(home)
    write(home.settings, "orders", 'schedule: "0 6 * * *"\ntimezone: America/New_York\n')
    assert plans(home)["orders"].set_by is None  # told before anything looks after it
    with pytest.raises(Refused, match=r"written in orders\.yml"):
        put(home, "0 7 * * *")
    with pytest.raises(Refused, match="changes only there"), home.database.write() as db:
        schedules.remove(home, db, "orders")
    files.look(START)
    assert plans(home)["orders"].next_at == datetime(2026, 3, 2, 11, tzinfo=UTC)
    write(home.settings, "orders", 'schedule: "0 17 * * *"\n')
    files.look(START)
    assert plans(home)["orders"].next_at == datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert schedules.fire(home, datetime(2026, 3, 2, 16, tzinfo=UTC)) == 1
    write(home.settings, "orders")
    files.look(START)
    assert plans(home) == {}
    with home.database.read() as db:
        assert rows.of(db) == {}


def test_a_file_leaves_alone_what_was_said_in_the_chat(home: Home) -> None:
    put(home, "0 17 * * *")
    before = plans(home)
    schedules.Files(home).look(START)
    assert plans(home) == before


def test_what_is_no_schedule_is_refused_with_what_would_work(home: Home) -> None:
    with pytest.raises(BadInput, match="no hour") as error:
        put(home, "0 26 * * *")
    assert '"0 6 * * *"' in (error.value.hint or "")


def _race(settings: Settings, url: str, barrier: Any, minutes: int) -> None:
    home = Home(settings, Database(url))
    for n in range(1, minutes + 1):
        barrier.wait(60)
        schedules.fire(home, START + n * MINUTE)
    home.database.close()


def test_two_schedulers_fire_each_time_once(home: Home) -> None:
    put(home, "* * * * *")
    minutes, barrier = 40, PROCESSES.Barrier(2)
    url = home.database.engine.url.render_as_string(hide_password=False)
    url = url.replace("postgresql+psycopg://", "postgresql://")
    racers = [PROCESSES.Process(target=_race, args=(home.settings, url, barrier, minutes)) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
    assert [racer.exitcode for racer in racers] == [0, 0]
    assert len(firings(home)) == minutes
    assert firings(home).count("run.start") == 1


def _dies(settings: Settings, url: str, moment: str) -> None:
    home = Home(settings, Database(url))
    wanted = catalog.pipeline(settings.pipelines, "orders")
    with home.database.write() as db:
        seen = db.get_one(Schedule, "orders")
        assert rows.take(db, seen, START + MINUTE, START + 9 * MINUTE, None)
        if moment == "started":
            schedules.start(db, wanted)
            db.flush()
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("moment", ["taken", "started"])
def test_a_scheduler_killed_while_it_fires_loses_nothing_and_doubles_nothing(home: Home, moment: str) -> None:
    put(home, "* * * * *")
    url = home.database.engine.url.render_as_string(hide_password=False)
    url = url.replace("postgresql+psycopg://", "postgresql://")
    dying = PROCESSES.Process(target=_dies, args=(home.settings, url, moment))
    dying.start()
    dying.join(60)
    assert dying.exitcode == -signal.SIGKILL
    assert firings(home) == []
    assert [schedules.fire(home, START + MINUTE) for _ in range(2)] == [1, 0]
    assert firings(home) == ["run.start"]


def test_beat_fires_what_is_due_and_a_worker_does_it(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.pipeline("orders", "id,country\n1,DK\n2,SE\n")
    said = program.say('schedule orders "* * * * *"')
    assert said["exit"] == 0, said
    with Database(f"sqlite:///{program.home / 'atlas.db'}").write() as db:  # as if nothing had run for an hour
        db.get_one(Schedule, "orders").next_at = datetime.now(UTC) - timedelta(hours=1)
    beats, worker = [program.start("beat"), program.start("beat")], program.start("worker")
    try:
        done = lambda: any(  # noqa: E731
            run["requested_by"] == "schedule" and run["state"] == "succeeded"
            for run in program.say("runs")["facts"]["items"]
        )
        assert wait_for(done)
    finally:
        assert [end(process) for process in (*beats, worker)] == [0, 0, 0]


def test_a_clock_that_is_set_back_a_little_fires_nothing_twice(home: Home) -> None:
    put(home, "0 6 * * *")
    six = datetime(2026, 3, 3, 5, tzinfo=UTC)
    assert schedules.fire(home, six + timedelta(seconds=1)) == 1
    for now in (six - timedelta(seconds=1), six - timedelta(hours=3)):
        schedules.set_right(home, now)
        assert schedules.fire(home, six + timedelta(seconds=1)) == 0
    assert plans(home)["orders"].next_at == six + timedelta(days=1)


def test_what_was_put_off_by_a_clock_that_ran_years_ahead_comes_when_it_should(home: Home) -> None:
    """It was fired then, too: nobody is to wait for the year 2030 a second time."""
    put(home, "0 6 * * *", datetime(2030, 1, 1, tzinfo=UTC))
    assert schedules.fire(home, datetime(2030, 1, 1, 6, tzinfo=UTC)) == 1
    finish(home)
    schedules.set_right(home, START)
    six = datetime(2026, 3, 3, 5, tzinfo=UTC)
    assert plans(home)["orders"].next_at == six
    assert [schedules.fire(home, six + n * MINUTE) for n in range(2)] == [1, 0]


def test_a_scheduler_sets_right_what_it_finds_put_off(home: Home) -> None:
    now = datetime.now(UTC)
    put(home, "* * * * *", now + timedelta(days=1000))
    scheduler = schedules.Scheduler(home)
    scheduler.start()
    try:
        assert wait_for(lambda: plans(home)["orders"].next_at < now + 3 * MINUTE)
    finally:
        scheduler.stop()
