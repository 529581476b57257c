"""Writes that were asked for under a key: asked again, they are answered and not done again."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from core.errors import BadInput, Refused
from engine.store.tables import Idempotent

KEPT = timedelta(days=1)


def answered(db: Session, caller: str, key: str, request: str) -> tuple[int, dict[str, Any]] | None:
    """The answer that was given under a key; None if nothing was done under it yet.

    `request` is a fingerprint of what is asked, a space, and one of who asks. Raises BadInput if the key was used for
    something else, Refused if its answer is not kept or was given when its caller had other rights.
    """
    row = db.get(Idempotent, (caller, key))
    if row is None or row.at < datetime.now(UTC) - KEPT:
        return None
    if row.request.partition(" ")[0] != request.partition(" ")[0]:
        raise BadInput("This Idempotency-Key was used for another request.", hint="Take a new key.")
    if row.request != request or row.status is None or row.answer is None:
        raise Refused("This was done already; what was answered is not kept.", hint="Look at what there is now.")
    return row.status, row.answer


def done(db: Session, caller: str, key: str, request: str) -> None:
    """Notes a write in its own transaction. Two of them under one key: the second breaks the primary key."""
    db.execute(delete(Idempotent).where(Idempotent.at < datetime.now(UTC) - KEPT))
    db.add(Idempotent(caller=caller, key=key, request=request, at=datetime.now(UTC), status=None, answer=None))
    db.flush()


def keep(db: Session, caller: str, key: str, status: int, answer: dict[str, Any]) -> None:
    """What was answered."""
    row = update(Idempotent).where(Idempotent.caller == caller, Idempotent.key == key)
    db.execute(row.values(status=status, answer=answer))
