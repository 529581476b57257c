"""What a chat platform has to know again after a restart, sealed, under keys that say nothing."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from engine.store.tables import Remembered


def remember(db: Session, key: str, sealed: bytes, seconds: float | None) -> None:
    """Keeps it in place of what was known under the key; for so long, or for ever."""
    now = datetime.now(UTC)
    db.execute(delete(Remembered).where(Remembered.forget_at < now))
    forget_at = None if seconds is None else now + timedelta(seconds=seconds)
    db.merge(Remembered(key=key, sealed=sealed, forget_at=forget_at))


def recall(db: Session, key: str) -> bytes | None:
    still = or_(Remembered.forget_at.is_(None), Remembered.forget_at > datetime.now(UTC))
    return db.scalar(select(Remembered.sealed).where(Remembered.key == key, still))
