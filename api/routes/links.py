"""Links: who the people of a chat platform are here."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.asked import After, AllUsers, Limit
from api.deps import Caller, HomeDep, needs
from core.errors import Refused
from engine.store import access, links
from engine.store.links import Identity
from engine.store.tables import Link

router = APIRouter(prefix="/api/v1/links", tags=["access"])

SHOWN: dict[str, Any] = {"id": 3, "platform": "slack", "tenant": "T024BE7LD", "person": "U2147483697", "user": "anna",
         "linked_by": "anna", "linked_at": "2026-11-23T06:00:00Z"}  # fmt: skip


class NewLink(BaseModel):
    """A person on a platform, and who they are here."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{k: SHOWN[k] for k in ("platform", "tenant", "person", "user")}]},
    )

    platform: str = Field(pattern=r"^[a-z]{1,20}$")
    tenant: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    person: str = Field(pattern=r"^[A-Za-z0-9._:@|-]{1,100}$")
    user: str = Field(min_length=1, max_length=64)


class Code(BaseModel):
    """A code that was told in a chat."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"code": "K7MPQ-3XWRT"}]})

    code: str = Field(min_length=10, max_length=20)


class CodeAnswer(Code):
    """A code for one confirmation, and how long it is good for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "K7MPQ-3XWRT", "seconds": 600}]})

    seconds: int


class LinkAnswer(BaseModel):
    """A link."""

    model_config = ConfigDict(json_schema_extra={"examples": [SHOWN]})

    id: int
    platform: str
    tenant: str
    person: str
    user: str
    linked_by: str
    linked_at: datetime


class Links(BaseModel):
    """A page of links, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [SHOWN], "next": None}]})

    items: list[LinkAnswer]
    next: int | None = Field(description="The `after` of the next page.")


@router.get("")
def list_links(
    home: HomeDep,
    caller: Annotated[Caller, needs()],
    all_users: AllUsers = False,
    limit: Limit = 50,
    after: After = None,
) -> Links:
    """Where one is known under which identity."""
    if not caller.may("admin"):
        caller.unlimited()
    with home.database.read() as db:
        page = links.links(db, caller.whose(everybody=all_users), after or 0, limit)
    return Links(items=[_answer(*row) for row in page], next=page[-1][0].id if len(page) == limit else None)


@router.post("/codes", status_code=201)
def ask_for_a_code(home: HomeDep, caller: Annotated[Caller, needs()]) -> CodeAnswer:
    """A one-time code for the person a bot speaks for; whoever confirms it is that person from then on."""
    if caller.identity is None:
        raise Refused("There is nobody to link: no bot speaks for you here.", hint="Say link in Slack or Teams.")
    with home.database.write() as db:
        code = links.code(db, caller.identity)
        caller.did(db, "link.ask", str(caller.identity), secret=True)
    return CodeAnswer(code=code, seconds=int(links.LASTS.total_seconds()))


@router.post("/confirm", status_code=201)
def confirm_link(wanted: Code, home: HomeDep, caller: Annotated[Caller, needs()]) -> LinkAnswer:
    """Say that a code is one's own: the identity that asked for it is linked to the caller."""
    caller.unlimited()
    with home.database.write() as db:
        user = access.user(db, caller.name)
        row = links.confirm(db, wanted.code, user)
        caller.did(db, "link.confirm", f"{_identity(row)} is {user.name}")
        return _answer(row, user.name)


@router.post("", status_code=201)
def add_link(wanted: NewLink, home: HomeDep, caller: Annotated[Caller, needs("admin")]) -> LinkAnswer:
    """Say who somebody on a platform is, without a code."""
    caller.unlimited()
    with home.database.write() as db:
        user = access.user(db, wanted.user)
        if not user.active:
            raise Refused(f"`{user.name}` may no longer use Atlas.")
        who = Identity(wanted.platform, wanted.tenant, wanted.person)
        new = who not in links.identities(db, user.id)
        row = links.link(db, who, user, caller.name)
        caller.did(db, "link.add", f"{_identity(row)} is {user.name}", changed=new)
        return _answer(row, user.name)


@router.delete("/{id:int}", status_code=204)
def end_link(
    number: Annotated[int, Path(alias="id", ge=1, le=2**31 - 1)],
    home: HomeDep,
    caller: Annotated[Caller, needs()],
) -> None:
    """Take a link away: one's own, or anybody's for an administrator."""
    if not caller.may("admin"):
        caller.unlimited()
    with home.database.write() as db:
        who = links.unlink(db, number, caller.whose(everybody=caller.may("admin")))
        caller.did(db, "link.end", str(who))


def _identity(row: Link) -> Identity:
    return Identity(row.platform, row.tenant, row.person)


def _answer(row: Link, user: str) -> LinkAnswer:
    return LinkAnswer(
        id=row.id, platform=row.platform, tenant=row.tenant, person=row.person, user=user, linked_by=row.linked_by,
        linked_at=row.linked_at,
    )  # fmt: skip
