"""The one clock that leases, wake-up calls and schedules go by, the database's: machines may differ about the time."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

LONGEST = timedelta(minutes=10)  # nothing is put off, or held, for longer


def now(db: Session) -> datetime:
    """What time it is, for every process alike."""
    if db.get_bind().dialect.name == "sqlite":  # it is read by processes of this machine
        return datetime.now(UTC)
    moment: datetime = db.scalars(select(func.clock_timestamp())).one()
    return moment.astimezone(UTC)


def has_come(
    at: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None], now: datetime,
    longest: timedelta = LONGEST,
) -> ColumnElement[bool]:  # fmt: skip
    """Whether a time has come; one that is farther off than anybody puts anything off was set by a clock that ran
    ahead, and nobody is to wait for it."""
    return or_(at <= now, at > now + longest)
