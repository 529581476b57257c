"""Messages about alerts: which are due, who is sending them just now, and what came of it. None is ever given up."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session

from core.errors import NotFound, Refused
from engine.store import alerts, clock
from engine.store.tables import Alert, Notice, User

PAUSE = timedelta(seconds=1)  # between two edits of a message
TRIES = 3  # by one way before the next is taken
LONGEST_PAUSE = timedelta(minutes=5)  # between two tries


def ensure(db: Session, alert: Alert, place: str, ways: list[str], user_id: int | None, due_at: datetime) -> None:
    """There is to be a message about an alert in this place."""
    known = db.scalar(select(Notice.id).where(Notice.alert_id == alert.id, Notice.place == place))
    if known is None:
        row = Notice(alert_id=alert.id, place=place, ways=ways, user_id=user_id, due_at=due_at, wanted_at=due_at)
        db.add(row)
        db.flush()


def touch(db: Session, alert: Alert, now: datetime) -> None:
    """The alert has changed: the messages about it are to be edited."""
    query = select(Notice).where(Notice.alert_id == alert.id, Notice.due_at.is_(None))
    for row in db.scalars(query.execution_options(populate_existing=True)):
        row.due_at = row.wanted_at = max(now, row.sent_at + PAUSE if row.sent_at else now)
    db.flush()


def withdraw(db: Session, alert: Alert, now: datetime) -> None:
    """What was not sent yet of an alert need not be; what somebody sends just now will be edited."""
    free = or_(Notice.lease_until.is_(None), Notice.lease_until < now)
    db.execute(delete(Notice).where(Notice.alert_id == alert.id, Notice.token == 0, free))


def has_due(db: Session, platforms: Iterable[str], now: datetime) -> bool:
    """Whether `lease` would find any; costs no write."""
    return any(_sent_by(row) in set(platforms) for row in db.scalars(_due(now)))


def lease(db: Session, platforms: Iterable[str], now: datetime, seconds: float, limit: int) -> list[Notice]:
    """Takes messages that are due to these platforms, to be sent within so many seconds."""
    alerts.alone(db)
    taken: list[Notice] = []
    for row in db.scalars(_due(now).execution_options(populate_existing=True)).all():
        if row.user_id is not None and not db.get_one(User, row.user_id).active:
            db.delete(row)
        elif len(taken) < limit and _sent_by(row) in set(platforms):
            row.lease_until, row.token = now + timedelta(seconds=seconds), row.token + 1
            taken.append(row)
    db.flush()
    return taken


def sent(db: Session, number: int, token: int, ref: str, revision: int, now: datetime) -> None:
    """A message shows a revision of its alert. Raises NotFound, Refused if somebody else sends it by now."""
    row = _held(db, number, token)
    alert = alerts.get(db, row.alert_id)
    row.ref, row.shown, row.sent_at, row.failures, row.error, row.lease_until = ref, revision, now, 0, None, None
    row.due_at = row.wanted_at = now + PAUSE if alert.revision > revision else None
    db.flush()


def failed(db: Session, number: int, token: int, reason: str, retry: bool, now: datetime) -> None:
    """A message could not be sent: it is kept, and tried again, by another way if there is one. Raises as `sent`."""
    row = _held(db, number, token)
    pause = min(timedelta(seconds=2.0 ** min(row.failures + 1, 10)), LONGEST_PAUSE)
    # a message that failed may still arrive: the next try looks for it first
    row.due_at = max(now + pause, row.lease_until or now)
    row.failures, row.error, row.lease_until = row.failures + 1, reason, None
    if not retry and row.ref is not None:
        row.ref, row.due_at = None, now  # the message is gone: another is sent
    elif len(row.ways) > 1 and (not retry or row.failures % TRIES == 0):
        row.way, row.ref, row.due_at = (row.way + 1) % len(row.ways), None, now
    db.flush()


def waiting(db: Session, now: datetime) -> tuple[int, float, int]:
    """How many messages are overdue, for how many seconds the oldest is, and how many could not be sent last time."""
    count, oldest = db.execute(
        select(func.count(), func.min(Notice.wanted_at)).where(Notice.wanted_at <= now, Notice.due_at.is_not(None))
    ).one()
    failing = db.scalar(select(func.count()).where(Notice.failures > 0, Notice.due_at.is_not(None))) or 0
    return count, max((now - oldest).total_seconds(), 0.0) if oldest else 0.0, failing


def _due(now: datetime) -> Select[Notice]:
    free = or_(Notice.lease_until.is_(None), clock.has_come(Notice.lease_until, now))
    return select(Notice).where(clock.has_come(Notice.due_at, now), free).order_by(Notice.due_at, Notice.id)


def _sent_by(row: Notice) -> str:
    return str(row.ways[row.way]).partition(":")[0]


def _held(db: Session, number: int, token: int) -> Notice:
    alerts.alone(db)
    row = db.get(Notice, number, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no notice `{number}`.")
    if row.token != token or row.lease_until is None:
        raise Refused(f"Notice `{number}` is sent by somebody else by now.")
    return row
