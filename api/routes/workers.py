"""Workers: which processes work, and why others do not."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel

from api import answers
from api.deps import Caller, HomeDep, needs
from engine.store import processes

router = APIRouter(prefix="/api/v1/workers", tags=["workers"])

ROW: dict[str, Any] = {
    "does": "worker", "works": True, "why": None, "host": "atlas-1", "pid": 71, "version": "0.2.0",
    "since": "2026-03-02T05:00:00.000Z", "seen": "2026-03-02T06:00:00.000Z", "failing": ["sweep"],
}  # fmt: skip


class Worker(BaseModel):
    """A process that lives. `why` is the reason why it does no work; `failing` names its duties that fail.

    `does`: a worker works on runs, a scheduler fires schedules, a client only asks.
    """

    model_config = answers.example(**ROW)

    does: str
    works: bool
    why: str | None
    host: str
    pid: int
    version: str
    since: answers.Time
    seen: answers.Time
    failing: list[str]


class Workers(BaseModel):
    """All processes that were seen in the last minute."""

    model_config = answers.example(items=[ROW], next=None)

    items: list[Worker]
    next: None = None


@router.get("")
def list_workers(home: HomeDep, _: Annotated[Caller, needs("read:runs", somewhere=True)]) -> Workers:
    """The processes of this installation, in the order of their start."""
    with home.database.read() as db:
        found = processes.listed(db)
    return Workers(
        items=[
            Worker(
                does=it.does, works=it.works, why=it.reason, host=it.host, pid=it.pid, version=it.version,
                since=answers.time(it.started_at), seen=answers.time(it.seen_at), failing=sorted(it.failing),
            )
            for it in found
        ]
    )  # fmt: skip
