"""What this installation remembers about itself."""

import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import Misconfigured
from engine.store import clock
from engine.store.tables import Fact


def _first(db: Session, name: str, value: str) -> str:
    """What is remembered under a name; this value, if nothing is yet."""
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    db.execute(insert(Fact).values(name=name, value=value).on_conflict_do_nothing())
    return db.scalars(select(Fact.value).where(Fact.name == name)).one()


def installation(db: Session) -> str:
    """The name of this installation, made up at its first start."""
    return _first(db, "installation", uuid.uuid4().hex)


def known_installation(db: Session) -> str | None:
    """The same, if it has one; costs no write."""
    return db.scalar(select(Fact.value).where(Fact.name == "installation"))


def hold_masking_key(db: Session, fingerprint: str) -> None:
    """Remembers the masking key's fingerprint at first start. Raises Misconfigured if the key is another one."""
    if _first(db, "masking key", fingerprint) != fingerprint:
        raise Misconfigured(
            "ATLAS_MASKING_KEY is not the key this home was started with: hashes of old and new data would not join.",
            hint="Set the first key again.",
        )


def known_masking_key(db: Session) -> str | None:
    """The fingerprint of the masking key that this home was started with, if there was one."""
    return db.scalar(select(Fact.value).where(Fact.name == "masking key"))


def worker_lives(db: Session) -> None:
    """Remembers that there is a worker at this moment."""
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    now = clock.now(db).isoformat()
    db.execute(
        insert(Fact)
        .values(name="worker", value=now)
        .on_conflict_do_update(index_elements=["name"], set_={"value": now})
    )


def worker_seen(db: Session) -> datetime | None:
    """When any worker was last heard of."""
    at = db.scalar(select(Fact.value).where(Fact.name == "worker"))
    return datetime.fromisoformat(at) if at else None
