"""Is it alive, and can it work?"""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from api.slow import probe
from engine.health import NOT_READY, OK

router = APIRouter(tags=["health"])


class Readiness(BaseModel):
    """Whether a process can work; each part is `ok`, or `degraded` or `not ready` and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "parts": {"database": "ok"}}]})

    status: Literal["ok", "not ready"]
    parts: dict[str, str]


@router.get("/healthz")  # async: it needs no thread, so it waits for none
async def healthz() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness, "description": "A part is not ready."}})
@probe
def readyz(request: Request, response: Response) -> Readiness:
    """Able to work, part by part: 503 if one is not ready; one that is degraded keeps nobody from working."""
    parts: dict[str, str] = request.app.state.health.parts()
    if any(said.startswith(NOT_READY) for said in parts.values()):
        response.status_code = 503
        return Readiness(status=NOT_READY, parts=parts)
    return Readiness(status=OK, parts=parts)
