"""What this installation remembers about itself."""

import uuid

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import Misconfigured
from engine.store.database import HEAD
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
            "The masking key of this process is not the installation's: hashes of old and new data would not join.",
            hint="Copy the key of the processes that work: their ATLAS_MASKING_KEY, or keys/masking.key of their home.",
        )


def known_masking_key(db: Session) -> str | None:
    """The fingerprint of the masking key that this home was started with, if there was one."""
    return db.scalar(select(Fact.value).where(Fact.name == "masking key"))


def stands(db: Session, fingerprint: str) -> bool:
    """Whether the installation has this masking key, and the tables that this version knows."""
    migration = select(text("version_num")).select_from(text("alembic_version")).scalar_subquery()
    row = db.execute(select(Fact.value, migration).where(Fact.name == "masking key")).first()
    return row is not None and tuple(row) == (fingerprint, HEAD)
