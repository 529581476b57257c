"""Runs and their parts: started once, worked on under leases, finished once."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import LeaseLost, NotFound, Refused
from core.pipeline import Pipeline
from engine.store.tables import Part, Run

ACTIVE = ("queued", "running")
MOST_TRIES = 3
WAKE_AGAIN = timedelta(seconds=5)  # a wake-up may get lost; a ready part is called again after this


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


def start(
    db: Session, pipeline: Pipeline, by: str, first_step: str, *, full: bool = False, again: Run | None = None
) -> tuple[Run, bool]:
    """A new run, ready to be worked on, or the active one of this pipeline and True."""
    active = db.scalar(select(Run).where(Run.pipeline == pipeline.name, Run.state.in_(ACTIVE)))
    if active and active.cancel_requested:
        raise Refused(f"Run `#{active.id}` of `{pipeline.name}` is being cancelled.", hint="Say it again in a moment.")
    if active:
        return active, True
    run = Run(
        pipeline=pipeline.name,
        definition=pipeline.model_dump(mode="json"),
        state="queued",
        full=full,
        requested_by=by,
        retry_of=again.id if again else None,
        created_at=datetime.now(UTC),
        tables=[],
        warnings=[],
    )
    try:
        with db.begin_nested():
            db.add(run)
    except IntegrityError:  # another process started one between the look and the insert
        return db.scalars(select(Run).where(Run.pipeline == pipeline.name, Run.state.in_(ACTIVE))).one(), True
    if again is None:
        offer(db, run.id, first_step, [{}])
    return run, False


def offer(db: Session, run: int, step: str, specs: Iterable[dict[str, Any]]) -> None:
    """Makes the parts of a step ready to be claimed."""
    now = datetime.now(UTC)
    db.add_all(
        Part(run_id=run, step=step, ordinal=n, spec=spec, state="ready", wake_at=now) for n, spec in enumerate(specs)
    )
    db.flush()


def copy_finished(db: Session, source: int, target: int, steps: Iterable[str]) -> list[str]:
    """Takes over the finished steps of another run, up to the first that is not finished; says which."""
    copied: list[str] = []
    for step in steps:
        parts = db.scalars(select(Part).where(Part.run_id == source, Part.step == step).order_by(Part.ordinal)).all()
        if not parts or any(part.state != "done" for part in parts):
            break
        now = datetime.now(UTC)
        for part in parts:
            db.add(
                Part(
                    run_id=target, step=step, ordinal=part.ordinal, spec=part.spec, state="done", wake_at=now,
                    attempt=0, started_at=now, finished_at=now, rows=part.rows, result=part.result,
                )
            )  # fmt: skip
        copied.append(step)
    db.flush()
    return copied


def get(db: Session, number: int) -> Run:
    """A run by its number. Raises NotFound."""
    run = db.get(Run, number)
    if run is None:
        newest = db.scalar(select(func.max(Run.id)))
        raise NotFound(
            f"There is no run `#{number}`.", hint=f"The newest is #{newest}." if newest else "No pipeline has run yet."
        )
    return run


def newest(db: Session, pipeline: str, *states: str) -> Run | None:
    """The newest run of a pipeline, of those in some states if any are named."""
    query = select(Run).where(Run.pipeline == pipeline).order_by(Run.id.desc()).limit(1)
    return db.scalar(query.where(Run.state.in_(states)) if states else query)


def active(db: Session) -> set[int]:
    """The numbers of the runs that have not ended."""
    return set(db.scalars(select(Run.id).where(Run.state.in_(ACTIVE))))


def files_of_active(db: Session) -> set[str]:
    """Every file that a run which has not ended goes on with, those it took over from another run included."""
    rows = db.scalars(select(Part.result).join(Run, Run.id == Part.run_id).where(Run.state.in_(ACTIVE)))
    found: set[str] = set()
    for result in rows:
        if result:
            found.update(file["path"] for file in result.get("files", []))
            found.update(str(result[key]) for key in ("path", "rejects", "sample_file") if result.get(key))
    return found


def newest_definitions(db: Session) -> dict[str, dict[str, Any]]:
    """Each pipeline's file as its newest run had it."""
    newest_of_each = select(func.max(Run.id)).group_by(Run.pipeline)
    rows = db.execute(select(Run.pipeline, Run.definition).where(Run.id.in_(newest_of_each)))
    return {row.pipeline: row.definition for row in rows}


def page(db: Session, *, pipeline: str | None = None, before: int | None = None, limit: int = 20) -> list[Run]:
    """Runs, newest first."""
    query = select(Run).order_by(Run.id.desc()).limit(limit)
    if pipeline is not None:
        query = query.where(Run.pipeline == pipeline)
    return list(db.scalars(query.where(Run.id < before) if before is not None else query))


def parts(db: Session, run: int, step: str | None = None) -> list[Part]:
    """The parts of a run, or of one of its steps, in order."""
    query = select(Part).where(Part.run_id == run).order_by(Part.id)
    return list(db.scalars(query.where(Part.step == step) if step else query))


def results(db: Session, run: int, step: str) -> list[dict[str, Any]]:
    """What the parts of a finished step left, in order."""
    rows = db.scalars(select(Part.result).where(Part.run_id == run, Part.step == step).order_by(Part.ordinal))
    return [row or {} for row in rows]


def due(db: Session) -> list[int]:
    """Parts whose wake-up call is due; whoever gets them here sends it."""
    now = datetime.now(UTC)
    query = update(Part).where(Part.state == "ready", Part.wake_at <= now).values(wake_at=now + WAKE_AGAIN)
    return sorted(db.scalars(query.returning(Part.id)))


def has_due(db: Session) -> bool:
    """Whether `due` would find any; costs no write."""
    return bool(
        db.scalar(select(Part.id).where(Part.state == "ready", Part.wake_at <= datetime.now(UTC)).limit(1)) is not None
    )


def claim(db: Session, part: int, owner: str, lease: float) -> Claim | None:
    """Takes a ready part under a lease, or None: somebody has it, it is done, or the run has ended."""
    now = datetime.now(UTC)
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
    db.execute(update(Run).where(Run.id == row.run_id, Run.state == "queued").values(state="running", started_at=now))
    return Claim(part, row.run_id, row.step, row.ordinal, row.spec, row.token, row.attempt)


def pulse(db: Session, held: Claim, rows: int, lease: float) -> bool:
    """Extends a lease and tells the progress. Returns whether the run is to stop. Raises LeaseLost."""
    until = datetime.now(UTC) + timedelta(seconds=lease)
    query = update(Part).where(*_held(held)).values(lease_until=until, rows=rows).returning(Part.id)
    if db.scalar(query) is None:
        raise _lost(held)
    return bool(db.scalar(select(Run.cancel_requested).where(Run.id == held.run)))


def hold(db: Session, held: Claim) -> None:
    """Keeps the run as it is until this transaction ends, for the one who works on it. Raises LeaseLost."""
    _locked(db, held.run)
    if db.scalar(select(Part.id).where(*_held(held))) is None:
        raise _lost(held)


def complete(db: Session, held: Claim, result: dict[str, Any], rows: int) -> bool:
    """Marks a part done; True if it was the last of its step. Raises LeaseLost, and then nothing is changed."""
    _locked(db, held.run)  # the last part is the last only once
    now = datetime.now(UTC)
    query = (
        update(Part)
        .where(*_held(held))
        .values(state="done", result=result, rows=rows, finished_at=now, owner=None, lease_until=None)
    )
    if db.scalar(query.returning(Part.id)) is None:
        raise _lost(held)
    left = select(func.count()).where(Part.run_id == held.run, Part.step == held.step, Part.state != "done")
    return db.scalar(left) == 0


def try_again(db: Session, held: Claim) -> None:
    """Gives a part back, to be tried again after a pause that grows and differs each time. Raises LeaseLost."""
    pause = timedelta(seconds=random.uniform(0.5, 1.0) * 2**held.attempt)  # noqa: S311 - spreads load, hides nothing
    query = update(Part).where(*_held(held)).values(state="ready", owner=None, wake_at=datetime.now(UTC) + pause)
    if db.scalar(query.returning(Part.id)) is None:
        raise _lost(held)


def end(db: Session, run: int, state: str, error: dict[str, Any] | None = None) -> Run:
    """Ends a run that is active, for good; what was still ready or running of it is dropped."""
    row = _locked(db, run)
    if row.state not in ACTIVE:
        return row
    row.state, row.error, row.finished_at = state, error, datetime.now(UTC)
    dropped = update(Part).where(Part.run_id == run, Part.state.in_(("ready", "running")))
    db.execute(dropped.values(state="failed" if state == "failed" else "cancelled", finished_at=row.finished_at))
    return row


def cancel(db: Session, number: int) -> Run:
    """Asks a run to stop; one that nobody works on right now is cancelled at once. Raises NotFound, Refused."""
    get(db, number)
    run = _locked(db, number)
    if run.state not in ACTIVE:
        raise Refused(f"Run `#{number}` cannot be cancelled: it has already {_ended(run.state)}.")
    run.cancel_requested = True
    busy = db.scalar(select(func.count()).where(Part.run_id == number, Part.state == "running"))
    return run if busy else end(db, number, "cancelled")


def expired(db: Session, is_dead: Callable[[str], bool]) -> list[Part]:
    """Running parts whose worker is gone, or has been silent for longer than its lease."""
    now = datetime.now(UTC)
    running = db.scalars(select(Part).where(Part.state == "running")).all()
    return [part for part in running if not part.lease_until or part.lease_until < now or is_dead(part.owner or "")]


def reap(db: Session, is_dead: Callable[[str], bool]) -> list[Run]:
    """Offers expired parts to other workers. Returns the runs that ended by it: a part may fail only so many."""
    ended = []
    for part in expired(db, is_dead):
        run = _locked(db, part.run_id)  # the run before its parts, as everywhere: else two could wait for each other
        fenced = update(Part).where(Part.id == part.id, Part.token == part.token, Part.state == "running")
        ready = fenced.values(state="ready", owner=None, wake_at=datetime.now(UTC)).returning(Part.id)
        if db.scalar(ready) is None:
            continue  # its worker has just finished it after all
        if run.cancel_requested:
            ended.append(end(db, run.id, "cancelled"))
        elif part.attempt >= MOST_TRIES:
            message = f"{MOST_TRIES} workers died while they worked on `{part.step}`."
            error = {"code": "worker_died", "message": message, "hint": None, "step": part.step, "tries": ""}
            ended.append(end(db, run.id, "failed", error))
        else:
            run.resumed += 1
    return ended


def _locked(db: Session, number: int) -> Run:
    """The run as it is now, and nobody else's until the end of this transaction."""
    query = select(Run).where(Run.id == number).with_for_update().execution_options(populate_existing=True)
    return db.scalars(query).one()


def _held(held: Claim) -> tuple[Any, ...]:
    return Part.id == held.part, Part.token == held.token, Part.state == "running"


def _lost(held: Claim) -> LeaseLost:
    return LeaseLost(f"Part {held.ordinal} of `{held.step}` in run `#{held.run}` was taken over by another worker.")


def _ended(state: str) -> str:
    return {"refused": "been refused", "cancelled": "been cancelled"}.get(state, state)


def amend(db: Session, held: Claim, result: dict[str, Any]) -> None:
    """Adds to the result of a part in the transaction that completes it."""
    db.execute(update(Part).where(Part.id == held.part, Part.token == held.token).values(result=dict(result)))
