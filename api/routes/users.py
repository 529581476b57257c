"""Users: who may use Atlas, as what; and the roles there are."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool
from sqlalchemy.orm import Session

from api import answers
from api.asked import AfterName, Limit
from api.deps import Caller, HomeDep, needs
from api.slow import hashing
from core.errors import BadInput
from engine.access import passwords, sign_in
from engine.store import access
from engine.store.tables import User

router = APIRouter(prefix="/api/v1", tags=["access"])

Role = Literal["viewer", "operator", "steward", "dpo", "admin"]
Name = Annotated[str, Field(min_length=1, max_length=64)]
UserName = Annotated[str, Path(min_length=1, max_length=64, description="The name of a user.")]
Owners = Annotated[list[Name], Field(max_length=100, description="Owners of datasets, as pipeline files name them.")]
ANNA: dict[str, Any] = {"user": "anna", "role": "steward", "active": True, "owns": ["crm-team"], "password": True,
        "created_at": "2026-11-23T06:00:00Z"}  # fmt: skip


class NewUser(BaseModel):
    """Somebody to let in."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"user": "anna", "role": "steward"}]})

    user: Name
    role: Role = "viewer"
    owns: Owners = []


class UserChange(BaseModel):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"role": "dpo"}, {"active": False}], "minProperties": 1}
    )

    role: Role | None = None
    active: StrictBool | None = None
    owns: Owners | None = None


class Password(BaseModel):
    """A new password: 12 to 256 characters. One's own needs the present one too."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"password": "a long sentence of yours"}]}
    )

    password: SecretStr = Field(max_length=256, json_schema_extra={"minLength": passwords.SHORTEST})
    present: SecretStr | None = Field(None, max_length=256)


class UserAnswer(BaseModel):
    """A user. A password is never shown, only whether there is one."""

    model_config = ConfigDict(json_schema_extra={"examples": [ANNA]})

    user: str
    role: Role
    active: bool
    owns: list[str]
    password: bool
    created_at: datetime


class TokenLeft(BaseModel):
    """A token that stays good."""

    id: int
    name: str
    expires_at: datetime


LEFT: dict[str, Any] = {"id": 7, "name": "nightly", "expires_at": "2027-11-23T06:00:00Z"}


class TokensLeft(BaseModel):
    """The tokens of a user that do not go back to a sign-in, and so stay good: DELETE /tokens/ID ends one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tokens": [LEFT]}]})

    tokens: list[TokenLeft]


class ChangedUser(UserAnswer, TokensLeft):
    """A user as changed, with what they still have: tokens that are good, and roles on datasets."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**ANNA, "tokens": [LEFT], "grants": {"customers": "operator"}}]}
    )

    grants: dict[str, str] = Field(description="Dataset and role: DELETE /datasets/NAME/grants/USER ends one.")


class Users(BaseModel):
    """A page of users, by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ANNA], "next": None}]})

    items: list[UserAnswer]
    next: str | None = Field(description="The `after` of the next page.")


class RoleAnswer(BaseModel):
    """A role and what it may do."""

    role: Role
    rights: list[str]


class Roles(BaseModel):
    """All roles."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"role": "viewer", "rights": ["read:runs"]}], "next": None}]}
    )

    items: list[RoleAnswer]
    next: None = None


@router.get("/roles")
def list_roles(_: Annotated[Caller, needs()]) -> Roles:
    """The roles there are and what each may do."""
    return Roles(items=[RoleAnswer(role=role, rights=sorted(access.rights(role))) for role in access.ROLES])


@router.get("/users")
def list_users(
    home: HomeDep,
    _: Annotated[Caller, needs("admin")],
    limit: Limit = 50,
    after: AfterName = None,
) -> Users:
    """Everybody who may use Atlas, and who no longer may."""
    with home.database.read() as db:
        page = access.users(db, after, limit)
    return Users(items=answers.each("users", page, _answer), next=page[-1].name if len(page) == limit else None)


@router.post("/users", status_code=201)
def add_user(wanted: NewUser, home: HomeDep, caller: Annotated[Caller, needs("admin")]) -> UserAnswer:
    """Let somebody in. They sign in once they have a password, or use tokens.

    A token with scopes gives nobody a right that it does not have itself.
    """
    caller.may_give(access.rights(wanted.role) | (access.OWNER if wanted.owns else frozenset()))
    with home.database.write() as db:
        row = access.add_user(db, wanted.user, wanted.role, owns=wanted.owns)
        caller.did(db, "user.add", f"user {row.name}: {row.role}")
        return _answer(row)


@router.get("/users/{user}")
def get_user(user: UserName, home: HomeDep, caller: Annotated[Caller, needs()]) -> UserAnswer:
    """A user: oneself, or anybody for an administrator."""
    if user != caller.name:
        caller.needs("admin")
    with home.database.read() as db:
        return _answer(access.user(db, user))


@router.patch("/users/{user}")
def change_user(
    user: UserName, wanted: UserChange, home: HomeDep, caller: Annotated[Caller, needs("admin")]
) -> ChangedUser:
    """Another role, other datasets, or the end of a user. Whoever's role changes has to sign in again.

    Tokens that were made from their sign-ins end. A token with scopes gives nobody a right it does not have itself.
    """
    if not wanted.model_fields_set:
        raise BadInput("Nothing is to be changed.", hint="Send role, active or owns.")
    with home.database.write() as db:
        row = access.user(db, user)
        before, owned = access.rights_of(db, row) if row.active else frozenset(), set(row.owns)
        was = row.role, row.active, row.owns
        access.change(db, user, role=wanted.role, active=wanted.active, owns=wanted.owns)
        if row.active:
            new = access.OWNER if set(row.owns) - owned else frozenset()
            caller.may_give(new | (access.rights_of(db, row) - before))
        changed = was != (row.role, row.active, row.owns)
        caller.did(db, "user.change", f"user {row.name}: {row.role}{'' if row.active else ', ended'}", changed=changed)
        grants = access.grants_of(db, row.id)
        return ChangedUser(**_answer(row).model_dump(), tokens=_left(db, row), grants=grants)


@router.put(
    "/users/{user}/password", status_code=204, response_class=Response,
    responses={200: {"model": TokensLeft, "description": "Done, and these tokens of the user stay good."}},
)  # fmt: skip
@hashing
def set_password(user: UserName, wanted: Password, home: HomeDep, caller: Annotated[Caller, needs()]) -> Response:
    """Another password; every sign-in of this user ends, with the tokens made from it.

    Tokens that were made on the server stay good; if there are any, the answer is 200 and lists them.
    """
    caller.unlimited()
    own = user == caller.name
    if not own:
        caller.needs("admin")
    with home.database.read() as db:
        row = access.user(db, user)
    if own and row.password is not None:
        sign_in.present(home, user, wanted.present.get_secret_value() if wanted.present else "", row.password)
    hashed = passwords.hashed(wanted.password.get_secret_value(), user)
    with home.database.write() as db:
        row = access.user(db, user)
        access.set_password(db, row, hashed)
        left = _left(db, row)
        caller.did(db, "user.password", f"user {user}", secret=True)
    if left:
        return JSONResponse(TokensLeft(tokens=left).model_dump(mode="json"))
    return Response(status_code=204)


def _left(db: Session, row: User) -> list[TokenLeft]:
    return [TokenLeft(id=t.id, name=t.name, expires_at=t.expires_at) for t, _ in access.tokens(db, row.id)]


def _answer(row: User) -> UserAnswer:
    return UserAnswer(
        user=row.name, role=row.role, active=row.active, owns=row.owns, password=row.password is not None,
        created_at=row.created_at,
    )  # fmt: skip
