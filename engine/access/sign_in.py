"""Signing in with a password: tries are counted before they are made, and every failure looks the same."""

from dataclasses import dataclass
from datetime import timedelta

from core.errors import Forbidden, TooMany, Unauthenticated
from engine.access import passwords
from engine.access.signing import LASTS, Access, SigningKeys
from engine.home import Home
from engine.store import access, audit, sign_ins
from engine.store.audit import Act
from engine.store.tables import SignIn, User

# (free tries, longest wait): of a name from one address, and of a name from anywhere. The second is short: else
# anybody could keep somebody else out.
HERE = (5, timedelta(minutes=15))
ANYWHERE = (50, timedelta(minutes=1))
FAILED = "The name or the password is wrong."


@dataclass(frozen=True)
class Pair:
    """An access token, the refresh token for the next one, and how many seconds the first is good for."""

    access: str
    refresh: str
    seconds: int


def sign_in(home: Home, keys: SigningKeys, name: str, password: str, address: str, request_id: str | None) -> Pair:
    """Raises Unauthenticated, the same for every cause, and TooMany after too many of them."""
    name = name[:64]
    here, anywhere = f"here {address} {name.casefold()}", f"anywhere {name.casefold()}"
    with home.database.write() as db:
        wait = sign_ins.attempt(db, here, *HERE) or sign_ins.attempt(db, anywhere, *ANYWHERE)
    if wait:
        raise TooMany("There were too many failed sign-ins.", seconds=wait)
    with home.database.read() as db:
        users = [user for user in access.users_named(db, name) if user.active]
    kept = users[0].password if users else None
    right = passwords.right(password, kept)
    act = Act(users[0].name if users else None, f"sign-in from {address}", request_id)
    with home.database.write() as db:
        # the password may have been changed, or the user ended, while it was checked
        now = access.user(db, users[0].name, held=True) if right else None
        if now is None or now.password != kept or not now.active:
            audit.append(db, act, "sign-in", "", "unauthenticated")
            pair = None
        else:
            sign_ins.succeeded(db, here)
            sign_ins.succeeded(db, anywhere)
            begun, refresh = sign_ins.begin(db, now)
            pair = _pair(keys, begun, now, refresh)
            audit.append(db, act, "sign-in", f"user {now.name}", "done")
    if pair is None:
        raise Unauthenticated(FAILED)
    return pair


def present(home: Home, name: str, password: str, kept: str) -> None:
    """Whether somebody who is signed in knows their password, too. Raises Forbidden, TooMany."""
    what = f"present {name.casefold()}"
    with home.database.write() as db:
        wait = sign_ins.attempt(db, what, *HERE)
    if wait:
        raise TooMany("There were too many wrong passwords.", seconds=wait)
    if not passwords.right(password, kept):
        raise Forbidden("The present password is wrong.")
    with home.database.write() as db:
        sign_ins.succeeded(db, what)


def refresh(home: Home, keys: SigningKeys, token: str, request_id: str | None) -> Pair:
    """The next pair for a refresh token; one that was used before ends its sign-in. Raises Unauthenticated."""
    pair = None
    with home.database.write() as db:
        found = sign_ins.exchange(db, token)
        if isinstance(found, SignIn):
            sign_ins.end(db, found.id)
            access.end_tokens_of(db, found.id)  # a thief may have made them
            user = db.get_one(User, found.user_id)
            audit.append(db, Act(user.name, "refresh token", request_id), "sign-in.reuse", f"user {user.name}", "ended")
        elif found is not None:
            begun, user, following = found
            pair = _pair(keys, begun, user, following)
            audit.append(db, Act(user.name, "refresh token", request_id), "sign-in.refresh", f"user {user.name}")
    if pair is None:
        raise Unauthenticated("This refresh token is unknown, was used before, or has ended.", hint="Sign in again.")
    return pair


def _pair(keys: SigningKeys, begun: SignIn, user: User, following: str) -> Pair:
    signed = keys.sign(Access(user.id, begun.id, user.generation))
    return Pair(signed, following, int(LASTS.total_seconds()))
