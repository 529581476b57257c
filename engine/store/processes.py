"""The processes of an installation: which of them work, why others do not, and which of their duties fail."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine.store import clock
from engine.store.tables import Process

GONE = timedelta(seconds=60)  # a process says every few seconds that it lives; after this silence it is not listed
FORGOTTEN = timedelta(hours=1)


def lives(db: Session, id: str, facts: Mapping[str, Any]) -> None:
    """Saves that a process lives, and what it says of itself; forgets processes that have been silent for an hour."""
    now = clock.now(db)
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(Process).values(id=id, started_at=now, seen_at=now, **facts)
    db.execute(row.on_conflict_do_update(index_elements=["id"], set_={**facts, "seen_at": now}))
    db.execute(delete(Process).where(Process.seen_at < now - FORGOTTEN))


def ended(db: Session, id: str) -> None:
    """Forgets a process that has ended."""
    db.execute(delete(Process).where(Process.id == id))


def listed(db: Session) -> list[Process]:
    """The processes that live, in the order of their start."""
    now = clock.now(db)
    lately = Process.seen_at.between(now - GONE, now + GONE)  # a later time is of a clock that was set back
    return list(db.scalars(select(Process).where(lately).order_by(Process.started_at, Process.id)))


def works(db: Session) -> bool:
    """Whether any process works."""
    return any(process.works for process in listed(db))
