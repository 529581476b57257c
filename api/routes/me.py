"""Who is calling."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api import answers
from api.deps import Caller, HomeDep, needs

router = APIRouter(prefix="/api/v1/me", tags=["access"])


class Me(BaseModel):
    """A caller."""

    model_config = answers.example(
        user="kim", role="viewer", rights=["read:catalog", "read:runs"], somewhere=["run"], timezone="Europe/Copenhagen"
    )

    user: str
    role: str
    rights: list[str]
    somewhere: list[str] = Field(description="Rights held on some datasets only, by a grant or as their owner.")
    timezone: str


@router.get("")
def get_me(home: HomeDep, caller: Annotated[Caller, needs()]) -> Me:
    """Who you are, what you may do, and the time zone that answers are told in."""
    return Me(
        user=caller.name,
        role=caller.role,
        rights=sorted(caller.everywhere),
        somewhere=sorted(caller.somewhere - caller.everywhere),
        timezone=home.settings.timezone,
    )
