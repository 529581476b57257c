"""Signing in with a password: tries are counted before they are made, and every failure looks the same."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core import networks
from core.errors import Forbidden, TooMany, Unauthenticated
from engine.access import passwords
from engine.access.signing import LASTS, Access, SigningKeys
from engine.home import Home
from engine.store import access, audit, sign_ins
from engine.store.audit import Act
from engine.store.sign_ins import Limit
from engine.store.tables import SignIn, User

# (free tries, longest wait) of a name from one network, of one network, and of a name from all unknown networks
HERE = (5, timedelta(minutes=15))
NETWORK = (20, timedelta(minutes=15))
ANYWHERE = (50, timedelta(minutes=1))
FRESH = 3  # tries that each network has at a name, whatever other networks do: else they could keep people out
FAILED = "The name or the password is wrong."


@dataclass(frozen=True)
class Pair:
    """An access token, the refresh token for the next one, and how many seconds the first is good for."""

    access: str
    refresh: str
    seconds: int


def let_try(home: Home, name: str, address: str) -> bool:
    """Counts a try to sign in before it is made. Returns whether somebody has signed in from this network before.

    From a known network only the failures from there count, so that nobody elsewhere can keep people out. It is known
    whoever signed in: the answers must not say which users there are. Raises TooMany.
    """
    near = networks.near(address)
    with home.database.write() as db:
        known = sign_ins.from_known_network(db, near)
        limits = [Limit(_here(name, near), *HERE)]
        if not known:
            limits += [Limit(_network(address), *NETWORK), Limit(_anywhere(name), *ANYWHERE, after=FRESH)]
        wait = sign_ins.attempt(db, *limits)
    if wait:
        raise TooMany("There were too many failed sign-ins.", seconds=wait)
    return known


def sign_in(
    home: Home, keys: SigningKeys, name: str, password: str, address: str, request_id: str | None, *, known: bool
) -> Pair:
    """Signs a user in after `let_try` has let them. Raises Unauthenticated, the same for every cause."""
    near = networks.near(address)
    with home.database.read() as db:
        users = [user for user in access.users_named(db, name) if user.active]
    kept = users[0].password if users else None
    right = passwords.right(password, kept)
    act = Act(users[0].name if users else None, f"sign-in from {address}", request_id)
    with home.database.write() as db:
        # the password may have been changed, or the user ended, while it was checked
        now = access.user(db, users[0].name, held=True) if right else None
        if now is None or now.password != kept or not now.active:
            audit.refuse(db, act, "sign-in", "", "unauthenticated")
            pair = None
        else:
            sign_ins.succeeded(db, _here(name, near))
            if not known:
                sign_ins.no_failure(db, _network(address))
            sign_ins.remember_network(db, now, near)
            begun, refresh = sign_ins.begin(db, now)
            pair = _pair(keys, begun, now, refresh)
            audit.append(db, act, "sign-in", f"user {now.name}", "done")
    if pair is None:
        raise Unauthenticated(FAILED)
    return pair


def _here(name: str, near: str) -> str:
    return f"here {near} {_folded(name)}"


def _network(address: str) -> str:
    """By the day, so that the typing errors of many people do not add up for ever."""
    return f"network {datetime.now(UTC):%Y-%m-%d} {networks.wide(address)}"


def _anywhere(name: str) -> str:
    return f"anywhere {_folded(name)}"


def _folded(name: str) -> str:
    """The same for every spelling that means one user."""
    return unicodedata.normalize("NFC", name).casefold()


def present(home: Home, name: str, password: str, kept: str) -> None:
    """Whether somebody who is signed in knows their password, too. Raises Forbidden, TooMany."""
    what = f"present {_folded(name)}"
    with home.database.write() as db:
        wait = sign_ins.attempt(db, Limit(what, *HERE))
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
