"""Runs and parts as rows: started once, worked on by one, finished once."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from core.errors import LeaseLost, NotFound, Refused
from core.pipeline import Pipeline
from engine.store import leases, runs
from engine.store.database import Database, open_database
from engine.store.tables import Part, Run


def pipeline(name: str = "orders") -> Pipeline:
    return Pipeline(name=name, owner="web-team", source={"connector": "csv", "path": "orders.csv"})


def start(database: Database, name: str = "orders") -> Run:
    with database.write() as db:
        return runs.start(db, pipeline(name), "anna", "plan")[0]


def first_part(database: Database, run: Run) -> int:
    with database.read() as db:
        return runs.parts(db, run.id)[0].id


def claimed(database: Database, part: int, owner: str = "host:1:1", lease: float = 30) -> leases.Claim | None:
    with database.write() as db:
        return leases.claim(db, part, owner, lease)


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
        leases.reap(db, lambda owner: False, 30)
    newer = claimed(database, part)
    assert late is not None
    assert newer is not None
    assert newer.token > late.token
    with pytest.raises(LeaseLost), database.write() as db:
        leases.complete(db, late, {"from": "late"}, 1)
    with database.write() as db:
        assert leases.complete(db, newer, {"from": "newer"}, 1)
    with database.read() as db:
        assert runs.results(db, newer.run, "plan") == [{"from": "newer"}]


def test_a_completed_part_cannot_be_completed_twice(database: Database) -> None:
    claim = claimed(database, first_part(database, start(database)))
    assert claim is not None
    with database.write() as db:
        leases.complete(db, claim, {}, 0)
    with pytest.raises(LeaseLost), database.write() as db:
        leases.complete(db, claim, {}, 0)


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
            last.append(leases.complete(db, claim, {}, 1))

    threads = [threading.Thread(target=go, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(last) == [False] * 5 + [True]


def test_only_so_many_parts_of_one_source_are_worked_on_at_once_and_the_next_is_called_when_one_ends(
    database: Database,
) -> None:
    with database.write() as db:
        for name in ("orders", "returns"):
            run = runs.start(db, pipeline(name), "anna", "plan")[0]
            runs.offer(db, run.id, "explore", [{"n": n} for n in range(4)], "postgres db:5432/shop")
        other = runs.start(db, pipeline("people"), "anna", "plan")[0]
        runs.offer(db, other.id, "explore", [{}], "rest api.example.dk")
        lanes = {part.id: part.lane for part in db.scalars(select(Part).where(Part.step == "explore"))}
    shop = [part for part, lane in lanes.items() if lane == "postgres db:5432/shop"]
    (elsewhere,) = lanes.keys() - shop
    held: list[leases.Claim | None] = []
    ready = threading.Barrier(len(shop))

    def go(part: int) -> None:
        ready.wait()
        held.append(claimed(database, part))

    threads = [threading.Thread(target=go, args=(part,)) for part in shop]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = [claim for claim in held if claim]
    assert len(mine) == leases.MOST_AT_ONCE
    assert claimed(database, elsewhere)
    with database.write() as db:
        assert not set(leases.due(db)) & set(shop)
        leases.complete(db, mine[0], {}, 1)
        (called,) = leases.due(db)
    waiting = set(shop) - {claim.part for claim in mine}
    assert called in waiting
    with database.read() as db:
        assert not leases.has_due(db)
    assert claimed(database, called)
    assert not claimed(database, (waiting - {called}).pop())


def test_each_of_many_parts_of_one_source_is_called_once_and_again_only_if_its_call_was_lost(
    database: Database,
) -> None:
    run = start(database)
    with database.write() as db:
        runs.end(db, run.id, "succeeded")  # its first part is none of these
        runs.offer(db, run.id, "explore", [{"n": n} for n in range(10 * leases.MOST_AT_ONCE)], "postgres db:5432/shop")
        every = [part.id for part in runs.parts(db, run.id, "explore")]
        lost = leases.due(db)
        assert lost == every[: leases.MOST_AT_ONCE]
        assert leases.due(db) == []
        db.execute(update(Part).where(Part.id.in_(lost)).values(wake_at=datetime.now(UTC)))  # five seconds later
        called = leases.due(db)
    held = [claimed(database, part) for part in called]
    while held:
        claim = held.pop()
        assert claim is not None
        with database.write() as db:
            leases.complete(db, claim, {}, 1)
            after = leases.due(db)
        assert len(after) == (len(called) < len(every))
        called += after
        held += [claimed(database, part) for part in after]
    assert sorted(called) == every


def test_a_wake_up_call_is_sent_by_one_and_repeated_only_after_a_while(database: Database) -> None:
    part = first_part(database, start(database))
    with database.write() as db:
        assert leases.due(db) == [part]
    with database.write() as db:
        assert leases.due(db) == []


def test_a_part_whose_worker_is_dead_is_offered_again_at_once(database: Database) -> None:
    run = start(database)
    part = first_part(database, run)
    claimed(database, part, owner="here:1:1", lease=300)
    with database.write() as db:
        leases.reap(db, lambda owner: owner == "here:1:1", 30)
    with database.write() as db:
        assert leases.due(db) == [part]
        assert runs.get(db, run.id).resumed == 1


def test_a_part_that_kills_every_worker_fails_its_run(database: Database) -> None:
    run = start(database)
    part = first_part(database, run)
    for _ in range(leases.MOST_TRIES):
        assert claimed(database, part) is not None
        with database.write() as db:
            ended = leases.reap(db, lambda owner: True, 30)
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
        assert leases.pulse(db, claim, 10, 30)


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
        leases.complete(db, claim, {"parts": [1]}, 0)
        runs.offer(db, old.id, "explore", [{"n": 0}])
        runs.end(db, old.id, "failed", {"code": "x", "message": "y", "hint": None})
    with database.write() as db:
        new, _ = runs.start(db, pipeline(), "anna", "plan", again=old)
        assert runs.copy_finished(db, old.id, new.id, ("plan", "explore")) == ["plan"]
        assert runs.results(db, new.id, "plan") == [{"parts": [1]}]


def test_of_very_many_ready_parts_only_so_many_are_called_at_once(database: Database) -> None:
    run = start(database)
    with database.write() as db:
        runs.end(db, run.id, "succeeded")  # its first part is none of these
        runs.offer(db, run.id, "explore", [{"name": str(n)} for n in range(5 * leases.CALLED_AT_ONCE)])
        first = leases.due(db)
        assert len(first) == leases.CALLED_AT_ONCE
        assert not leases.has_due(db)
        assert leases.due(db) == []
    assert claimed(database, first[0])
    with database.write() as db:
        assert leases.has_due(db)
        more = leases.due(db)
        assert len(more) == 1
        assert not set(more) & set(first)


def test_who_is_free_begins_with_what_was_called_and_not_with_what_waits_for_a_second_try(database: Database) -> None:
    with database.write() as db:
        run = runs.start(db, pipeline(), "anna", "plan")[0]
        runs.offer(db, run.id, "explore", [{"n": n} for n in range(6)], "postgres db:5432/shop")
        assert leases.not_begun(db) is None  # nobody was called
        called = leases.due(db)
        assert leases.not_begun(db) == called[0]
    first = claimed(database, called[0])
    assert first
    with database.write() as db:
        leases.try_again(db, first)
        assert leases.not_begun(db) == called[1]
    for part in called[1 : leases.MOST_AT_ONCE + 1]:
        assert claimed(database, part)
    with database.write() as db:
        runs.offer(db, run.id, "chart", [{}])
        leases.due(db)
        left = {part.step for part in runs.parts(db, run.id) if part.id == leases.not_begun(db)}
    assert left == {"chart"}  # its source has no room for more


def test_a_small_run_does_not_wait_for_the_parts_of_a_large_one(database: Database) -> None:
    large = start(database, "large")
    with database.write() as db:
        runs.end(db, large.id, "succeeded")  # its first part is none of these
        runs.offer(db, large.id, "chart", [{"name": str(n)} for n in range(3 * leases.CALLED_AT_ONCE)])
        called = leases.due(db)
    for part in called[:2]:
        assert claimed(database, part)
    small = start(database, "small")
    with database.write() as db:
        assert leases.due(db)[0] == first_part(database, small)
        assert leases.not_begun(db) == first_part(database, small)


def test_every_one_of_very_many_parts_is_called_at_some_time(database: Database) -> None:
    """Though nobody who hears of it can take it."""
    run = start(database)
    with database.write() as db:
        runs.end(db, run.id, "succeeded")
        runs.offer(db, run.id, "explore", [{"name": str(n)} for n in range(3 * leases.CALLED_AT_ONCE)])
    called: set[int] = set()
    for _ in range(3):
        with database.write() as db:
            called.update(leases.due(db))
            again = datetime.now(UTC)  # as if five seconds had passed
            db.execute(update(Part).where(Part.id.in_(called)).values(wake_at=again))
    assert len(called) == 3 * leases.CALLED_AT_ONCE


@pytest.mark.services
def test_a_run_that_somebody_holds_does_not_keep_others_from_being_reaped(postgres_url: str, tmp_path: Path) -> None:
    database = open_database(postgres_url, tmp_path)
    held, free = start(database, "held"), start(database, "free")
    for run in (held, free):
        part = first_part(database, run)
        assert claimed(database, part)
        expire(database, part)
    with database.write() as stuck:
        stuck.execute(select(Run).where(Run.id == held.id).with_for_update())
        with database.write() as db:
            db.execute(text("SET LOCAL lock_timeout = '2s'"))
            leases.reap(db, lambda _: False, 30)
    with database.write() as db:
        assert runs.get(db, free.id).resumed == 1
        assert runs.get(db, held.id).resumed == 0
        leases.reap(db, lambda _: False, 30)
        assert runs.get(db, held.id).resumed == 1
        for run in (held, free):
            runs.end(db, run.id, "cancelled")
    database.close()


@pytest.mark.services
def test_a_claim_and_the_end_of_its_run_do_not_wait_for_each_other(postgres_url: str, tmp_path: Path) -> None:
    database = open_database(postgres_url, tmp_path)
    run = start(database, "ending")
    part = first_part(database, run)
    claims: list[leases.Claim | None] = []
    claiming = threading.Thread(target=lambda: claims.append(claimed(database, part)))
    with database.write() as db:
        db.execute(select(Run).where(Run.id == run.id).with_for_update())
        claiming.start()
        claiming.join(0.5)  # it waits for the run
        assert runs.end(db, run.id, "cancelled").state == "cancelled"
    claiming.join(20)
    assert claims == [None]
    database.close()
