"""What a token stands for, for who has the right to know."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.deps import Caller, HomeDep, needs
from core.errors import NotFound
from engine.home import masking_key
from engine.personal import vault
from engine.store import vault as stored

router = APIRouter(prefix="/api/v1/reveal", tags=["datasets"])

ASKED: dict[str, Any] = {"token": "t_75zxml4nsoplhl55ovweuoxjjm", "because": "she asked for her data"}
TOLD: dict[str, Any] = {
    "token": "t_75zxml4nsoplhl55ovweuoxjjm", "value": "ida.holm@example.dk", "type": "EMAIL", "datasets": ["customers"],
}  # fmt: skip


class RevealRequest(BaseModel):
    """A token, and why its value is asked for: the reason is kept in the audit log."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [ASKED]})

    token: str = Field(pattern=r"^t_[a-z2-7]{26}$")
    because: str = Field("", max_length=150, pattern=r"^[^\x00-\x1f\x7f]*$")


class Revealed(BaseModel):
    """What a token stands for. `value` is the canonical text of all that is the same: an address in lower case."""

    model_config = ConfigDict(json_schema_extra={"examples": [TOLD]})

    token: str
    value: str
    type: str | None
    datasets: list[str] = Field(description="Where it stands, of those the caller may see it in.")


@router.post("")
def reveal(
    request: RevealRequest, home: HomeDep, caller: Annotated[Caller, needs("reveal", somewhere=True)]
) -> Revealed:
    """See what a token stands for. That it was asked is in the audit log before it is answered."""
    allowed = caller.where("reveal")
    with home.database.read() as db:
        found = [row for row in stored.of_token(db, request.token) if allowed is None or row.dataset in allowed]
    if not found:
        raise NotFound(
            f"Nothing is known of `{request.token}`.", hint="The vault forgets what no published row holds any more."
        )
    value = vault.opened(found[0], masking_key(home))
    why = f": {request.because}" if request.because else ""
    with home.database.write() as db:
        caller.did(db, "token.reveal", f"token {request.token}{why}", secret=True)
    return Revealed(
        token=request.token, value=value, type=found[0].type or None, datasets=[row.dataset for row in found]
    )
