"""What a chat platform has to know again after a restart, for the bot alone."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.deps import Caller, HomeDep, needs
from api.sealing import SealDep
from core.errors import NotFound
from engine.store import memory

router = APIRouter(prefix="/api/v1/memory", tags=["chat"])

KNOWN: dict[str, Any] = {"value": {"conversation": "19:3f@thread.tacv2"}}
Key = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256, in hex, of what it is about.")]
Bot = Annotated[Caller, needs("speak-for")]


class Known(BaseModel):
    """Only the bot reads it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [KNOWN]})

    value: dict[str, Any]


class ToRemember(Known):
    """What is to be known again, and for how long."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**KNOWN, "seconds": 86400}]})

    seconds: float | None = Field(None, strict=True, ge=1, le=31_536_000, description="Without it: for ever.")


@router.put("/{key}", status_code=204)
def remember(key: Key, given: ToRemember, home: HomeDep, _: Bot, seal: SealDep) -> None:
    """Keep something, encrypted, in place of what was kept under this key."""
    sealed = seal.close(json.dumps(given.value).encode(), key)
    with home.database.write() as db:
        memory.remember(db, key, sealed, given.seconds)


@router.get("/{key}")
def recall(key: Key, home: HomeDep, _: Bot, seal: SealDep) -> Known:
    """What is kept under this key."""
    with home.database.read() as db:
        sealed = memory.recall(db, key)
    plain = None if sealed is None else seal.open(sealed, key)
    if plain is None:
        raise NotFound("Nothing is known under this key.")
    return Known(value=json.loads(plain))
