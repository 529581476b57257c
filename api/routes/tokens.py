"""Tokens for scripts and bots: limited to rights and datasets, with an end, shown once."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.asked import After, AllUsers, Limit
from api.deps import Caller, HomeDep, needs
from core.errors import Forbidden
from engine.store import access
from engine.store.tables import Token

router = APIRouter(prefix="/api/v1/tokens", tags=["access"])

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
LONGEST = 366 * 24 * 3600
Words = Annotated[str, Field(min_length=1, max_length=255)]
SHOWN: dict[str, Any] = {"id": 7, "name": "nightly", "user": "anna", "scopes": ["run"], "datasets": ["customers"],
         "created_by": "anna", "made_from": "sign-in", "created_at": "2026-11-23T06:00:00Z",
         "expires_at": "2027-11-23T06:00:00Z", "last_used_at": None}  # fmt: skip


class NewToken(BaseModel):
    """A token to make. It never may more than who makes it, nor more than its user's role at the time of each call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "nightly", "scopes": ["run", "read:runs"], "datasets": ["customers"]}]
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE, description="What it is for.")]
    user: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Whose it is: oneself, or anybody's for an administrator."
    )
    scopes: Annotated[list[Words], Field(max_length=50)] | None = Field(
        None, description="Rights, see /roles; left out: all that the user has."
    )
    datasets: Annotated[list[Words], Field(max_length=200)] | None = Field(None, description="Left out: all.")
    seconds: int = Field(90 * 24 * 3600, ge=60, le=LONGEST, description="Until it ends.")


class TokenAnswer(BaseModel):
    """A token, without its value."""

    model_config = ConfigDict(json_schema_extra={"examples": [SHOWN]})

    id: int
    name: str
    user: str
    scopes: list[str] | None
    datasets: list[str] | None
    created_by: str
    made_from: str = Field(description="`server`, `sign-in`, or the token that made it, which ends it too.")
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class MadeToken(TokenAnswer):
    """A token with its value, which is never shown again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**SHOWN, "token": "atlas_…"}]})

    token: str


class Tokens(BaseModel):
    """A page of tokens, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [SHOWN], "next": None}]})

    items: list[TokenAnswer]
    next: int | None = Field(description="The `after` of the next page.")


@router.get("")
def list_tokens(
    home: HomeDep,
    caller: Annotated[Caller, needs()],
    all_users: AllUsers = False,
    limit: Limit = 50,
    after: After = None,
) -> Tokens:
    """One's tokens that have not ended; a token with limits sees only itself, unless it may administer."""
    only = caller.token if caller.limited and not caller.may("admin") else None
    with home.database.read() as db:
        page = access.tokens(db, caller.whose(everybody=all_users), after or 0, limit, only=only)
    return Tokens(
        items=[TokenAnswer(**_answer(row, user)) for row, user in page],
        next=page[-1][0].id if len(page) == limit else None,
    )


@router.post("", status_code=201)
def make_token(wanted: NewToken, home: HomeDep, caller: Annotated[Caller, needs()]) -> MadeToken:
    """Make a token; its value is in this answer and nowhere else.

    It ends with what it is made from: with the sign-ins of a user when their password, role or end ends these, or with
    the token that made it. A user has at most 20.
    """
    user = wanted.user or caller.name
    if user != caller.name:
        caller.needs("admin")
    scopes, datasets, ends = _within(caller, wanted)
    with home.database.write() as db:
        owner = access.user(db, user)
        if beyond := set(scopes or ()) - access.rights_of(db, owner):
            raise Forbidden(f"`{user}` does not have `{min(beyond)[:40]}`, so a token cannot give it.")
        seconds = int((ends - datetime.now(UTC)).total_seconds())  # rounded down: never later than `ends`
        value = access.issue(
            db, owner, seconds, name=wanted.name, scopes=scopes, datasets=datasets, by=caller.name,
            sign_in=caller.sign_in, made_from=caller.token,
        )  # fmt: skip
        row = access.token(db, value)
        caller.did(db, "token.make", f"token {row.id} of {user}", secret=True)
        return MadeToken(**_answer(row, user), token=value)


@router.delete("/{id:int}", status_code=204)
def end_token(
    number: Annotated[int, Path(alias="id", ge=1, le=2**31 - 1)],
    home: HomeDep,
    caller: Annotated[Caller, needs()],
) -> None:
    """End a token at once, and those made from it: one's own, or anybody's for an administrator."""
    if not caller.may("admin"):
        caller.unlimited()
    with home.database.write() as db:
        access.revoke(db, number, caller.whose(everybody=caller.may("admin")))
        caller.did(db, "token.end", f"token {number}")


def _within(caller: Caller, wanted: NewToken) -> tuple[list[str] | None, list[str] | None, datetime]:
    """Rights, datasets and end of a new token: never beyond the token that makes it. Raises Forbidden."""
    scopes, datasets = wanted.scopes, wanted.datasets
    if caller.scopes is not None:
        scopes = sorted(caller.scopes) if scopes is None else scopes
        caller.may_give(scopes)
    if caller.only is not None:
        datasets = sorted(caller.only) if datasets is None else datasets
        if beyond := set(datasets) - caller.only:
            raise Forbidden(f"A token cannot give `{min(beyond)[:40]}`, to which it is not let.")
    ends = datetime.now(UTC) + timedelta(seconds=wanted.seconds)
    return scopes, datasets, ends if caller.ends is None else min(ends, caller.ends)


def _answer(row: Token, user: str) -> dict[str, object]:
    made_from = f"token {row.made_from}" if row.made_from is not None else "sign-in" if row.sign_in_id else "server"
    return {
        "id": row.id, "name": row.name, "user": user, "scopes": row.scopes, "datasets": row.datasets,
        "created_by": row.created_by, "made_from": made_from, "created_at": row.created_at,
        "expires_at": row.expires_at, "last_used_at": row.last_used_at,
    }  # fmt: skip
