"""Notices: messages about alerts that a bot is to send or edit, and what came of them."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from api import answers
from api.deps import Caller, HomeDep, needs
from engine.home import Home
from engine.store import alerts, clock, facts, notices

router = APIRouter(prefix="/api/v1/notices", tags=["alerts"])

LOOK_EVERY = 0.5  # seconds between two looks while a bot waits

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of a notice.")]
Bot = Annotated[Caller, needs("speak-for")]
TAKEN: dict[str, Any] = {
    "notice": 7, "token": 1, "platform": "slack", "tenant": "T024BE7LD", "target": "C024BE91L", "ref": None,
    "key": "9f1c2ab34d5e-7-0", "seconds": 30.0, "alert": answers.ALERT,
}  # fmt: skip


class Wanted(BaseModel):
    """The platforms a bot has."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"platforms": ["slack"]}]})

    platforms: list[Annotated[str, Field(pattern=r"^[a-z]{1,20}$")]] = Field(min_length=1, max_length=20)
    limit: int = Field(10, ge=1, le=50)


class Taken(BaseModel):
    """A message to be sent to a channel or person, or to be edited if it has a `ref`.

    `key` is the same at every try, so that a platform can find what was posted already. Whoever says what came of it
    shows the `token`, within so many `seconds`: then another may take it.
    """

    model_config = answers.example(**TAKEN)

    notice: int
    token: int
    platform: str
    tenant: str
    target: str
    ref: str | None
    key: str
    seconds: float
    alert: answers.Alert


class Due(BaseModel):
    """What is to be sent."""

    model_config = answers.example(items=[TAKEN])

    items: list[Taken]


class Sent(BaseModel):
    """A message that shows a revision of its alert, and what the platform calls it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"token": 1, "ref": '{"ts": "1.2"}', "revision": 4}]}
    )

    token: int = Field(ge=1, le=2**31 - 1)
    ref: str = Field(min_length=1, max_length=4000)
    revision: int = Field(ge=1, le=2**31 - 1)


class Failed(BaseModel):
    """Why a message could not be sent, as a code, and whether the same could work later."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"token": 1, "reason": "channel_not_found", "retry": False}]},
    )

    token: int = Field(ge=1, le=2**31 - 1)
    reason: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    retry: bool = Field(True, strict=True)


@router.post("/lease")
async def lease_notices(
    request: Request, wanted: Wanted, home: HomeDep, caller: Bot, wait: Annotated[float, Query(ge=0, le=30)] = 0
) -> Due:
    """Take what is due on some platforms, for a while; waits up to `wait` seconds until there is something."""
    end = time.monotonic() + wait
    with request.app.state.watching.one(caller.counted):
        while not await run_in_threadpool(_is_due, home, wanted) and time.monotonic() < end:
            await asyncio.sleep(LOOK_EVERY)
            if await request.is_disconnected():  # a bot that is gone must take nothing from the others
                return Due(items=[])
    return await run_in_threadpool(_lease, home, wanted)


@router.post("/{notice}/sent", status_code=204)
def notice_was_sent(notice: Number, told: Sent, home: HomeDep, caller: Bot) -> None:
    """A message was sent or edited."""
    with home.database.write() as db:
        notices.sent(db, notice, told.token, told.ref, told.revision, clock.now(db))
        caller.did(db, "notice.sent", f"notice {notice}")


@router.post("/{notice}/failed", status_code=204)
def notice_has_failed(notice: Number, told: Failed, home: HomeDep, caller: Bot) -> None:
    """A message could not be sent: it is kept, and tried again."""
    with home.database.write() as db:
        notices.failed(db, notice, told.token, told.reason, told.retry, clock.now(db))
        caller.did(db, "notice.failed", f"notice {notice}: {told.reason}")


def _is_due(home: Home, wanted: Wanted) -> bool:
    with home.database.read() as db:
        return notices.has_due(db, wanted.platforms, clock.now(db))


def _lease(home: Home, wanted: Wanted) -> Due:
    if not _is_due(home, wanted):
        return Due(items=[])
    seconds = home.settings.lease_seconds
    with home.database.write() as db:
        taken = notices.lease(db, wanted.platforms, clock.now(db), seconds, wanted.limit)
        installation, items = facts.installation(db), []
        for row in taken:
            platform, tenant, target = str(row.ways[row.way]).split(":", 2)
            told = answers.told_alerts(db, [alerts.get(db, row.alert_id)], None)[0]
            key = f"{installation[:12]}-{row.id}-{row.way}"
            items.append(
                Taken(notice=row.id, token=row.token, platform=platform, tenant=tenant, target=target, ref=row.ref,
                      key=key, seconds=seconds, alert=told)
            )  # fmt: skip
    return Due(items=items)
