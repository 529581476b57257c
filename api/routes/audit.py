"""The audit log: who did or saw what."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.asked import After, Limit, Moment, Word
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from engine.store import audit

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

ROW: dict[str, Any] = {"number": 12, "at": "2026-11-23T06:00:00.000001Z", "who": "anna", "through": "sign-in",
       "action": "run.start", "about": "run 4", "result": "done", "request_id": "5f2b…", "hash": "9c41…"}  # fmt: skip


class Entry(BaseModel):
    """Who did or saw what, through what, and how it ended."""

    model_config = ConfigDict(json_schema_extra={"examples": [ROW]}, from_attributes=True)

    number: int
    at: datetime
    who: str | None
    through: str
    action: str
    about: str
    result: str
    request_id: str | None
    hash: str = Field(description="SHA-256 over this row and the hash of the row before.")


class Entries(BaseModel):
    """A page of the log, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ROW], "next": 12}]})

    items: list[Entry]
    next: int | None = Field(description="The `after` of the next page.")


class Wrong(BaseModel):
    """What is wrong with a row."""

    row: int
    what: str


class Verification(BaseModel):
    """Whether the chain holds. `end` is to be noted elsewhere: given as `expected` later, it must still be there."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"holds": True, "rows": 12, "end": "12:9c41…", "wrong": []}]}
    )

    holds: bool
    rows: int
    end: str
    wrong: list[Wrong]


@router.get("")
def list_entries(
    home: HomeDep,
    caller: Annotated[Caller, needs("read:audit")],
    who: Word | None = None,
    action: Word | None = None,
    about: Word | None = None,
    since: Annotated[Moment | None, Query(description="Then or later.")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Entries:
    """The audit log, newest first."""
    with home.database.read() as db:
        found = audit.entries(db, who=who, action=action, about=about, since=since, before=after, limit=limit)
        page = [Entry.model_validate(row) for row in found]
    caller.saw("audit.read", "the audit log")
    return Entries(items=page, next=page[-1].number if len(page) == limit else None)


@router.get("/verification")
@slow
def verify(
    home: HomeDep,
    _: Annotated[Caller, needs("read:audit")],
    expected: Annotated[str | None, Query(max_length=90, pattern=r"^\d{1,18}:[0-9a-f]{64}$")] = None,
) -> Verification:
    """Read the whole chain and say what was changed, is missing or stands in another order."""
    with home.database.read() as db:
        found = audit.verify(db, expected=expected)
    return Verification(
        holds=not found.wrong,
        rows=found.rows,
        end=found.end,
        wrong=[Wrong(row=row, what=what) for row, what in found.wrong[:100]],
    )
