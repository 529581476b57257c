"""Runs and the parts they are made of: started once, ended once, listed."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import eq, ge, lt
from typing import Any

from sqlalchemy import Select, case, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import NotFound, Refused
from core.pipeline import Pipeline
from engine import faults
from engine.store import clock
from engine.store.tables import Part, Run, Score

ACTIVE = ("queued", "running")


def start(
    db: Session, pipeline: Pipeline, by: str, first_step: str, *, full: bool = False, again: Run | None = None,
    request_id: str | None = None,
) -> tuple[Run, bool]:  # fmt: skip
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
        request_id=request_id,
        created_at=clock.now(db),
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


def offer(
    db: Session, run: int, step: str, specs: Iterable[dict[str, Any]], lane: str | None = None
) -> None:  # fmt: skip
    """Makes the parts of a step ready to be claimed; of one that is done again, the same parts.

    Of all parts in one `lane` only so many are worked on at once.
    """
    now = clock.now(db)
    done = {part.ordinal: part for part in parts(db, run, step)}
    for n, spec in enumerate(specs):
        part = done.get(n) or Part(run_id=run, step=step, ordinal=n)
        part.spec, part.state, part.wake_at, part.attempt, part.rows = spec, "ready", now, 0, 0
        part.lane = lane
        part.result = part.finished_at = None
        db.add(part)
    db.flush()


def copy_finished(db: Session, source: int, target: int, steps: Iterable[str]) -> list[str]:
    """Takes over the finished steps of another run, up to the first that is not finished; says which."""
    copied: list[str] = []
    for step in steps:
        parts = db.scalars(select(Part).where(Part.run_id == source, Part.step == step).order_by(Part.ordinal)).all()
        if not parts or any(part.state != "done" for part in parts):
            break
        now = clock.now(db)
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
        raise _unknown(db, number)
    return run


def _unknown(db: Session, number: int) -> NotFound:
    newest = db.scalar(select(func.max(Run.id)))
    return NotFound(
        f"There is no run `#{number}`.", hint=f"The newest is #{newest}." if newest else "No pipeline has run yet."
    )


def pipeline_of(db: Session, number: int) -> str | None:
    """Which pipeline a run is of."""
    return db.scalar(select(Run.pipeline).where(Run.id == number))


def newest(db: Session, pipeline: str, *states: str) -> Run | None:
    """The newest run of a pipeline, of those in some states if any are named."""
    query = select(Run).where(Run.pipeline == pipeline).order_by(Run.id.desc()).limit(1)
    return db.scalar(query.where(Run.state.in_(states)) if states else query)


def last_good(db: Session, pipeline: str, before: int | None = None) -> int | None:
    """The number of the newest run of a pipeline that succeeded, of those before another."""
    query = select(func.max(Run.id)).where(Run.pipeline == pipeline, Run.state == "succeeded")
    return db.scalar(query if before is None else query.where(Run.id < before))


def active(db: Session) -> set[int]:
    """The numbers of the runs that have not ended."""
    return set(db.scalars(select(Run.id).where(Run.state.in_(ACTIVE))))


def busy(db: Session) -> set[str]:
    """The pipelines of which a run has not ended."""
    return set(db.scalars(select(Run.pipeline).where(Run.state.in_(ACTIVE))))


def files_of_active(db: Session) -> set[str]:
    """Every file that a run which has not ended goes on with, those it took over from another run included."""
    rows = db.scalars(select(Part.result).join(Run, Run.id == Part.run_id).where(Run.state.in_(ACTIVE)))
    found: set[str] = set()
    for result in rows:
        if result:
            found.update(file["path"] for file in result.get("files", []))
            found.update(result.get("marks", {}).get("files", []))
            found.update(str(result[key]) for key in ("path", "rejects", "sample_file", "draft") if result.get(key))
    return found


def attempts_done(db: Session, numbers: Collection[int], steps: Iterable[str]) -> list[tuple[int, str, int, int]]:
    """Which attempt (run, step, ordinal, token) has done each part of some steps of these runs."""
    query = select(Part.run_id, Part.step, Part.ordinal, Part.token).where(Part.step.in_(list(steps)))
    done = query.where(Part.state == "done")
    # by their range: a list of every run there was may be longer than a statement may be
    rows = db.execute(done.where(Part.run_id.between(min(numbers), max(numbers)))) if numbers else ()
    return [(row.run_id, row.step, row.ordinal, row.token) for row in rows]


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


# without the definition: it is large, and a list shows many; asked often: put together once
_BRIEFLY = select(
    Run.id, Run.pipeline, Run.state, Run.rows_in, Run.rows_out, Run.rows_rejected, Run.error, Run.requested_by,
    Run.created_at, Run.finished_at, Score.overall,
).outerjoin(Score, Score.run_id == Run.id)  # fmt: skip


def listed(
    db: Session,
    *,
    among: set[str] | None = None,
    pipeline: str | None = None,
    state: str | None = None,
    requested_by: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> Sequence[Any]:
    """What lists tell about runs, newest first: of pipelines `among` some, created from `since` on, before `until`."""
    query = _BRIEFLY.order_by(Run.id.desc()).limit(limit)
    for holds, column, value in (
        (eq, Run.pipeline, pipeline),
        (eq, Run.state, state),
        (eq, Run.requested_by, requested_by),
        (ge, Run.created_at, since),
        (lt, Run.created_at, until),
        (lt, Run.id, before),
    ):
        if value is not None:
            query = query.where(holds(column, value))
    if among is not None:
        query = query.where(Run.pipeline.in_(among))
    return db.execute(query).all()


def newest_of(db: Session, pipelines: Iterable[str]) -> dict[str, Any]:
    """What lists tell about the newest run of each of some pipelines."""
    newest_of_each = select(func.max(Run.id)).where(Run.pipeline.in_(list(pipelines))).group_by(Run.pipeline)
    return {row.pipeline: row for row in db.execute(_BRIEFLY.where(Run.id.in_(newest_of_each)))}


def progress(db: Session, run: int) -> Sequence[Any]:
    """How many parts of each step are in which state, and their rows, in the order of the steps."""
    query = select(Part.step, Part.state, func.count().label("parts"), func.sum(Part.rows).label("rows"))
    return db.execute(query.where(Part.run_id == run).group_by(Part.step, Part.state).order_by(func.max(Part.id))).all()


def revision(db: Session, number: int) -> tuple[str, bool]:
    """What changes whenever the run does, and whether it goes on: cheap to ask for. Raises NotFound."""
    counted = [func.sum(case((Part.state == state, 1), else_=0)) for state in ("ready", "running", "done")]
    query = (
        select(
            Run.state, Run.cancel_requested, Run.resumed, Run.finished_at,
            func.count(Part.id), func.sum(Part.rows), func.sum(Part.token), *counted,
        )
        .outerjoin(Part, Part.run_id == Run.id).where(Run.id == number).group_by(Run.id)
    )  # fmt: skip
    row = db.execute(query).first()
    if row is None:
        raise _unknown(db, number)
    return hashlib.sha256(repr([str(value) for value in row]).encode()).hexdigest()[:16], row.state in ACTIVE


def parts(db: Session, run: int, step: str | None = None) -> list[Part]:
    """The parts of a run, or of one of its steps, in order."""
    query = select(Part).where(Part.run_id == run).order_by(Part.id)
    return list(db.scalars(query.where(Part.step == step) if step else query))


def is_done(db: Session, run: int, step: str) -> bool:
    """Whether a step was begun and nothing of it is left to do."""
    states = db.scalars(select(Part.state).where(Part.run_id == run, Part.step == step).distinct()).all()
    return states == ["done"]


def results(db: Session, run: int, step: str) -> list[dict[str, Any]]:
    """What the parts of a finished step left, in order."""
    rows = db.scalars(select(Part.result).where(Part.run_id == run, Part.step == step).order_by(Part.ordinal))
    return [row or {} for row in rows]


def rows_read(run: Run, rejected: int) -> int | None:
    """The rows that so many were rejected of: a run that masks what is published has only the others in hand."""
    return None if run.rows_in is None else run.rows_in + max(0, rejected - (run.rows_rejected or 0))


def sources(db: Session, run: int) -> int:
    """How many files, tables or APIs a run reads: a large file is one, however many its parts."""
    names = func.count(func.distinct(Part.spec["name"].as_string()))
    return db.scalar(select(names).where(Part.run_id == run, Part.step == "explore")) or 0


def end(db: Session, run: int, state: str, error: dict[str, Any] | None = None) -> Run:
    """Ends a run that is active, for good; what was still ready or running of it is dropped."""
    row = locked(db, run)
    if row.state not in ACTIVE:
        return row
    row.state, row.error, row.finished_at = state, error, clock.now(db)
    dropped = update(Part).where(Part.run_id == run, Part.state.in_(("ready", "running")))
    db.execute(dropped.values(state="failed" if state == "failed" else "cancelled", finished_at=row.finished_at))
    return row


def cancel(db: Session, number: int) -> Run:
    """Asks a run to stop; one that nobody works on right now is cancelled at once. Raises NotFound, Refused."""
    get(db, number)
    run = locked(db, number)
    if run.state not in ACTIVE:
        raise Refused(f"Run `#{number}` cannot be cancelled: it has already {_ended(run.state)}.")
    run.cancel_requested = True
    busy = db.scalar(select(func.count()).where(Part.run_id == number, Part.state == "running"))
    asked = run if busy else end(db, number, "cancelled")
    faults.point("cancel.saved")
    return asked


def locked(db: Session, number: int) -> Run:
    """The run as it is now, and nobody else's until the end of this transaction."""
    return db.scalars(to_be_locked(number)).one()


def to_be_locked(number: int, *, skip_locked: bool = False) -> Select[Run]:
    query = select(Run).where(Run.id == number).with_for_update(skip_locked=skip_locked)
    return query.execution_options(populate_existing=True)


def _ended(state: str) -> str:
    return {"refused": "been refused", "cancelled": "been cancelled"}.get(state, state)
