"""What should have followed the end of a run and failed: kept until it is done."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine.store import clock
from engine.store.tables import FollowUp


def failed(db: Session, run: int, name: str, error: str) -> bool:
    """Keeps that a follow-up of a run failed; True if it failed in this way for the first time."""
    row = db.get(FollowUp, (run, name))
    news = row is None or row.error != error
    if row is None:
        db.add(FollowUp(run_id=run, name=name, error=error, since=clock.now(db)))
    else:
        row.error = error
    db.flush()
    return news


def done(db: Session, run: int, name: str) -> None:
    db.execute(delete(FollowUp).where(FollowUp.run_id == run, FollowUp.name == name))


def waiting(db: Session) -> list[tuple[int, str]]:
    """The run and name of each that is still to be done, the oldest run first."""
    rows = db.execute(select(FollowUp.run_id, FollowUp.name).order_by(FollowUp.run_id, FollowUp.name))
    return [(row.run_id, row.name) for row in rows]


def failing(db: Session) -> dict[str, tuple[datetime, str]]:
    """Which follow-ups fail, since when, and with which kind of error."""
    found: dict[str, tuple[datetime, str]] = {}
    for row in db.scalars(select(FollowUp).order_by(FollowUp.since)):
        found.setdefault(row.name, (row.since, row.error))
    return found
