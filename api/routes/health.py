"""Is it alive, and can it work?"""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api import answers
from api.slow import probe
from engine.ops.health import NOT_READY, OK, Health

router = APIRouter(tags=["health"])


class Living(BaseModel):
    """A process that lives: whether it works on runs, or why a worker does not."""

    does: Literal["worker", "scheduler", "client"]
    works: bool
    why: str | None
    since: answers.Time
    seen: answers.Time


WORKER = {
    "does": "worker", "works": True, "why": None,
    "since": "2026-03-02T05:00:00.000Z", "seen": "2026-03-02T06:00:00.000Z",
}  # fmt: skip


class Readiness(BaseModel):
    """Whether a process can work; each part is `ok`, or `degraded` or `not ready` and why. And who works."""

    model_config = answers.example(status="ok", parts={"database": "ok"}, workers=[WORKER])

    status: Literal["ok", "not ready"]
    parts: dict[str, str]
    workers: list[Living]


@router.get("/healthz")  # async: it needs no thread, so it waits for none
async def healthz() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness, "description": "A part is not ready."}})
@probe
def readyz(request: Request, response: Response) -> Readiness:
    """Able to work, part by part: 503 if one is not ready; one that is degraded keeps nobody from working."""
    health: Health = request.app.state.health
    parts = health.parts()
    workers = [Living(**{**it, "since": answers.time(it["since"]), "seen": answers.time(it["seen"])})
               for it in health.workers]  # fmt: skip
    if any(said.startswith(NOT_READY) for said in parts.values()):
        response.status_code = 503
        return Readiness(status=NOT_READY, parts=parts, workers=workers)
    return Readiness(status=OK, parts=parts, workers=workers)
