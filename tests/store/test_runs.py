"""Runs and parts as rows: started once, worked on by one, finished once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from core.errors import LeaseLost, NotFound, Refused
from core.pipeline import Pipeline
from engine.store import runs
from engine.store.database import Database
from engine.store.tables import Part, Run


def pipeline(name: str = "orders") -> Pipeline:
    return Pipeline(name=name, owner="web-team", source={"connector": "csv", "path": "orders.csv"})


def start(database: Database, name: str = "orders") -> Run:
    with database.write() as db:
        return runs.start(db, pipeline(name), "anna", "plan")[0]


def first_part(database: Database, run: Run) -> int:
    with database.read() as db:
        return runs.parts(db, run.id)[0].id


def claimed(database: Database, part: int, owner: str = "host:1:1", lease: float = 30) -> runs.Claim | None:
    with database.write() as db:
        return runs.claim(db, part, owner, lease)


def expire(database: Database, part: int) -> None:
    with database.write() as db:
        db.execute(update(Part).where(Part.id == part).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))


def test_a_second_start_joins_the_active_run(database: Database) -> None:
    first = start(database)
    with database.write() as db:
        second, joined = runs.start(db, pipeline(), "bo", "plan")
    assert (second.id, joined) == (first.id, True)


def test_starts_at_the_same_moment_make_one_run(database: Database) -> None:
    numbers, ready = set(), threading.Barrier(4)

    def go() -> None:
        ready.wait()
        numbers.add(start(database).id)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 1


def test_a_part_is_claimed_by_one_of_many(database: Database) -> None:
    part = first_part(database, start(database))
    claims, ready = [], threading.Barrier(4)

    def go() -> None:
        ready.wait()
        claims.append(claimed(database, part))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in claims) == 1


def test_a_late_worker_with_an_old_token_is_refused(database: Database) -> None:
    part = first_part(database, start(database))
    late = claimed(database, part)
    expire(database, part)
    with database.write() as db:
        runs.reap(db, lambda owner: False)
    newer = claimed(database, part)
    assert late is not None
    assert newer is not None
    assert newer.token > late.token
    with pytest.raises(LeaseLost), database.write() as db:
        runs.complete(db, late, {"from": "late"}, 1)
    with database.write() as db:
        assert runs.complete(db, newer, {"from": "newer"}, 1)
    with database.read() as db:
        assert runs.results(db, newer.run, "plan") == [{"from": "newer"}]


def test_a_completed_part_cannot_be_completed_twice(database: Database) -> None:
    claim = claimed(database, first_part(database, start(database)))
    assert claim is not None
    with database.write() as db:
        runs.complete(db, claim, {}, 0)
    with pytest.raises(LeaseLost), database.write() as db:
        runs.complete(db, claim, {}, 0)


def test_the_last_part_of_a_step_is_the_last_exactly_once(database: Database) -> None:
    run = start(database)
    with database.write() as db:
        runs.offer(db, run.id, "explore", [{"n": n} for n in range(6)])
    with database.read() as db:
        parts = [part.id for part in runs.parts(db, run.id, "explore")]
    last, ready = [], threading.Barrier(6)

    def go(part: int) -> None:
        claim = claimed(database, part)
        ready.wait()
        assert claim is not None
        with database.write() as db:
            last.append(runs.complete(db, claim, {}, 1))

    threads = [threading.Thread(target=go, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(last) == [False] * 5 + [True]


def test_a_wake_up_call_is_sent_by_one_and_repeated_only_after_a_while(database: Database) -> None:
    part = first_part(database, start(database))
    with database.write() as db:
        assert runs.due(db) == [part]
    with database.write() as db:
        assert runs.due(db) == []


def test_a_part_whose_worker_is_dead_is_offered_again_at_once(database: Database) -> None:
    run = start(database)
    part = first_part(database, run)
    claimed(database, part, owner="here:1:1", lease=300)
    with database.write() as db:
        runs.reap(db, lambda owner: owner == "here:1:1")
    with database.write() as db:
        assert runs.due(db) == [part]
        assert runs.get(db, run.id).resumed == 1


def test_a_part_that_kills_every_worker_fails_its_run(database: Database) -> None:
    run = start(database)
    part = first_part(database, run)
    for _ in range(runs.MOST_TRIES):
        assert claimed(database, part) is not None
        with database.write() as db:
            ended = runs.reap(db, lambda owner: True)
    assert [r.id for r in ended] == [run.id]
    with database.read() as db:
        assert runs.get(db, run.id).state == "failed"
    assert claimed(database, part) is None


def test_a_run_that_nobody_works_on_is_cancelled_at_once(database: Database) -> None:
    run = start(database)
    with database.write() as db:
        assert runs.cancel(db, run.id).state == "cancelled"
    assert claimed(database, first_part(database, run)) is None


def test_a_worker_hears_of_a_cancellation_at_its_next_pulse(database: Database) -> None:
    run = start(database)
    claim = claimed(database, first_part(database, run))
    assert claim is not None
    with database.write() as db:
        assert runs.cancel(db, run.id).state == "running"
    with database.write() as db:
        assert runs.pulse(db, claim, 10, 30)


def test_an_ended_run_cannot_be_cancelled_or_ended_again(database: Database) -> None:
    run = start(database)
    with database.write() as db:
        runs.end(db, run.id, "succeeded")
    with pytest.raises(Refused, match="already succeeded"), database.write() as db:
        runs.cancel(db, run.id)
    with database.write() as db:
        assert runs.end(db, run.id, "failed").state == "succeeded"


def test_an_unknown_run_is_not_found_and_the_newest_is_named(database: Database) -> None:
    run = start(database)
    with pytest.raises(NotFound) as error, database.read() as db:
        runs.get(db, run.id + 999)
    assert error.value.hint == f"The newest is #{run.id}."


def test_a_retry_takes_over_the_steps_that_finished(database: Database) -> None:
    old = start(database)
    claim = claimed(database, first_part(database, old))
    assert claim is not None
    with database.write() as db:
        runs.complete(db, claim, {"parts": [1]}, 0)
        runs.offer(db, old.id, "explore", [{"n": 0}])
        runs.end(db, old.id, "failed", {"code": "x", "message": "y", "hint": None})
    with database.write() as db:
        new, _ = runs.start(db, pipeline(), "anna", "plan", again=old)
        assert runs.copy_finished(db, old.id, new.id, ("plan", "explore")) == ["plan"]
        assert runs.results(db, new.id, "plan") == [{"parts": [1]}]
