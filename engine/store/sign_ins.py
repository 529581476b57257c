"""Sign-ins, their refresh tokens, and the tries that failed."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine.store.access import GRANTED, granted, hashed
from engine.store.tables import Attempts, Grant, RefreshToken, SignIn, Token, User

LASTS = timedelta(days=30)  # a sign-in, however often it is refreshed
FORGOTTEN = timedelta(days=1)  # failed tries of a name


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


# tries that failed


def attempt(db: Session, what: str, free: int, longest: timedelta) -> float:
    """Counts a try before it is made, so that many at once count too. Returns seconds to wait; 0 = try.

    The first `free` tries cost nothing; after them each waits twice as long as the one before, up to `longest`.
    """
    now, key = datetime.now(UTC), _key(what)
    db.execute(delete(Attempts).where(Attempts.last_at < now - FORGOTTEN))
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    db.execute(insert(Attempts).values(key=key, failures=0, last_at=now).on_conflict_do_nothing())
    row = db.scalars(select(Attempts).where(Attempts.key == key).with_for_update()).one()
    if row.blocked_until is not None and row.blocked_until > now:
        return (row.blocked_until - now).total_seconds()
    row.failures += 1
    row.last_at = now
    if row.failures >= free:
        row.blocked_until = now + min(timedelta(seconds=2.0 ** min(row.failures - free + 1, 20)), longest)
    db.flush()
    return 0.0


def succeeded(db: Session, what: str) -> None:
    """A try that was right clears what was counted before."""
    db.execute(delete(Attempts).where(Attempts.key == _key(what)))


def _key(what: str) -> str:
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
