"""Schedules: when pipelines run by themselves."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api import answers
from api.asked import AfterName, Limit, Name
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from core import cron
from engine import catalog
from engine.runs import schedules
from engine.store import clock
from engine.store import schedules as rows

router = APIRouter(prefix="/api/v1/schedules", tags=["schedules"])

SHOWN: dict[str, Any] = {
    "pipeline": "customers", "cron": "0 6 * * *", "timezone": "Europe/Copenhagen", "in_file": False, "set_by": "kim",
    "next_at": "2026-03-03T05:00:00.000Z", "last_at": "2026-03-02T05:00:00.000Z", "run": 12, "note": None, "mind": [],
}  # fmt: skip


class Wanted(BaseModel):
    """When a pipeline is to run."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"cron": "0 6 * * *"}]})

    cron: str = Field(min_length=9, max_length=255, description="Five fields as cron writes them.")


class Schedule(BaseModel):
    """When a pipeline runs by itself, and which run it started or joined the last time.

    `in_file`: it is written in the pipeline's file and changes only there. `note` says what was unusual about the last
    time, `mind` what one may not expect of the times.
    """

    model_config = answers.example(**SHOWN)

    pipeline: str
    cron: str
    timezone: str
    in_file: bool
    set_by: str | None
    next_at: answers.Time
    last_at: answers.Time | None
    run: int | None
    note: str | None
    mind: list[str]


class Schedules(BaseModel):
    """A page of schedules, by pipeline."""

    model_config = answers.example(items=[SHOWN], next=None)

    items: list[Schedule]
    next: str | None


@router.get("")
@slow
def list_schedules(
    home: HomeDep,
    caller: Annotated[Caller, needs("read:runs", somewhere=True)],
    limit: Limit = 50,
    after: AfterName = None,
) -> Schedules:
    """Every schedule, of pipeline files and of the chat, by pipeline."""
    with home.database.read() as db:
        now = clock.now(db)
    found = schedules.listed(home, caller.where("read:runs"), after, now)
    page, last = answers.cut(list(islice(found, limit + 1)), limit)
    return Schedules(items=[_told(plan, now) for plan in page], next=last.pipeline if last else None)


@router.put("/{name}")
def set_schedule(name: Name, wanted: Wanted, home: HomeDep, caller: Annotated[Caller, needs("run")]) -> Schedule:
    """Run a pipeline by itself, at these times instead of any before."""
    found = catalog.pipeline(home.settings.pipelines, name)
    with home.database.write() as db:
        now = clock.now(db)
        before = rows.of(db, [name]).get(name)
        was = before and (before.cron, before.timezone, before.set_by)
        plan = schedules.put(home, db, found, wanted.cron, caller.name, now)
        changed = was != (plan.cron, plan.timezone, plan.set_by)
        caller.did(db, "schedule.set", f"pipeline {name}", changed=changed)
    return _told(plan, now)


@router.delete("/{name}", status_code=204)
def remove_schedule(name: Name, home: HomeDep, caller: Annotated[Caller, needs("run")]) -> None:
    """End the schedule of a pipeline; a run that is under way goes on."""
    with home.database.write() as db:
        schedules.remove(home, db, name)
        caller.did(db, "schedule.remove", f"pipeline {name}")


def _told(plan: schedules.Planned, now: datetime) -> Schedule:
    return Schedule(
        pipeline=plan.pipeline,
        cron=plan.cron,
        timezone=plan.timezone,
        in_file=plan.set_by is None,
        set_by=plan.set_by,
        next_at=answers.time(plan.next_at),
        last_at=answers.time(plan.last_at) if plan.last_at else None,
        run=plan.run,
        note=plan.note,
        mind=cron.oddities(plan.cron, ZoneInfo(plan.timezone), now),
    )
