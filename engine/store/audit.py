"""The audit log: who did or saw what. Each row holds the hash of the one before; the end is noted beside it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from engine.store.tables import AuditEntry, Fact, Refusals

BEGINNING = "0" * 64
END = "end of the audit log"  # the fact that tells a log that lost its last rows
LOCK = 0x41544C4153  # PostgreSQL's advisory lock of whoever appends
# refusals of one person in one hour that have rows of their own: of one kind, and of all
MOST_OF_A_KIND, MOST_OF_A_PERSON = 100, 1000


@dataclass(frozen=True)
class Act:
    """Who acts, through what, in which request."""

    who: str | None
    through: str
    request_id: str | None = None


@dataclass(frozen=True)
class Verified:
    """How far the log holds, and what is wrong with it: (number of the row, what)."""

    rows: int
    end: str
    wrong: list[tuple[int, str]]


def append(db: Session, act: Act, action: str, about: str, result: str = "done") -> None:
    """One more row, as the last thing of a transaction: whoever appends is alone until it ends."""
    _alone(db)
    _sum_up(db)
    _append(db, act, action, about, result)


def refuse(db: Session, act: Act, action: str, about: str, result: str) -> None:
    """The row of a refusal. A person who is refused often fills no log: most of them are counted only.

    The counts of an hour become rows when something is appended, or somebody reads the log, after it.
    """
    _alone(db)
    _sum_up(db)
    who, hour = act.who or "", _hour()
    key = {"who": who, "action": _cut(action), "result": _cut(result), "hour": hour}
    counted = db.get(Refusals, key)
    if counted is None:
        counted = Refusals(**key, written=0, folded=0)
        db.add(counted)
    of_the_hour = select(func.sum(Refusals.written)).where(Refusals.who == who, Refusals.hour == hour)
    if counted.written < MOST_OF_A_KIND and (db.scalar(of_the_hour) or 0) < MOST_OF_A_PERSON:
        counted.written += 1
        _append(db, act, action, about, result)
    else:
        counted.folded += 1
    db.flush()


def sum_up(db: Session) -> None:
    """Gives the refusals that were only counted their rows, once their hour is over."""
    if db.scalar(select(Refusals.hour).where(Refusals.hour < _hour()).limit(1)) is not None:
        _alone(db)
        _sum_up(db)


def _sum_up(db: Session) -> None:
    over, order = Refusals.hour < _hour(), (Refusals.hour, Refusals.who, Refusals.action, Refusals.result)
    found = db.scalars(select(Refusals).where(over).order_by(*order)).all()
    for counted in found:
        if counted.folded:
            until = counted.hour + timedelta(hours=1)
            about = f"{counted.folded} more from {counted.hour:%Y-%m-%d %H:%M} to {until:%H:%M} UTC"
            _append(db, Act(counted.who or None, "several"), counted.action, about, counted.result)
    if found:
        db.execute(delete(Refusals).where(over))


def _hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _alone(db: Session) -> None:
    """Lets nobody else append until this transaction ends. SQLite has one writer anyway."""
    db.flush()
    if db.get_bind().dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _append(db: Session, act: Act, action: str, about: str, result: str) -> None:
    last = db.execute(
        select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
    ).first()  # fmt: skip
    row = AuditEntry(
        number=last.number + 1 if last else 1, at=datetime.now(UTC), who=act.who, through=_cut(act.through),
        action=_cut(action), about=_cut(about), result=_cut(result), request_id=act.request_id,
        previous=last.hash if last else BEGINNING,
    )  # fmt: skip
    row.hash = digest(row)
    db.add(row)
    end = db.get(Fact, END, populate_existing=True)
    if end is None:
        db.add(Fact(name=END, value=_end(row.number, row.hash)))
    else:
        end.value = _end(row.number, row.hash)
    db.flush()


def digest(row: AuditEntry) -> str:
    """SHA-256 over everything a row says, the hash of the row before included."""
    said = [
        row.number, row.at.astimezone(UTC).isoformat(timespec="microseconds"), row.who, row.through, row.action,
        row.about, row.result, row.request_id, row.previous,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()


def verify(db: Session, *, expected: str | None = None) -> Verified:
    """Reads the whole log. `expected` is an end (`NUMBER:HASH`) noted earlier: it must still be in the log."""
    wrong: list[tuple[int, str]] = []
    count, number, previous, found = 0, 0, BEGINNING, expected is None
    if db.get_bind().dialect.name == "postgresql" and not db.in_transaction():  # a cursor lives in a transaction
        db.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    for row in db.scalars(select(AuditEntry).order_by(AuditEntry.number).execution_options(yield_per=1000)):
        count += 1
        if row.number != number + 1:
            missing = f"{number + 1}" if row.number == number + 2 else f"{number + 1} to {row.number - 1}"
            wrong.append((row.number, f"row {missing} before it is missing"))
        elif row.previous != previous:
            wrong.append((row.number, "it does not follow the row before it"))
        if digest(row) != row.hash:
            wrong.append((row.number, "it was changed"))
        number, previous = row.number, row.hash
        found = found or _end(number, previous) == expected
        db.expunge(row)
    end, noted = _end(number, previous), db.scalar(select(Fact.value).where(Fact.name == END))
    if noted != (end if count else None):
        wrong.append((number, f"the log ended at row {noted.partition(':')[0] if noted else 'unknown'} once"))
    if not found:
        wrong.append((number, "the end that was noted earlier is not in it"))
    return Verified(count, end, wrong)


def entries(
    db: Session, *, who: str | None, action: str | None, about: str | None, since: datetime | None,
    before: int | None, limit: int,
) -> Iterator[AuditEntry]:  # fmt: skip
    """A page of the log, newest first."""
    query = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit)
    for column, wanted in ((AuditEntry.who, who), (AuditEntry.action, action), (AuditEntry.about, about)):
        if wanted is not None:
            query = query.where(column == wanted)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    return iter(db.scalars(query if before is None else query.where(AuditEntry.number < before)))


def _end(number: int, digest: str) -> str:
    return f"{number}:{digest}"


def _cut(text: str) -> str:
    return text if len(text) <= 255 else text[:254] + "…"
