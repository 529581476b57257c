"""The sums over what has ended: each run counts once, whenever it ends and whoever looks."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.models import Verdict
from core.pipeline import Pipeline
from engine.store import figures, leases, privacy, quality, runs
from engine.store.database import Database
from engine.store.tables import Attempts, LineageEvent, Part, Run

EMAIL = Verdict("email", ("EMAIL",), 0.9, "looks like it", "hash", scope="column")


def start(db: Session, name: str) -> Run:
    source = {"connector": "csv", "path": "x.csv"}
    return runs.start(db, Pipeline(name=name, owner="a", source=source), "anna", "plan")[0]


def work(db: Session, run: Run, seconds: float) -> None:
    """Does the one part of a run, in so long."""
    part = runs.parts(db, run.id)[0]
    claim = leases.claim(db, part.id, "me", 30)
    assert claim is not None
    leases.complete(db, claim, {}, 10)
    now = datetime.now(UTC)
    times = {"started_at": now - timedelta(seconds=seconds), "finished_at": now}
    db.execute(update(Part).where(Part.id == part.id).values(times))


def end(db: Session, run: Run, state: str = "succeeded", score: float | None = None) -> None:
    run.rows_in, run.rows_out, run.rows_rejected, run.resumed = 10, 8, 2, 1
    privacy.save_verdicts(db, run.id, run.pipeline, [EMAIL], 8, {"email": {"EMAIL": 8, "PHONE": 1}})
    quality.save(db, run.id, run.pipeline, [], score, {})
    db.flush()
    runs.end(db, run.id, state)


def test_each_run_counts_once_and_in_any_order_of_ending(database: Database) -> None:
    looks = [figures.Ended()]

    def look() -> figures.Ended:
        with database.read() as db:
            looks.append(figures.with_ended(db, looks[-1]))
        return looks[-1]

    with database.write() as db:
        slow, quick = start(db, "slow"), start(db, "quick")
        work(db, quick, 0.05)
        end(db, quick, score=80)
    look()
    assert look().runs == {("quick", "succeeded"): 1}
    with database.write() as db:
        work(db, slow, 7)
        db.add(slow)
        end(db, slow, "refused", score=40)
        newer = start(db, "quick")
        work(db, newer, 0.05)
        end(db, newer, score=90)
    seen = look()
    assert seen.runs == {("quick", "succeeded"): 2, ("slow", "refused"): 1}
    assert seen.rows == {"in": 30, "out": 24, "rejected": 6}
    assert (seen.masked, seen.taken_over) == ({"EMAIL": 24, "PHONE": 3}, 3)
    assert seen.scores == {"quick": (newer.id, 90), "slow": (slow.id, 40)}
    step = seen.steps["plan"]
    assert step.within == [2, 2, 2, 2, 3, 3, 3, 3, 3]
    assert (step.parts, round(step.seconds, 1)) == (3, 7.1)
    with database.read() as db:
        assert figures.with_ended(db, figures.Ended()) == seen  # another process, which looks for the first time


def test_a_run_that_becomes_visible_late_is_counted_all_the_same(database: Database) -> None:
    """Its number was given before that of another, and its transaction ended after."""
    with database.write() as db:
        late = start(db, "late")
        work(db, late, 1)
        other = start(db, "other")
        end(db, other)
        row = {column.name: getattr(late, column.name) for column in Run.__table__.columns}
        part = runs.parts(db, late.id)[0]
        parts = {column.name: getattr(part, column.name) for column in Part.__table__.columns}
        db.delete(part)
        db.flush()
        db.delete(late)
    with database.read() as db:
        before = figures.with_ended(db, figures.Ended())
    assert before.runs == {("other", "succeeded"): 1}
    with database.write() as db:
        db.add(Run(**row))
        db.flush()
        db.add(Part(**parts))
        db.flush()
        runs.end(db, row["id"], "failed")
    with database.read() as db:
        after = figures.with_ended(db, before)
    assert after.runs == {("other", "succeeded"): 1, ("late", "failed"): 1}
    assert after.steps["plan"].parts == 1


def test_what_a_retry_took_over_took_no_time(database: Database) -> None:
    with database.write() as db:
        old = start(db, "orders")
        work(db, old, 3)
        end(db, old, "failed")
        new, _ = runs.start(db, Pipeline.model_validate(old.definition), "anna", "plan", again=old)
        runs.copy_finished(db, old.id, new.id, ["plan"])
        end(db, new)
    with database.read() as db:
        assert figures.with_ended(db, figures.Ended()).steps["plan"].parts == 1


def test_what_waits_is_told_with_its_age(database: Database) -> None:
    with database.write() as db:
        run = start(db, "orders")
        run.created_at = datetime.now(UTC) - timedelta(seconds=100)
        run.resumed = 2
        db.execute(update(Part).values(wake_at=datetime.now(UTC) - timedelta(seconds=50)))
        start(db, "fresh")
        before = datetime.now(UTC) - timedelta(seconds=40)
        db.add_all(LineageEvent(run_id=run.id, at=before, body={}, forwarded_at=sent) for sent in (None, before))
        db.execute(delete(Attempts))
        blocked = datetime.now(UTC) + timedelta(seconds=60)
        db.add(Attempts(key="a" * 64, failures=3, last_at=before, blocked_until=blocked))
        db.add(Attempts(key="b" * 64, failures=2, last_at=before, blocked_until=None))
    with database.read() as db:
        now, (unsent, age) = figures.now(db), figures.unsent_events(db)
    assert (now.runs, now.parts, now.taken_over) == ({"queued": 2}, {"ready": 2, "running": 0}, 2)
    assert now.waiting == pytest.approx(100, abs=20)
    assert now.overdue == pytest.approx(50, abs=20)
    assert (unsent, age) == (1, pytest.approx(40, abs=20))
    assert (now.failed_sign_ins, now.blocked_sign_ins) == (5, 1)
    with database.write() as db:
        leases.due(db)  # somebody sent the calls
        assert figures.overdue(db) == 0
        first = db.scalars(select(Part).order_by(Part.id)).first()
        assert first is not None
        claim = leases.claim(db, first.id, "me", 30)
        assert claim is not None
        leases.complete(db, claim, {}, 0)
        runs.offer(db, run.id, "explore", [{}])
        assert figures.now(db).waiting < 20  # it has just got on
