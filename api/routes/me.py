"""Who is calling."""

from typing import Annotated, Any

from fastapi import APIRouter

from api.deps import Caller, HomeDep, needs

router = APIRouter(prefix="/api/v1/me", tags=["access"])


@router.get("")
def me(home: HomeDep, caller: Annotated[Caller, needs()]) -> dict[str, Any]:
    """Who you are, what you may do, and the time zone that answers are told in."""
    return {
        "user": caller.name,
        "role": caller.role,
        "rights": sorted(caller.rights),
        "timezone": home.settings.timezone,
    }
