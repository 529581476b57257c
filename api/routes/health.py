"""Is it alive, and can it work?"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.deps import HomeDep
from engine.store.database import HEAD

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(home: HomeDep) -> JSONResponse:
    """Able to work: the database answers and is migrated."""
    ready = home.database.revision() == HEAD
    return JSONResponse({"status": "ok" if ready else "not ready", "database": ready}, 200 if ready else 503)
