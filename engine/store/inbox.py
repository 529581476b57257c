"""What was said in a chat: stored once before it is acknowledged, worked on under a lease, forgotten when answered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine.store import clock
from engine.store.tables import Said

KEPT = timedelta(days=1)  # how long a key is known; nothing is begun anew after it, its writes would be new ones too
MOST_TRIES = 10  # a message that kills the bot, or cannot be posted, is not tried for ever


@dataclass(frozen=True)
class New:
    """Something that was said, by whom, under the platform's id of it."""

    key: str
    person: str
    sealed: bytes


@dataclass(frozen=True)
class Waiting:
    """Something to answer, held by whoever took it."""

    id: int
    key: str
    person: str
    sealed: bytes
    tries: int


def store(db: Session, said: Iterable[New], seconds: float) -> dict[str, int]:
    """Keeps what was said, held for so long; the numbers of what is new, by key: what was known already has none."""
    now = clock.now(db)
    held = {"at": now, "tries": 1, "held_until": now + timedelta(seconds=seconds)}
    rows = [{"key": new.key, "person": new.person, "sealed": new.sealed, **held} for new in said]
    into = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    kept = into(Said).values(rows).on_conflict_do_nothing(index_elements=["key"]).returning(Said.key, Said.id)
    return {row.key: row.id for row in db.execute(kept)}


def take(db: Session, platforms: Sequence[str], seconds: float, limit: int) -> list[Waiting]:
    """What nobody works on any more, oldest first; from now on the caller does."""
    now = clock.now(db)
    hopeless = or_(Said.tries >= MOST_TRIES, Said.at < now - KEPT)
    db.execute(update(Said).where(*_left(now), hopeless).values(done_at=now, sealed=None))
    mine = or_(*(Said.person.startswith(f"{platform}:", autoescape=True) for platform in platforms))
    query = select(Said.id).where(*_left(now), mine).order_by(Said.id).limit(limit).with_for_update(skip_locked=True)
    ids = db.scalars(query).all()
    held = {"tries": Said.tries + 1, "held_until": now + timedelta(seconds=seconds)}
    taken = update(Said).where(Said.id.in_(ids)).values(**held)
    rows = db.execute(taken.returning(Said.id, Said.key, Said.person, Said.sealed, Said.tries)).all()
    return sorted((Waiting(*row) for row in rows), key=lambda waiting: waiting.id)  # type: ignore[arg-type]


def hold(db: Session, held: Mapping[int, int], seconds: float) -> set[int]:
    """Holds for longer what is still held, by number with its tries; those that are not somebody else's or done."""
    return _still(db, held, held_until=clock.now(db) + timedelta(seconds=seconds))


def done(db: Session, held: Mapping[int, int]) -> set[int]:
    """They are answered: the words go, the key stays known for a day. Those that were not done by somebody else."""
    now = clock.now(db)
    ended = _still(db, held, done_at=now, sealed=None)
    db.execute(delete(Said).where(Said.done_at < now - KEPT))
    return ended


def _left(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Said.done_at.is_(None), clock.has_come(Said.held_until, now)


def _still(db: Session, held: Mapping[int, int], **values: object) -> set[int]:
    mine = tuple_(Said.id, Said.tries).in_(held.items())
    return set(db.scalars(update(Said).where(mine, Said.done_at.is_(None)).values(**values).returning(Said.id)))
