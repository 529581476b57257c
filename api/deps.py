"""What a route may ask for, as types: the home, a wake-up call, a caller with a right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from core.errors import Forbidden, Unauthenticated
from engine.home import Home
from engine.store import access

_bearer = HTTPBearer(auto_error=False, description="atlas token USER")


@dataclass(frozen=True)
class Caller:
    """Who is calling, as the database knows them now."""

    name: str
    role: str
    rights: frozenset[str]


def _home(request: Request) -> Home:
    home: Home = request.app.state.home
    return home


def _wake(request: Request) -> Callable[[], None]:
    wake: Callable[[], None] = request.app.state.wake
    return wake


Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of a run.")]
HomeDep = Annotated[Home, Depends(_home)]
WakeDep = Annotated[Callable[[], None], Depends(_wake)]


def caller(
    needed: SecurityScopes, home: HomeDep, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """The caller, if they have the rights that the route declares. Raises Unauthenticated, Forbidden."""
    if given is None:
        raise Unauthenticated("No token was sent.", hint="Send `Authorization: Bearer …`. Make one: atlas token USER")
    with home.database.read() as db:
        user = access.bearer(db, given.credentials)
    if user is None:
        raise Unauthenticated("This token is unknown or has ended.", hint="Make another: atlas token USER")
    rights = access.rights(user.role)
    for right in needed.scopes:
        if right not in rights:
            may = " or ".join(role for role in access.ROLES if right in access.rights(role))
            raise Forbidden(f"You may not do this: it needs the role {may}, you are {user.role}.")
    return Caller(user.name, user.role, rights)


def needs(*rights: str) -> Any:
    """The caller as a route's argument; the rights show in the OpenAPI document."""
    return Security(caller, scopes=list(rights))
