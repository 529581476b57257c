"""Parts of runs under leases: called, claimed by one worker, done once, and offered again when their worker dies."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, or_, select, update
from sqlalchemy.orm import Session

from core.errors import LeaseLost
from engine.store import clock, runs
from engine.store.tables import Part, Run

MOST_TRIES = 3
MOST_AT_ONCE = 4  # parts of one source: more would be a burden to it
WAKE_AGAIN = timedelta(seconds=5)  # a wake-up may get lost; a ready part is called again after this
# a longer wait can only mean that the clock was set back
LONGEST_WAIT = max(WAKE_AGAIN, timedelta(seconds=2**MOST_TRIES))
CALLED_AT_ONCE = 32  # most wake-ups under way: otherwise each of hundreds of parts would be sent again every 5 s


@dataclass(frozen=True)
class Claim:
    """The right to work on one part, until the lease ends or somebody with a newer token takes over."""

    part: int
    run: int
    step: str
    ordinal: int
    spec: dict[str, Any]
    token: int
    attempt: int
    request_id: str | None = None  # id of the request that started the run


def due(db: Session) -> list[int]:
    """Ids of the parts whose wake-up is due, in work order. The caller must send the wake-ups.

    Capped at CALLED_AT_ONCE, and at MOST_AT_ONCE for each source: a worker that has finished a part asks for the next.
    """
    now = clock.now(db)
    first = list(db.scalars(_to_be_called(now).limit(_may_be_called(db, now))))
    query = update(Part).where(Part.id.in_(first), *_is_due(now)).values(wake_at=now + WAKE_AGAIN)
    return sorted(db.scalars(query.returning(Part.id)), key=first.index)


def has_due(db: Session) -> bool:
    """Whether `due` would find any; costs no write."""
    now = clock.now(db)
    return db.scalar(_to_be_called(now).limit(1)) is not None and _may_be_called(db, now) > 0


def not_begun(db: Session) -> int | None:
    """The part that was called first and not begun yet; None if there is none or its source is busy."""
    busy = select(Part.lane).where(Part.state == "running", Part.lane.is_not(None)).group_by(Part.lane)
    room = or_(Part.lane.is_(None), Part.lane.not_in(busy.having(func.count() >= MOST_AT_ONCE)))
    # a part that is tried again waits for its time and has not been called yet
    query = select(Part.id).where(*_is_called(clock.now(db)), Part.attempt == 0, room)
    work = _at_work()
    query = query.outerjoin(work, work.c.run_id == Part.run_id)
    return db.scalar(query.order_by(func.coalesce(work.c.parts, 0), Part.wake_at, Part.id).limit(1))


def _to_be_called(now: datetime) -> Select[int]:
    taken = select(Part.lane, func.count().label("parts")).where(or_(Part.state == "running", and_(*_is_called(now))))
    busy = taken.where(Part.lane.is_not(None)).group_by(Part.lane).subquery()
    place = func.row_number().over(partition_by=Part.lane, order_by=(Part.wake_at, Part.id))
    place_in_lane = (place + func.coalesce(busy.c.parts, 0)).label("place")
    ready = select(Part.id, Part.run_id, Part.lane, Part.wake_at, place_in_lane)
    queue = ready.outerjoin(busy, Part.lane == busy.c.lane).where(*_is_due(now)).subquery()
    work = _at_work()
    fit = or_(queue.c.lane.is_(None), queue.c.place <= MOST_AT_ONCE)
    query = select(queue.c.id).outerjoin(work, work.c.run_id == queue.c.run_id).where(fit)
    return query.order_by(func.coalesce(work.c.parts, 0), queue.c.wake_at, queue.c.id)


def _at_work() -> Subquery:
    """Running parts by run. Runs with the fewest go first, so that a small run never waits for a large one."""
    query = select(Part.run_id, func.count().label("parts")).where(Part.state == "running")
    return query.group_by(Part.run_id).subquery()


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Part.state == "ready", clock.has_come(Part.wake_at, now, LONGEST_WAIT)


def _is_called(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Part.state == "ready", Part.wake_at > now, Part.wake_at <= now + WAKE_AGAIN


def _may_be_called(db: Session, now: datetime) -> int:
    called = select(func.count()).where(*_is_called(now)).select_from(Part)
    return max(0, CALLED_AT_ONCE - (db.scalar(called) or 0))


def claim(db: Session, part: int, owner: str, lease: float) -> Claim | None:
    """Takes a ready part under a lease, or None: somebody has it, it is done, or the run has ended."""
    now = clock.now(db)
    lane = db.scalar(select(Part.lane).where(Part.id == part))
    if lane is not None and not _has_room(db, lane):
        # called again as soon as another part of this source has ended
        db.execute(update(Part).where(Part.id == part, Part.state == "ready").values(wake_at=now))
        return None
    # the run is locked before its parts, in the same order everywhere, so that there is no deadlock
    its_run = select(Part.run_id).where(Part.id == part, Part.state == "ready").scalar_subquery()
    db.execute(update(Run).where(Run.id == its_run, Run.state == "queued").values(state="running", started_at=now))
    query = (
        update(Part)
        .where(Part.id == part, Part.state == "ready")
        .values(
            state="running", owner=owner, lease_until=now + timedelta(seconds=lease), attempt=Part.attempt + 1,
            token=Part.token + 1, started_at=func.coalesce(Part.started_at, now),
        )
        .returning(Part.run_id, Part.step, Part.ordinal, Part.spec, Part.token, Part.attempt)
    )  # fmt: skip
    row = db.execute(query).first()
    if row is None:
        return None
    request_id = db.scalar(select(Run.request_id).where(Run.id == row.run_id))
    return Claim(part, row.run_id, row.step, row.ordinal, row.spec, row.token, row.attempt, request_id)


def _has_room(db: Session, lane: str) -> bool:
    """Whether one more part of a source may be worked on. Nobody else asks until this transaction ends."""
    if db.get_bind().dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(func.hashtext(lane))))
    busy = select(func.count()).where(Part.lane == lane, Part.state == "running")
    return (db.scalar(busy) or 0) < MOST_AT_ONCE


def pulse(db: Session, held: Claim, rows: int, lease: float) -> bool:
    """Extends a lease and tells the progress. Returns whether the run is to stop. Raises LeaseLost."""
    until = clock.now(db) + timedelta(seconds=lease)
    query = update(Part).where(*_held(held)).values(lease_until=until, rows=rows).returning(Part.id)
    if db.scalar(query) is None:
        raise _lost(held)
    return bool(db.scalar(select(Run.cancel_requested).where(Run.id == held.run)))


def hold(db: Session, held: Claim) -> None:
    """Keeps the run as it is until this transaction ends, for the one who works on it. Raises LeaseLost."""
    runs.locked(db, held.run)
    if db.scalar(select(Part.id).where(*_held(held))) is None:
        raise _lost(held)


def complete(db: Session, held: Claim, result: dict[str, Any], rows: int) -> bool:
    """Marks a part done; True if it was the last of its step. Raises LeaseLost, and then nothing is changed."""
    runs.locked(db, held.run)  # the last part is the last only once
    now = clock.now(db)
    query = (
        update(Part)
        .where(*_held(held))
        .values(state="done", result=result, rows=rows, finished_at=now, owner=None, lease_until=None)
    )
    if db.scalar(query.returning(Part.id)) is None:
        raise _lost(held)
    left = select(func.count()).where(Part.run_id == held.run, Part.step == held.step, Part.state != "done")
    return db.scalar(left) == 0


def amend(db: Session, held: Claim, result: dict[str, Any]) -> None:
    """Adds to the result of a part in the transaction that completes it."""
    db.execute(update(Part).where(Part.id == held.part, Part.token == held.token).values(result=dict(result)))


def try_again(db: Session, held: Claim) -> None:
    """Gives a part back, to be tried again after a pause that grows and differs each time. Raises LeaseLost."""
    pause = timedelta(seconds=random.uniform(0.5, 1.0) * 2**held.attempt)  # noqa: S311 - spreads load, hides nothing
    query = update(Part).where(*_held(held)).values(state="ready", owner=None, wake_at=clock.now(db) + pause)
    if db.scalar(query.returning(Part.id)) is None:
        raise _lost(held)


def expired(db: Session, is_dead: Callable[[str], bool], lease: float) -> Sequence[Any]:
    """Running parts whose worker is gone or was silent for longer than its lease, or that have no lease.

    Reads only what it compares: what a broken part holds stops no other.
    """
    names = (Part.id, Part.run_id, Part.step, Part.owner, Part.lease_until, Part.token, Part.attempt)
    running = db.execute(select(*names).where(Part.state == "running").order_by(Part.run_id, Part.id)).all()
    now = clock.now(db)  # later than all of them began
    latest = now + timedelta(seconds=lease)
    return [
        part for part in running
        if not part.lease_until or not now <= part.lease_until <= latest or is_dead(part.owner or "")
    ]  # fmt: skip


def reap(db: Session, is_dead: Callable[[str], bool], lease: float, of: int | None = None) -> list[Run]:
    """Offers expired parts, all or those of one run, to other workers. Returns the runs that ended by it."""
    ended = []
    found = [part for part in expired(db, is_dead, lease) if of is None or part.run_id == of]
    now = clock.now(db)
    for part in found:
        # the run before its parts, as everywhere: else two could wait for each other. Never for one who holds it: a
        # worker that is stopped in the middle of a transaction would stop all others
        run = db.scalar(runs.to_be_locked(part.run_id, skip_locked=True))
        if run is None:
            continue
        fenced = update(Part).where(Part.id == part.id, Part.token == part.token, Part.state == "running")
        if part.lease_until and part.lease_until > now and not is_dead(part.owner or ""):
            # the clock was set back: no lease ends later than one that begins now
            db.execute(fenced.values(lease_until=now + timedelta(seconds=lease)))
            continue
        ready = fenced.values(state="ready", owner=None, wake_at=now).returning(Part.id)
        if db.scalar(ready) is None:
            continue  # its worker has just finished it after all
        if run.cancel_requested:
            ended.append(runs.end(db, run.id, "cancelled"))
        elif part.attempt >= MOST_TRIES:
            message = f"{MOST_TRIES} workers died while they worked on `{part.step}`."
            error = {"code": "worker_died", "message": message, "hint": None, "step": part.step, "tries": ""}
            ended.append(runs.end(db, run.id, "failed", error))
        else:
            run.resumed += 1
    return ended


def _held(held: Claim) -> tuple[Any, ...]:
    return Part.id == held.part, Part.token == held.token, Part.state == "running"


def _lost(held: Claim) -> LeaseLost:
    return LeaseLost(f"Part {held.ordinal} of `{held.step}` in run `#{held.run}` was taken over by another worker.")
