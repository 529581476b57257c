"""Alerts: what is wrong, and what somebody does about it."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api import answers
from api.asked import After, Limit, Word
from api.deps import Caller, HomeDep, needs
from core.errors import Refused
from engine.alerts import people
from engine.home import Home
from engine.store import alerts
from engine.store import tables as stored

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of an alert.")]
Handler = Annotated[Caller, needs("handle:alerts", somewhere=True)]


class Snooze(BaseModel):
    """For how long."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"minutes": 120}]})

    minutes: int = Field(ge=1, le=30 * 24 * 60)


class Assignee(BaseModel):
    """Who is to see to it: a user, or in a chat the platform's id of a person."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"user": "kim"}]})

    user: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")


class Alerts(BaseModel):
    """A page of alerts."""

    model_config = answers.example(items=[answers.ALERT], next=None)

    items: list[answers.Alert]
    next: int | None


@router.get("")
def list_alerts(
    home: HomeDep,
    caller: Annotated[Caller, needs("read:quality", somewhere=True)],
    dataset: Word | None = None,
    state: answers.AlertState | None = None,
    live: Annotated[bool, Query(description="Only those that have not ended.")] = False,
    limit: Limit = 50,
    after: After = None,
) -> Alerts:
    """Alerts, newest first; `next` is the `after` of the next page."""
    among = caller.where("read:quality")
    with home.database.read() as db:
        found = alerts.listed(
            db, among=among, dataset=dataset, state=state, live=live, before=after, limit=limit + 1
        )  # fmt: skip
        page, last = answers.cut(found, limit)
        return Alerts(items=answers.told_alerts(db, page, among), next=last.id if last else None)


@router.get("/{alert}")
def get_alert(
    alert: Number, home: HomeDep, caller: Annotated[Caller, needs("read:quality", somewhere=True)]
) -> answers.Alert:
    """An alert by its number."""
    with home.database.read() as db:
        return _told(db, _seen(db, alert, caller), caller)


@router.post("/{alert}/ack")
def acknowledge_alert(alert: Number, home: HomeDep, caller: Handler) -> answers.Alert:
    """Say that one has seen it."""
    return _done(home, alert, caller, "alert.ack", lambda db: people.acknowledge(db, alert, caller.name))


@router.post("/{alert}/snooze")
def snooze_alert(alert: Number, wanted: Snooze, home: HomeDep, caller: Handler) -> answers.Alert:
    """Have it quiet for a while; then it returns."""
    return _done(home, alert, caller, "alert.snooze", lambda db: people.snooze(db, alert, wanted.minutes, caller.name))


@router.post("/{alert}/assign")
def assign_alert(alert: Number, wanted: Assignee, home: HomeDep, caller: Handler) -> answers.Alert:
    """Make somebody responsible for an alert."""
    return _done(
        home, alert, caller, "alert.assign",
        lambda db: people.assign(db, alert, people.named(db, wanted.user, caller.identity), caller.name),
    )  # fmt: skip


@router.post("/{alert}/resolve")
def resolve_alert(alert: Number, home: HomeDep, caller: Handler) -> answers.Alert:
    """Say that it is over; a run that shows it again opens it again."""
    return _done(home, alert, caller, "alert.resolve", lambda db: people.resolve(db, alert, caller.name))


def _seen(db: Session, number: int, caller: Caller) -> stored.Alert:
    """An alert that the caller may see. Raises NotFound, also for one of which they may not know."""
    row = alerts.get(db, number)
    if not caller.may("read:quality", row.dataset):
        raise alerts.unknown(number)
    return row


def _done(
    home: Home, number: int, caller: Caller, action: str, does: Callable[[Session], stored.Alert]
) -> answers.Alert:
    with home.database.write() as db:
        seen = _seen(db, number, caller)
        caller.needs("handle:alerts", seen.dataset)
        was = _standing(seen)
        row = does(db)
        told = _told(db, row, caller)
        caller.did(db, action, f"alert {number}", changed=_standing(row) != was)
    return told


def _standing(row: stored.Alert) -> tuple[object, ...]:
    return row.state, row.snoozed_until, row.assignee, row.changed_by


def _told(db: Session, row: stored.Alert, caller: Caller) -> answers.Alert:
    told = answers.told_alerts(db, [row], caller.where("read:quality"))
    if not told:
        raise Refused(f"Alert `#{row.id}` is not shown: what is kept about it cannot be read.")
    return told[0]
