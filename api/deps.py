"""What a route may ask for, as types: the home, a wake-up call, a caller with a right."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Security
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryInfo
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api import objects, on_behalf
from api.idempotency import Asked
from api.limits import limit_caller
from api.problems import Replay
from core.errors import BadInput, Forbidden, Refused, Unauthenticated
from engine import catalog
from engine.access.signing import SigningKeys
from engine.home import Home
from engine.store import access, audit, idempotent, links, runs, sign_ins
from engine.store.audit import Act
from engine.store.links import Identity
from engine.store.tables import User

_bearer = HTTPBearer(
    auto_error=False,
    description="An access token of a sign-in, or: atlas token USER. "
    "A bot also sends `Atlas-On-Behalf-Of: platform:tenant:person`.",
)
IDENTITY = r"^([a-z]{1,20}):([A-Za-z0-9._-]{1,100}):([A-Za-z0-9._:@|-]{1,100})$"  # platform:tenant:person
_identity = re.compile(IDENTITY)

ON_BEHALF = "Atlas-On-Behalf-Of"  # the header with which a bot says whom it speaks for


@dataclass(frozen=True)
class Caller:
    """Who is calling, as the database knows them now, and what they may do."""

    home: Home
    user: int | None  # None = somebody in a chat whom nobody here knows
    name: str
    role: str
    through: str
    principal: str  # whose idempotency keys these are
    rights: frozenset[str] = frozenset()  # by role, as far as the token's scopes let them
    on: Mapping[str, frozenset[str]] = field(default_factory=dict)  # dataset -> rights granted there
    owns: frozenset[str] = frozenset()  # owners whose datasets are this person's
    scopes: frozenset[str] | None = None  # rights the token is limited to
    only: frozenset[str] | None = None  # datasets the token is limited to
    ends: datetime | None = None  # when the token ends, if the caller has one
    sign_in: int | None = None
    token: int | None = None  # its number, if it is one
    identity: Identity | None = None  # whom a bot speaks for
    request_id: str | None = None
    asked: Asked | None = None

    def may(self, right: str, dataset: str | None = None) -> bool:
        """Whether the caller has a right on one dataset; without one, on all there are."""
        if self.only is not None and dataset not in self.only:
            return False
        return right in self.rights or (dataset is not None and self._has(right, dataset))

    def needs(self, right: str, dataset: str | None = None) -> None:
        """Raises Forbidden, saying who may."""
        if not self.may(right, dataset):
            raise self.forbidden(right, dataset)

    def needs_somewhere(self, right: str) -> None:
        """Raises Forbidden if there is no dataset on which the caller has a right."""
        if right not in self.somewhere:
            raise self.forbidden(right, None)

    @property
    def counted(self) -> str:
        """Whose limits a request counts for: with every new token a person would have new ones."""
        return self.principal if self.user is None else f"user:{self.user}"

    @property
    def everywhere(self) -> frozenset[str]:
        """The rights held on all datasets."""
        return self.rights if self.only is None else frozenset()

    @property
    def somewhere(self) -> frozenset[str]:
        """The rights held on any dataset."""
        return self.rights.union(*self.on.values(), self._owners() if self.owns else ())

    def where(self, right: str) -> set[str] | None:
        """The datasets on which the caller has a right; None = on all."""
        if right in self.rights:
            return None if self.only is None else set(self.only)
        found = {dataset for dataset, held in self.on.items() if right in held}
        if self.owns and right in self._owners():
            with self.home.database.read() as db:
                found |= access.owned(db, self.owns)
        return found if self.only is None else found & self.only

    def whose(self, *, everybody: bool) -> int | None:
        """The user whose things are shown, 0 = nobody's; None = everybody's, for an administrator alone.

        Raises Forbidden.
        """
        if everybody:
            self.needs("admin")
            return None
        return self.user or 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of who this is and what they may do: an answer is given again to the same alone."""
        on = sorted((dataset, sorted(held)) for dataset, held in self.on.items())
        may = [self.user, self.role, sorted(self.rights), on, sorted(self.owns), sorted(self.only or ())]
        return hashlib.sha256(json.dumps(may).encode()).hexdigest()

    @property
    def limited(self) -> bool:
        """Whether the caller uses a token that is limited to some rights or datasets."""
        return self.scopes is not None or self.only is not None

    def unlimited(self) -> None:
        """Raises Forbidden for a token with limits: a password or an identity would give all that its user may."""
        if self.limited:
            raise Forbidden("A token with limits may not do this.", hint="Sign in, or use a token without limits.")

    def may_give(self, rights: Iterable[str]) -> None:
        """Raises Forbidden if a token would give somebody a right that is not among its own scopes."""
        if self.scopes is not None and (beyond := set(rights) - self.scopes):
            raise Forbidden(f"A token cannot give `{min(beyond)[:40]}`, which it does not have.")

    def did(self, db: Session, action: str, about: str, *, secret: bool = False, changed: bool = True) -> None:
        """The audit row of a write, as the last thing of its transaction; what `changed` nothing has none.

        A `secret` answer is not kept for a key.
        """
        if self.asked is not None:
            try:
                idempotent.done(db, self.principal, self.asked.key, self.asked.request)
            except IntegrityError as error:
                raise Refused("The same is being done right now.", hint="Ask again in a moment.") from error
            self.asked.to_keep = None if secret else (self.home, self.principal)
        if changed:
            audit.append(db, self.act, action, about)

    def saw(self, action: str, about: str) -> None:
        """The audit row of a reading, before it is answered."""
        with self.home.database.write() as db:
            audit.append(db, self.act, action, about)

    def refused(self, request: Request, code: str) -> None:
        """The audit row of what was not done or not shown."""
        asked = f"{request.method} {request.scope['route'].path_format}"
        with self.home.database.write() as db:
            audit.refuse(db, self.act, asked, objects.about(db, request), code)

    @property
    def act(self) -> Act:
        return Act(self.name if self.user is not None else None, self.through, self.request_id)

    def _has(self, right: str, dataset: str) -> bool:
        if right in self.on.get(dataset, ()):
            return True
        if not self.owns or right not in self._owners():
            return False
        owner = catalog.owner(self.home, dataset)
        return bool(owner) and owner in self.owns

    def _owners(self) -> frozenset[str]:
        return access.OWNER if self.scopes is None else access.OWNER & self.scopes

    def forbidden(self, right: str, dataset: str | None) -> Forbidden:
        if self.user is None:
            return Forbidden("Nobody here knows you yet.", hint="link")
        where = f" on `{dataset}`" if dataset else ""
        if self.scopes is not None and right not in self.scopes:
            return Forbidden(f"This token may not do that{where}.", hint=f"It lacks the scope {right}.")
        if self.only is not None and dataset not in self.only:
            return Forbidden(f"This token may not do that{where}.", hint="It is limited to some datasets.")
        may = " or ".join(role for role in access.ROLES if right in access.rights(role))
        owner = ", or an owner of the dataset" if dataset and right in access.OWNER else ""
        return Forbidden(f"You may not do this{where}: it needs the role {may}{owner}; you are {self.role}.")


# async, though they wait for nothing: else each would cost a change of threads


async def _home(request: Request) -> Home:
    home: Home = request.app.state.home
    return home


async def _wake(request: Request) -> Callable[[], None]:
    wake: Callable[[], None] = request.app.state.wake
    return wake


async def _keys(request: Request) -> SigningKeys:
    keys: SigningKeys = request.app.state.keys
    return keys


Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of a run.")]
HomeDep = Annotated[Home, Depends(_home)]
WakeDep = Annotated[Callable[[], None], Depends(_wake)]
KeysDep = Annotated[SigningKeys, Depends(_keys)]


def request_id(request: Request) -> str | None:
    """The id that all log lines, problems and audit rows of a request share."""
    found: str | None = getattr(request.state, "request_id", None)
    return found


def address(request: Request) -> str:
    """Where a request came from."""
    return request.client.host if request.client else "unknown"


def _calling(*, somewhere: bool = False, for_many: bool = False) -> Callable[..., Caller]:
    def caller(
        needed: SecurityScopes,
        request: Request,
        home: HomeDep,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        if given is None:
            raise no_token()
        with home.database.read() as db:
            found = _who(db, request, home, given.credentials)
            request.state.caller = found  # a bot that may not speak for others is in the audit log too
            if (said := request.headers.get(ON_BEHALF)) is not None:
                request.state.caller = found = _spoken_for(db, found, said)
            _only_known_parameters(request)
            if not for_many:
                limit_caller(request, found.counted)
            if found.identity is not None:
                on_behalf.must_be_listed(request.method, request.scope["route"].path_format)
            dataset = None if somewhere else _dataset(db, request)
            for right in needed.scopes:
                if somewhere:
                    found.needs_somewhere(right)
                elif not found.may(right, dataset):  # whose run a number is, is not told
                    raise found.forbidden(right, request.path_params.get("name"))
            if found.asked is not None:
                found.asked.request += f" {found.fingerprint}"
                answered = idempotent.answered(db, found.principal, found.asked.key, found.asked.request)
                if answered is not None:
                    raise Replay(*answered)
        return found

    return caller


_on_the_dataset, _somewhere, _for_many = _calling(), _calling(somewhere=True), _calling(for_many=True)


def needs(*rights: str, somewhere: bool = False, for_many: bool = False) -> Any:
    """The caller as a route's argument, if they have these rights; the rights show in the OpenAPI document.

    They must be held on the dataset, model or pipeline `{name}`, or the run `{number}`, of the path; on all where it
    has none. With `somewhere` it is enough to hold them on any, and the route asks `caller.needs` or `caller.where`.
    With `for_many` a bot brings what many people said, and the route counts it as theirs.
    """
    return Security(_for_many if for_many else _somewhere if somewhere else _on_the_dataset, scopes=list(rights))


def no_token() -> Unauthenticated:
    return Unauthenticated("No token was sent.", hint="Send `Authorization: Bearer …`. Make one: atlas token USER")


def must_be_known(request: Request) -> None:
    """Raises Unauthenticated unless the token of a request is good."""
    kind, _, credentials = request.headers["Authorization"].partition(" ")
    if kind.lower() != "bearer" or not credentials:
        raise no_token()
    home: Home = request.app.state.home
    with home.database.read() as db:
        _who(db, request, home, credentials.strip())


def _who(db: Session, request: Request, home: Home, credentials: str) -> Caller:
    """Whose token it is. Raises Unauthenticated, the same for every cause."""
    asked: Asked | None = getattr(request.state, "asked", None)
    if credentials.startswith("atlas_"):
        held = access.bearer(db, credentials)
        if held is not None:
            if held.stale:
                with home.database.write() as write:
                    access.token_used(write, held.id)
            limits = {"scopes": held.scopes, "only": held.datasets, "ends": held.expires_at, "token": held.id}
            return _caller(
                request,
                held.user,
                held.grants,
                f"token {held.id}",  # not its name, in which anything may stand
                f"token:{access.hashed(credentials)[:24]}",
                asked=asked,
                **limits,
            )
    elif (said := request.app.state.keys.verify(credentials)) is not None:
        signed = sign_ins.holder(db, said.sign_in)
        if signed is not None:
            user, ended, grants = signed
            if ended is None and user.active and user.id == said.user and user.generation == said.generation:
                principal = f"user:{user.id}"
                return _caller(request, user, grants, "sign-in", principal, asked=asked, sign_in=said.sign_in)
    raise Unauthenticated("This token is unknown or has ended.", hint="Make another: atlas token USER")


def _caller(request: Request, user: User, grants: dict[str, str], through: str, principal: str, **more: Any) -> Caller:
    """A user with what they may do now, as far as a token's scopes let them."""
    scopes = more.get("scopes")
    held = {"": user.role, **grants}
    let = access.ALL_RIGHTS if scopes is None else scopes
    rights = {dataset: access.rights(role) & let for dataset, role in held.items()}
    return Caller(
        request.app.state.home, user.id, user.name, user.role, through, principal, rights.pop(""), rights,
        frozenset(user.owns), request_id=request_id(request), **more,
    )  # fmt: skip


def _spoken_for(db: Session, bot: Caller, said: str) -> Caller:
    """The person whom a bot speaks for: their rights, never the bot's. Raises Forbidden, BadInput."""
    bot.needs("speak-for")
    match = _identity.fullmatch(said)
    if match is None:
        raise BadInput(f"`{ON_BEHALF}` is no identity.", hint="Write it as platform:tenant:person.")
    identity = Identity(*match.groups())
    person = links.user(db, identity)
    # the person's own limits and keys, whichever bot asks: after a restart it has another token
    nobody = replace(
        bot, user=None, name="", role="", through=str(identity), principal=str(identity),
        rights=frozenset(), on={}, owns=frozenset(), scopes=None, only=None, token=None, identity=identity,
    )  # fmt: skip
    if person is None:
        return nobody
    on = {dataset: access.rights(role) for dataset, role in access.grants_of(db, person.id).items()}
    return replace(
        nobody, user=person.id, name=person.name, role=person.role, rights=access.rights(person.role), on=on,
        owns=frozenset(person.owns),
    )  # fmt: skip


def still(request: Request, right: str, dataset: str) -> Caller:
    """Who is calling, as the database knows them by now. Raises Unauthenticated, Forbidden."""
    home: Home = request.app.state.home
    with home.database.read() as db:
        found = _who(db, request, home, request.headers["Authorization"].partition(" ")[2].strip())
        if (said := request.headers.get(ON_BEHALF)) is not None:
            found = _spoken_for(db, found, said)
    found.needs(right, dataset)
    return found


def _only_known_parameters(request: Request) -> None:
    """Raises BadInput for a query parameter that the route does not have: `?user=anna` would show everybody's."""
    if request.query_params:
        declared = get_flat_params(request.scope["route"].dependant)
        known = [parameter.alias for parameter in declared if isinstance(parameter.field_info, QueryInfo)]
        for name in request.query_params:
            if name not in known:
                close = get_close_matches(name, known, 1) or known
                hint = f"There is: {', '.join(close)}." if close else "This route has none."
                raise BadInput(f"There is no parameter `{name[:40]}` here.", hint=hint)


def _dataset(db: Session, request: Request) -> str | None:
    """The dataset, model or pipeline that a path is about."""
    path = request.path_params
    subject = path.get("number") or path.get("subject") or ""
    if subject.isascii() and subject.isdecimal() and len(subject) < 10:
        return runs.pipeline_of(db, int(subject))
    return path.get("name") or subject or None
