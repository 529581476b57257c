"""Files that a chat gives away by a link: for some minutes, to whoever has the link."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine.store.access import hashed
from engine.store.tables import SharedFile

LASTS = timedelta(minutes=15)


@dataclass(frozen=True)
class Shared:
    name: str
    kind: str
    sealed: bytes


def new_token() -> str:
    return secrets.token_urlsafe(32)


def share(db: Session, token: str, file: Shared) -> None:
    """Keeps a file for the link with this token; those whose time has passed go."""
    now = datetime.now(UTC)
    db.execute(delete(SharedFile).where(SharedFile.expires_at < now))
    row = SharedFile(hash=hashed(token), name=file.name, kind=file.kind, sealed=file.sealed, expires_at=now + LASTS)
    db.add(row)


def fetch(db: Session, token: str) -> Shared | None:
    """None for a link that is unknown or too old."""
    row = db.scalar(
        select(SharedFile).where(SharedFile.hash == hashed(token), SharedFile.expires_at > datetime.now(UTC))
    )
    return None if row is None else Shared(row.name, row.kind, row.sealed)
