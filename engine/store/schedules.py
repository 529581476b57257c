"""The schedules as the database keeps them: one a pipeline, moved on by whoever fires it."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.store.tables import Schedule


def of(db: Session, pipelines: Iterable[str] | None = None) -> dict[str, Schedule]:
    """The schedules of some pipelines, or all, by pipeline."""
    query = select(Schedule)
    found = db.scalars(query if pipelines is None else query.where(Schedule.pipeline.in_(list(pipelines))))
    return {row.pipeline: row for row in found}


def put(db: Session, pipeline: str, cron: str, timezone: str, set_by: str | None, next_at: datetime) -> Schedule:
    """The schedule of a pipeline from now on; one that says the same already keeps its next time."""
    row = db.get(Schedule, pipeline, with_for_update=True)
    if row is None:
        row = Schedule(pipeline=pipeline, cron=cron, timezone=timezone, set_by=set_by, next_at=next_at)
        try:
            with db.begin_nested():
                db.add(row)
        except IntegrityError:  # another process put one between the look and the insert
            row = db.get_one(Schedule, pipeline, with_for_update=True)
    if (row.cron, row.timezone) != (cron, timezone):
        row.cron, row.timezone, row.next_at = cron, timezone, next_at
    row.set_by = set_by
    db.flush()
    return row


def remove(db: Session, pipeline: str, *, of_file: bool = False) -> bool:
    """Whether there was one; `of_file`: only if the pipeline's file had set it."""
    query = delete(Schedule).where(Schedule.pipeline == pipeline)
    query = query.where(Schedule.set_by.is_(None)) if of_file else query
    return db.scalar(query.returning(Schedule.pipeline)) is not None


def move(db: Session, seen: Schedule, next_at: datetime) -> None:
    """Moves a schedule, if nobody else has, and not because it was fired."""
    query = update(Schedule).where(*_as(seen)).values(next_at=next_at)
    db.execute(query.execution_options(synchronize_session=False))


def take(db: Session, seen: Schedule, now: datetime, next_at: datetime, note: str | None) -> bool:
    """Moves a schedule on; True for the one of many who does. It stays so if this transaction commits."""
    moved = (
        update(Schedule)
        .where(*_as(seen))
        .values(next_at=next_at, last_at=now, run_id=None, note=note)
        .returning(Schedule.pipeline)
    )
    return db.scalar(moved.execution_options(synchronize_session=False)) is not None


def _as(seen: Schedule) -> tuple[ColumnElement[bool], ...]:
    return Schedule.pipeline == seen.pipeline, Schedule.next_at == seen.next_at, Schedule.cron == seen.cron


def started(db: Session, pipeline: str, run: int, note: str | None) -> None:
    """What came of a firing, in its transaction."""
    query = update(Schedule).where(Schedule.pipeline == pipeline).values(run_id=run, note=note)
    db.execute(query.execution_options(synchronize_session=False))
