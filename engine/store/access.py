"""Roles and what they may do, users, and the tokens of scripts. Of a token only the SHA-256 is kept."""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from core.errors import BadInput, NotFound, Refused, Unauthenticated
from engine.store.tables import Dataset, Grant, SignIn, Token, User

LOCK = 0x55534552  # PostgreSQL's advisory lock of whoever adds a user
RIGHTS = {
    "viewer": {"read:runs", "read:catalog", "read:quality", "read:lineage"},
    "operator": {"run", "read:models", "handle:alerts"},
    "steward": {"read:pii", "rule:pii", "read:dead-letters"},
    "dpo": {
        "read:gdpr", "read:pii", "rule:pii", "read:dead-letters", "read:models", "read:audit", "reveal",
        "handle:alerts",
    },
    "admin": {
        "admin", "run", "read:models", "read:pii", "read:dead-letters", "read:gdpr", "read:audit", "read:metrics",
        "grant", "speak-for", "rule:pii", "reveal", "handle:alerts",
    },
}  # fmt: skip
ROLES = tuple(RIGHTS)
GRANTABLE = ("operator", "steward")  # roles that an owner may give on a dataset: those of people who work on it


def rights(role: str) -> frozenset[str]:
    """What a role may do: its own rights, those of a viewer, and a steward's include an operator's."""
    own = RIGHTS[role] | RIGHTS["viewer"]
    return frozenset(own | RIGHTS["operator"] if role == "steward" else own)


OWNER = rights("steward") | {"grant"}  # rights of an owner on their own dataset
ALL_RIGHTS = OWNER.union(*map(rights, ROLES))

# users

# a closed set of letters, because a name with a Cyrillic `а` looks like the name of somebody else
_LETTERS = r"[A-Za-z0-9ÆØÅæøåÄÖÜäöüßÁáÉéÈèËëÓó._@+\\'-]+"
USER_NAME = re.compile(rf"(?=.{{1,64}}\Z){_LETTERS}(?: {_LETTERS})*")


def add_user(db: Session, name: str, role: str, *, owns: Iterable[str] = ()) -> User:
    """A new user. Raises BadInput for an unknown role or a name with other letters, Refused if the name is taken."""
    _known(role)
    name = unicodedata.normalize("NFC", name)
    if not USER_NAME.fullmatch(name):
        raise BadInput(
            "A user's name has 1 to 64 characters: Latin letters, digits, single spaces between them, and . _ - @ + '",
            hint="Letters with marks: Danish and German ones, and á é è ë ó.",
        )
    _alone(db)
    if any(known.casefold() == name.casefold() for known in db.scalars(select(User.name))):
        raise Refused(f"There is already a user `{name}`.", hint="Change them: atlas user change NAME")
    user = User(name=name, role=role, owns=sorted(set(owns)), created_at=datetime.now(UTC))
    db.add(user)
    db.flush()
    return user


def user(db: Session, name: str, *, held: bool = False) -> User:
    """A user by name; `held`, nobody changes them until this transaction ends. Raises NotFound."""
    query = select(User).where(User.name == unicodedata.normalize("NFC", name))
    found = db.scalar(query.with_for_update() if held else query)
    if found is None:
        shown = name if len(name) <= 64 else name[:64] + "…"
        raise NotFound(f"There is no user `{shown}`.", hint="atlas user add NAME --role ROLE")
    return found


def users_named(db: Session, name: str) -> list[User]:
    """The user of this name, or nobody."""
    return list(db.scalars(select(User).where(User.name == unicodedata.normalize("NFC", name))))


def users(db: Session, after: str | None, limit: int) -> list[User]:
    """A page of users, by name."""
    query = select(User).order_by(User.name).limit(limit)
    return list(db.scalars(query.where(User.name > after) if after is not None else query))


def change(
    db: Session, name: str, *, role: str | None = None, active: bool | None = None, owns: Iterable[str] | None = None
) -> User:
    """Changes what is given; another role, or the end of a user, ends all sign-ins. Raises NotFound, BadInput, Refused.

    The last active administrator stays one: without any, nobody could let people in.
    """
    row = user(db, name)
    if role is not None:
        _known(role)
    loses_admin = row.role == "admin" and row.active and (role not in (None, "admin") or active is False)
    # held, in one order: two administrators who end each other at once would both be the last but one
    admins = select(User.id).where(User.role == "admin", User.active).order_by(User.id).with_for_update()
    if loses_admin and len(db.scalars(admins).all()) < 2:
        raise Refused(
            f"`{name}` is the only administrator.", hint="Make another first: atlas user add NAME --role admin"
        )
    if (role is not None and role != row.role) or (active is not None and active != row.active):
        end_sign_ins(db, row)
    row.role = role if role is not None else row.role
    row.active = active if active is not None else row.active
    row.owns = sorted(set(owns)) if owns is not None else row.owns
    if active is False:
        _end(db, Token.user_id == row.id)
    db.flush()
    return row


def set_password(db: Session, row: User, hashed: str) -> None:
    """Sets another password. Sign-ins with the old one end, and the tokens made from them."""
    row.password = hashed
    end_sign_ins(db, row)


def end_sign_ins(db: Session, row: User) -> None:
    """Ends the sign-ins of a user, and every token made from any of them, also through other tokens.

    Tokens that were made on the server stay good: see `tokens`.
    """
    row.generation += 1
    open_ones = update(SignIn).where(SignIn.user_id == row.id, SignIn.ended_at.is_(None))
    db.execute(open_ones.values(ended_at=datetime.now(UTC)))
    _end(db, Token.sign_in_id.in_(select(SignIn.id).where(SignIn.user_id == row.id)))


def end_tokens_of(db: Session, sign_in: int) -> None:
    """Ends every token made from one sign-in, also through other tokens."""
    _end(db, Token.sign_in_id == sign_in)


def owner_of_the_home(db: Session, name: str) -> User:
    """The operating-system user who owns the home: its administrator. Several processes may be the first at once."""
    known = select(User).where(User.name == name)
    if (found := db.scalar(known)) is None:
        _alone(db)
        found = db.scalar(known) or add_user(db, name, "admin")
    return found


def _alone(db: Session) -> None:
    """Lets nobody else add a user until this transaction ends. SQLite has one writer anyway."""
    if db.get_bind().dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(LOCK)))


def _known(role: str) -> None:
    if role not in ROLES:
        raise BadInput(f"There is no role `{role[:40]}`.", hint=f"Roles: {', '.join(ROLES)}.")


# grants


def grant(db: Session, row: User, dataset: str, role: str, by: str) -> Grant:
    """A role on one dataset, instead of any other that the user had there. Raises BadInput."""
    if role not in GRANTABLE:
        raise BadInput(f"`{role[:40]}` cannot be granted on a dataset.", hint=f"Roles: {', '.join(GRANTABLE)}.")
    held = db.scalar(select(Grant).where(Grant.user_id == row.id, Grant.dataset == dataset, Grant.role == role))
    if held is not None:
        return held
    withdraw(db, row, dataset)
    given = Grant(user_id=row.id, dataset=dataset, role=role, granted_by=by, granted_at=datetime.now(UTC))
    db.add(given)
    db.flush()
    return given


def withdraw(db: Session, row: User, dataset: str) -> bool:
    """Takes a grant back; whether there was one."""
    query = delete(Grant).where(Grant.user_id == row.id, Grant.dataset == dataset).returning(Grant.id)
    return db.scalar(query) is not None


GRANTED = (Grant.dataset, Grant.role)  # beside a user, one row each: saves a statement with each request


def granted(rows: Iterable[Any]) -> dict[str, str]:
    """Dataset -> role, of rows that end with `GRANTED`."""
    return {row[-2]: row[-1] for row in rows if row[-2] is not None}


def grants_of(db: Session, user_id: int) -> dict[str, str]:
    """Dataset -> the role that a user has there beside their own."""
    rows = db.execute(select(Grant.dataset, Grant.role).where(Grant.user_id == user_id))
    return {row.dataset: row.role for row in rows}


def rights_of(db: Session, row: User) -> frozenset[str]:
    """Everything a user may do, somewhere or everywhere."""
    granted: frozenset[str] = frozenset().union(*(rights(role) for role in grants_of(db, row.id).values()))
    return rights(row.role) | granted | (OWNER if row.owns else frozenset())


def grants_on(db: Session, dataset: str) -> list[tuple[Grant, str]]:
    """Who has a role on a dataset, with their names."""
    query = select(Grant, User.name).join(User, User.id == Grant.user_id).where(Grant.dataset == dataset)
    return [(row[0], row[1]) for row in db.execute(query.order_by(User.name))]


def owned(db: Session, owners: Iterable[str]) -> set[str]:
    """The published datasets of some owners."""
    published = select(Dataset.name).where(Dataset.current_version_id.is_not(None), Dataset.owner != "")
    return set(db.scalars(published.where(Dataset.owner.in_(list(owners)))))


# tokens

MOST = 20  # tokens that a user may have at a time; those made on the server are not counted


@dataclass(frozen=True)
class Held:
    """What a token says: whose it is, and what it is limited to."""

    id: int
    name: str
    user: User
    grants: dict[str, str]  # dataset -> role
    scopes: frozenset[str] | None
    datasets: frozenset[str] | None
    expires_at: datetime
    stale: bool  # its last use was noted a while ago


def issue(
    db: Session,
    owner: User,
    seconds: float,
    *,
    name: str = "",
    scopes: Iterable[str] | None = None,
    datasets: Iterable[str] | None = None,
    by: str = "",
    sign_in: int | None = None,
    made_from: int | None = None,
) -> str:
    """A new bearer token; it is shown once and not kept. Tokens that have ended are cleared away.

    Over HTTP it is made from a sign-in or from another token; on the server, from neither. Raises BadInput for an
    unknown right, Unauthenticated if what it is made from has ended, Refused if its user has `MOST` such tokens.
    """
    now = datetime.now(UTC)
    # the newest stays, else its number would be given again and the audit log would say two things by one
    db.execute(delete(Token).where(Token.expires_at < now, Token.id < select(func.max(Token.id)).scalar_subquery()))
    if unknown := set(scopes or ()).difference(ALL_RIGHTS):
        raise BadInput(f"There is no right `{min(unknown)[:40]}`.", hint=f"Rights: {', '.join(sorted(ALL_RIGHTS))}.")
    if sign_in is not None or made_from is not None:
        _room(db, owner)
        sign_in = _root(db, sign_in, made_from)
    token = "atlas_" + secrets.token_urlsafe(32)
    row = Token(
        user_id=owner.id, hash=hashed(token), created_at=now, expires_at=now + timedelta(seconds=seconds), name=name,
        scopes=None if scopes is None else sorted(set(scopes)), created_by=by,
        datasets=None if datasets is None else sorted(set(datasets)), sign_in_id=sign_in, made_from=made_from,
    )  # fmt: skip
    db.add(row)
    db.flush()
    return token


def _room(db: Session, owner: User) -> None:
    """Raises Refused if a user has as many tokens as one may have; no other is made until this transaction ends."""
    db.execute(select(User.id).where(User.id == owner.id).with_for_update())
    theirs = select(func.count()).where(Token.user_id == owner.id, Token.expires_at > datetime.now(UTC))
    if db.scalars(theirs.where(or_(Token.sign_in_id.is_not(None), Token.made_from.is_not(None)))).one() >= MOST:
        raise Refused(
            f"`{owner.name}` has {MOST} tokens, and nobody may have more.",
            hint="End one that is no longer used: GET /api/v1/tokens lists them, DELETE /api/v1/tokens/ID ends one.",
        )


def _root(db: Session, sign_in: int | None, made_from: int | None) -> int | None:
    """The sign-in that a new token goes back to. Whoever ends what it is made from waits for this transaction.

    Raises Unauthenticated if that has ended since the request was let in: the new token would outlive it.
    """
    parent = select(Token.sign_in_id).where(Token.id == made_from, Token.expires_at > datetime.now(UTC))
    begun = select(SignIn.id).where(SignIn.id == sign_in, SignIn.ended_at.is_(None))
    rows = db.execute((begun if made_from is None else parent).with_for_update()).all()
    if not rows:
        raise Unauthenticated("What this token was to be made from has ended.", hint="Sign in again.")
    found: int | None = rows[0][0]
    return found


_BEARER = (  # asked at every request: put together once
    select(Token, User, *GRANTED).join(User, Token.user_id == User.id).outerjoin(Grant, Grant.user_id == User.id)
    .where(Token.hash == bindparam("hash"), Token.expires_at > bindparam("now"), User.active)
)  # fmt: skip


def bearer(db: Session, token: str) -> Held | None:
    """What a token says that is known and has not ended, and whose user has not either."""
    now = datetime.now(UTC)
    rows = db.execute(_BEARER, {"hash": hashed(token), "now": now}).all()
    if not rows:
        return None
    found, user = rows[0][:2]
    used = found.last_used_at
    return Held(
        found.id, found.name, user, granted(rows), None if found.scopes is None else frozenset(found.scopes),
        None if found.datasets is None else frozenset(found.datasets), found.expires_at,
        used is None or now - used > timedelta(minutes=1),
    )  # fmt: skip


def token_used(db: Session, number: int) -> None:
    """Notes that a token is in use; to the minute is enough."""
    db.execute(update(Token).where(Token.id == number).values(last_used_at=datetime.now(UTC)))


def tokens(
    db: Session, user_id: int | None, after: int = 0, limit: int = 200, *, only: int | None = None
) -> list[tuple[Token, str]]:
    """A page of the tokens that have not ended with the names of their users, of one user or of all; `only` one."""
    query = select(Token, User.name).join(User, User.id == Token.user_id).where(Token.id > after)
    query = query.where(Token.expires_at > datetime.now(UTC))
    if user_id is not None:
        query = query.where(Token.user_id == user_id)
    if only is not None:
        query = query.where(Token.id == only)
    return [(row[0], row[1]) for row in db.execute(query.order_by(Token.id).limit(limit))]


def token(db: Session, value: str) -> Token:
    """The row of a token that was just issued."""
    return db.scalars(select(Token).where(Token.hash == hashed(value))).one()


def revoke(db: Session, number: int, user_id: int | None) -> None:
    """Ends a token at once, of one user or of any, and those made from it. Raises NotFound, also for another's."""
    whose = () if user_id is None else (Token.user_id == user_id,)
    if not _end(db, Token.id == number, *whose):
        raise NotFound(f"There is no token `{number}` of yours.", hint="GET /api/v1/tokens")


def forget(db: Session, values: Iterable[str]) -> None:
    """Ends tokens by their values, and those made from them."""
    _end(db, Token.hash.in_([hashed(value) for value in values]))


def _end(db: Session, *which: ColumnElement[bool]) -> bool:
    """Ends tokens and every token made from them; whether there was any. The next one made clears them away."""
    now, found = datetime.now(UTC), False
    while ended := db.scalars(
        update(Token).where(Token.expires_at > now, *which).values(expires_at=now).returning(Token.id)
    ).all():
        which, found = (Token.made_from.in_(ended),), True
    return found


def hashed(token: str) -> str:
    """SHA-256, in hex: tokens are random enough to need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
