"""Who the people of a chat platform are here. A one-time code proves that two ends belong to one person."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from core.errors import NotFound, Refused
from engine.store.access import hashed
from engine.store.tables import Link, LinkCode, User

LASTS = timedelta(minutes=10)
LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that is read as another


@dataclass(frozen=True)
class Identity:
    """A person on a chat platform: (platform, team or tenant, the platform's id of the person)."""

    platform: str
    tenant: str
    person: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.tenant}:{self.person}"


def user(db: Session, who: Identity) -> User | None:
    """The active user that somebody is linked to."""
    query = select(User).join(Link, Link.user_id == User.id).where(*_is(who), User.active)
    return db.scalar(query)


def code(db: Session, who: Identity) -> str:
    """A code that links this identity to whoever confirms it; the ones before it hold no more."""
    now = datetime.now(UTC)
    same = (LinkCode.platform == who.platform, LinkCode.tenant == who.tenant, LinkCode.person == who.person)
    db.execute(delete(LinkCode).where(*same))
    db.execute(delete(LinkCode).where(LinkCode.expires_at < now))
    made = "".join(secrets.choice(LETTERS) for _ in range(10))
    db.add(
        LinkCode(hash=hashed(made), platform=who.platform, tenant=who.tenant, person=who.person, expires_at=now + LASTS)
    )
    db.flush()
    return f"{made[:5]}-{made[5:]}"


def confirm(db: Session, given: str, owner: User) -> Link:
    """Links the identity that asked for a code. Raises NotFound for a code that is unknown, used or too old."""
    plain = given.strip().upper().replace("-", "").replace(" ", "")
    now = datetime.now(UTC)
    used = delete(LinkCode).where(LinkCode.hash == hashed(plain), LinkCode.expires_at > now)
    row = db.execute(used.returning(LinkCode.platform, LinkCode.tenant, LinkCode.person)).first()
    if row is None:
        raise NotFound("This code is unknown, was used, or is older than ten minutes.", hint="Say link in the chat.")
    return link(db, Identity(row.platform, row.tenant, row.person), owner, owner.name)


def link(db: Session, who: Identity, owner: User, by: str) -> Link:
    """From now on this identity is that user. Raises Refused if it is somebody else already."""
    found = db.scalar(select(Link).where(*_is(who)))
    if found is not None and found.user_id != owner.id:
        raise Refused(f"`{who}` is linked to somebody else.", hint="An administrator can take that link away.")
    if found is None:
        found = Link(
            platform=who.platform, tenant=who.tenant, person=who.person, user_id=owner.id,
            linked_at=datetime.now(UTC), linked_by=by,
        )  # fmt: skip
        db.add(found)
        db.flush()
    return found


def links(db: Session, user_id: int | None, after: int, limit: int) -> list[tuple[Link, str]]:
    """A page of links with the names of their users, of one user or of all."""
    query = select(Link, User.name).join(User, User.id == Link.user_id).where(Link.id > after)
    if user_id is not None:
        query = query.where(Link.user_id == user_id)
    return [(row[0], row[1]) for row in db.execute(query.order_by(Link.id).limit(limit))]


def identities(db: Session, user_id: int) -> list[Identity]:
    """Where a user is known, in the order in which they were linked."""
    query = select(Link.platform, Link.tenant, Link.person).where(Link.user_id == user_id).order_by(Link.id)
    return [Identity(*row) for row in db.execute(query)]


def unlink(db: Session, number: int, user_id: int | None) -> Identity:
    """Takes a link away, of one user or of any. Raises NotFound, also for somebody else's."""
    query = delete(Link).where(Link.id == number)
    if user_id is not None:
        query = query.where(Link.user_id == user_id)
    row = db.execute(query.returning(Link.platform, Link.tenant, Link.person)).first()
    if row is None:
        raise NotFound(f"There is no link `{number}` of yours.", hint="GET /api/v1/links")
    return Identity(row.platform, row.tenant, row.person)


def _is(who: Identity) -> tuple[ColumnElement[bool], ...]:
    return Link.platform == who.platform, Link.tenant == who.tenant, Link.person == who.person
