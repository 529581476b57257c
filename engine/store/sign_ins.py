"""Sign-ins, their refresh tokens, the networks they came from, and the tries that failed."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine.store.access import GRANTED, granted, hashed
from engine.store.tables import Attempts, Grant, KnownNetwork, RefreshToken, SignIn, Token, User

LASTS = timedelta(days=30)  # a sign-in, however often it is refreshed
FORGOTTEN = timedelta(days=1)  # failed tries, since the last of them
REMEMBERED = timedelta(days=90)  # a network, since the last sign-in from it
NETWORKS = 10  # remembered of one user


def begin(db: Session, user: User) -> tuple[SignIn, str]:
    """A new sign-in and its first refresh token. Sign-ins of the past are cleared away.

    Those that tokens go back to stay, and the newest stays: its number must not be given to another sign-in.
    """
    now = datetime.now(UTC)
    past = delete(SignIn).where(SignIn.expires_at < now, SignIn.id < select(func.max(SignIn.id)).scalar_subquery())
    db.execute(past.where(~exists().where(Token.sign_in_id == SignIn.id)))
    row = SignIn(user_id=user.id, created_at=now, expires_at=now + LASTS)
    db.add(row)
    db.flush()
    return row, _refresh_token(db, row.id)


def exchange(db: Session, token: str) -> tuple[SignIn, User, str] | SignIn | None:
    """The sign-in, its user and the next refresh token; the sign-in alone if the token was used before; None if it is
    unknown or has ended."""
    now = datetime.now(UTC)
    first_use = update(RefreshToken).where(RefreshToken.hash == hashed(token), RefreshToken.used_at.is_(None))
    number = db.scalar(first_use.values(used_at=now).returning(RefreshToken.sign_in_id))
    if number is None:
        known = db.scalar(select(RefreshToken.sign_in_id).where(RefreshToken.hash == hashed(token)))
        return None if known is None else db.get_one(SignIn, known)
    row = db.get_one(SignIn, number)
    user = db.get_one(User, row.user_id)
    if row.ended_at is not None or row.expires_at < now or not user.active:
        return None
    return row, user, _refresh_token(db, number)


def holder(db: Session, number: int) -> tuple[User, datetime | None, dict[str, str]] | None:
    """Whose sign-in it is, when it was ended if it was, and the grants of the user."""
    query = select(User, SignIn.ended_at, *GRANTED).join(SignIn, SignIn.user_id == User.id)
    rows = db.execute(query.outerjoin(Grant, Grant.user_id == User.id).where(SignIn.id == number)).all()
    return (rows[0][0], rows[0][1], granted(rows)) if rows else None


def end(db: Session, number: int) -> None:
    """Ends the access and refresh tokens of one sign-in."""
    db.execute(update(SignIn).where(SignIn.id == number, SignIn.ended_at.is_(None)).values(ended_at=datetime.now(UTC)))


def end_by_token(db: Session, token: str) -> User | None:
    """Ends the sign-in that a refresh token belongs to; whose it was, None for an unknown token."""
    query = select(SignIn).join(RefreshToken, RefreshToken.sign_in_id == SignIn.id)
    row = db.scalar(query.where(RefreshToken.hash == hashed(token)))
    if row is None:
        return None
    end(db, row.id)
    return db.get_one(User, row.user_id)


def _refresh_token(db: Session, sign_in: int) -> str:
    token = "refresh_" + secrets.token_urlsafe(32)
    db.add(RefreshToken(sign_in_id=sign_in, hash=hashed(token), created_at=datetime.now(UTC)))
    db.flush()
    return token


# networks that people have signed in from


def from_known_network(db: Session, network: str) -> bool:
    """Whether a user who is still let in has signed in from this network lately."""
    lately = KnownNetwork.last_at > datetime.now(UTC) - REMEMBERED
    query = select(KnownNetwork.network).join(User, User.id == KnownNetwork.user_id)
    return db.scalar(query.where(KnownNetwork.network == _key(network), lately, User.active).limit(1)) is not None


def remember_network(db: Session, user: User, network: str) -> None:
    """Notes that a user signed in from a network. Only the newest few networks of a user are kept."""
    now = datetime.now(UTC)
    row = _insert(db)(KnownNetwork).values(user_id=user.id, network=_key(network), last_at=now)
    db.execute(row.on_conflict_do_update(index_elements=["user_id", "network"], set_={"last_at": now}))
    theirs = select(KnownNetwork.network).where(KnownNetwork.user_id == user.id)
    newest = db.scalars(theirs.order_by(KnownNetwork.last_at.desc()).limit(NETWORKS)).all()
    old = KnownNetwork.network.not_in(newest) | (KnownNetwork.last_at < now - REMEMBERED)
    db.execute(delete(KnownNetwork).where(KnownNetwork.user_id == user.id, old))


# tries that failed


@dataclass(frozen=True)
class Limit:
    """How many failed tries of one kind are free. After them each waits twice as long as the one before."""

    what: str
    free: int
    longest: timedelta
    after: int = 0  # holds only once the first limit beside it has counted so many failures


def attempt(db: Session, *limits: Limit) -> float:
    """Counts a try before it is made, so that many tries at once count too. Returns seconds to wait; 0 = try.

    A try that has to wait for one of the limits does not count for any.
    """
    now = datetime.now(UTC)
    db.execute(delete(Attempts).where(Attempts.last_at < now - FORGOTTEN))
    rows = [_row(db, limit, now) for limit in limits]
    counted = [(limit, row) for limit, row in zip(limits, rows, strict=True) if rows[0].failures >= limit.after]
    blocked = [row.blocked_until for _, row in counted if row.blocked_until is not None and row.blocked_until > now]
    if blocked:
        return (max(blocked) - now).total_seconds()
    for limit, row in counted:
        row.failures += 1
        row.last_at = now
        if row.failures >= limit.free:
            wait = timedelta(seconds=2.0 ** min(row.failures - limit.free + 1, 20))
            row.blocked_until = now + min(wait, limit.longest)
    db.flush()
    return 0.0


def _row(db: Session, limit: Limit, now: datetime) -> Attempts:
    """The count of a limit, held until the transaction ends."""
    key = _key(limit.what)
    db.execute(_insert(db)(Attempts).values(key=key, failures=0, last_at=now).on_conflict_do_nothing())
    return db.scalars(select(Attempts).where(Attempts.key == key).with_for_update()).one()


def succeeded(db: Session, what: str) -> None:
    """Clears the failures of a limit."""
    db.execute(delete(Attempts).where(Attempts.key == _key(what)))


def no_failure(db: Session, what: str) -> None:
    """Takes back the count of one try. Blocks stay: the failures of others led to them."""
    one_less = update(Attempts).where(Attempts.key == _key(what), Attempts.failures > 0)
    db.execute(one_less.values(failures=Attempts.failures - 1))


def _insert(db: Session) -> Any:
    return postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert


def _key(what: str) -> str:
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
