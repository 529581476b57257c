"""Alerts as the database keeps them: one that has not ended for each problem, under its own number."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.orm import Session

from core.errors import NotFound
from engine.store.tables import Alert, Subscription, User

LOCK = 0x414C45525453  # PostgreSQL's advisory lock of whoever changes alerts or what is sent of them


def alone(db: Session) -> None:
    """From here to the end of this transaction nobody else changes alerts. Before the audit log, after a run."""
    if db.get_bind().dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def fingerprint(rule: str, dataset: str, what: str) -> str:
    return sha256("\0".join((rule, dataset, what)).encode()).hexdigest()


def add(db: Session, alert: Alert) -> Alert:
    db.add(alert)
    db.flush()
    return alert


def live(db: Session, dataset: str | None = None) -> list[Alert]:
    """Those that have not ended, of a dataset or all, oldest first."""
    query = select(Alert).where(Alert.ended_at.is_(None)).order_by(Alert.id)
    if dataset is not None:
        query = query.where(Alert.dataset == dataset)
    return list(db.scalars(query.execution_options(populate_existing=True)))


def last_ended(db: Session, fingerprint: str, since: datetime) -> Alert | None:
    """The newest with this fingerprint that has ended since then."""
    query = select(Alert).where(Alert.fingerprint == fingerprint, Alert.ended_at >= since).order_by(Alert.id.desc())
    return db.scalars(query.limit(1).execution_options(populate_existing=True)).first()


def get(db: Session, number: int) -> Alert:
    """An alert by its number, as it is now. Raises NotFound."""
    row = db.get(Alert, number, populate_existing=True)
    if row is None:
        raise unknown(number)
    return row


def unknown(number: int) -> NotFound:
    return NotFound(f"There is no alert `#{number}`.", hint="alerts")


def attached(db: Session, roots: Iterable[int]) -> dict[int, list[Alert]]:
    """The alerts that have not ended and are told at a root, by root."""
    query = select(Alert).where(Alert.root_id.in_(list(roots)), Alert.ended_at.is_(None)).order_by(Alert.id)
    found: dict[int, list[Alert]] = {}
    for alert in db.scalars(query):
        found.setdefault(alert.root_id or 0, []).append(alert)
    return found


def left_behind(db: Session, before: datetime) -> list[Alert]:
    """Alerts that have not ended, told at a root that had ended before a time."""
    ended = select(Alert.id).where(Alert.ended_at < before).scalar_subquery()
    query = select(Alert).where(Alert.ended_at.is_(None), Alert.root_id.in_(ended)).order_by(Alert.id)
    return list(db.scalars(query))


def woken(db: Session, now: datetime) -> list[Alert]:
    """Snoozed alerts whose time is over."""
    query = select(Alert).where(Alert.state == "snoozed", Alert.snoozed_until <= now, Alert.ended_at.is_(None))
    return list(db.scalars(query.order_by(Alert.id)))


def listed(
    db: Session,
    *,
    among: set[str] | None,
    dataset: str | None = None,
    state: str | None = None,
    live: bool = False,
    before: int | None = None,
    limit: int,
) -> Sequence[Alert]:
    """Alerts about datasets `among` some, newest first."""
    query = select(Alert).order_by(Alert.id.desc()).limit(limit)
    if among is not None:
        query = query.where(Alert.dataset.in_(among))
    if dataset is not None:
        query = query.where(Alert.dataset == dataset)
    if state is not None:
        query = query.where(Alert.state == state)
    if live:
        query = query.where(Alert.ended_at.is_(None))
    return db.scalars(query if before is None else query.where(Alert.id < before)).all()


def count(db: Session) -> dict[str, int]:
    """How many have not ended, by state; those told at another are not counted."""
    gone = select(Alert.id).where(Alert.ended_at.is_not(None)).scalar_subquery()
    alone = or_(Alert.root_id.is_(None), Alert.root_id.in_(gone))
    query = select(Alert.state, func.count()).where(Alert.ended_at.is_(None), alone)
    return {row[0]: row[1] for row in db.execute(query.group_by(Alert.state))}


# subscriptions


def subscribe(db: Session, user_id: int, dataset: str, now: datetime) -> bool:
    """Whether they had not subscribed yet."""
    if db.get(Subscription, (user_id, dataset)) is not None:
        return False
    db.add(Subscription(user_id=user_id, dataset=dataset, since=now))
    db.flush()
    return True


def unsubscribe(db: Session, user_id: int, dataset: str) -> bool:
    """Whether they had subscribed."""
    row = db.get(Subscription, (user_id, dataset))
    if row is not None:
        db.delete(row)
        db.flush()
    return row is not None


def subscribers(db: Session, dataset: str) -> list[User]:
    """The active users who want to hear of a dataset."""
    query = select(User).join(Subscription, Subscription.user_id == User.id)
    return list(db.scalars(query.where(Subscription.dataset == dataset, User.active).order_by(User.id)))


def forget_ages(db: Session, dataset: str, why: str) -> None:
    """Takes the moment of the newest row from every alert of a dataset that tells it."""
    mine = (Alert.dataset == dataset) & (Alert.rule == "freshness")
    db.execute(update(Alert).where(mine).values(cause=f"{why[0].upper()}{why[1:]}."))
