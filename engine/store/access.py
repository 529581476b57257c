"""Users and their tokens. Of a token only the SHA-256 is kept."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.errors import BadInput, NotFound, Refused
from engine.store.tables import Token, User

RIGHTS = {
    "viewer": {"read:runs", "read:catalog", "read:quality", "read:lineage"},
    "operator": {"run", "read:models"},
    "steward": {"read:pii", "read:dead-letters"},
    "dpo": {"read:gdpr", "read:pii", "read:dead-letters", "read:models"},
    "admin": {"admin", "run", "read:models", "read:pii", "read:dead-letters", "read:gdpr"},
}
ROLES = tuple(RIGHTS)


def rights(role: str) -> frozenset[str]:
    """What a role may do: its own rights, those of a viewer, and a steward's include an operator's."""
    own = RIGHTS[role] | RIGHTS["viewer"]
    return frozenset(own | RIGHTS["operator"] if role == "steward" else own)


def add_user(db: Session, name: str, role: str) -> User:
    """A new user. Raises BadInput for an unknown role, Refused if the name is taken."""
    if role not in ROLES:
        raise BadInput(f"There is no role `{role}`.", hint=f"Roles: {', '.join(ROLES)}.")
    if not name or len(name) > 64 or not name.isprintable() or name != name.strip():
        raise BadInput("A user's name has 1 to 64 printable characters and no space at its ends.")
    if db.scalar(select(User).where(User.name == name)):
        raise Refused(f"There is already a user `{name}`.")
    user = User(name=name, role=role, created_at=datetime.now(UTC))
    db.add(user)
    db.flush()
    return user


def user(db: Session, name: str) -> User:
    """A user by name. Raises NotFound."""
    found = db.scalar(select(User).where(User.name == name))
    if found is None:
        raise NotFound(f"There is no user `{name}`.", hint=f"atlas user add {name} --role viewer")
    return found


def owner_of_the_home(db: Session, name: str) -> User:
    """The operating-system user who owns the home: its administrator."""
    return db.scalar(select(User).where(User.name == name)) or add_user(db, name, "admin")


def issue(db: Session, owner: User, seconds: float) -> str:
    """A new bearer token; it is shown once and not kept. Tokens that have ended are cleared away."""
    now = datetime.now(UTC)
    db.execute(delete(Token).where(Token.expires_at < now))
    token = "atlas_" + secrets.token_urlsafe(32)
    db.add(Token(user_id=owner.id, hash=_hash(token), created_at=now, expires_at=now + timedelta(seconds=seconds)))
    return token


def bearer(db: Session, token: str) -> User | None:
    """Who holds a token that is known and has not ended."""
    query = select(User).join(Token, Token.user_id == User.id)
    return db.scalar(query.where(Token.hash == _hash(token), Token.expires_at > datetime.now(UTC)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
