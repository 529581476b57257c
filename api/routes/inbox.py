"""The inbox of the chat: what was said is kept before the platform is told so, and answered once."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from api.deps import IDENTITY, Caller, HomeDep, needs
from api.limits import seconds_to_wait
from api.sealing import SealDep
from engine.store import inbox

router = APIRouter(prefix="/api/v1/inbox", tags=["chat"])

WHO = "slack:T024BE7LD:U2147483697"
SAID: dict[str, Any] = {
    "key": "slack:T024BE7LD:Ev08MFMKH6", "person": WHO, "text": "run customers", "place": {"channel": "C1"}
}  # fmt: skip
Seconds = Annotated[float, Field(strict=True, ge=0, le=600, description="How long it is held for whoever asks.")]
Platform = Annotated[str, Field(pattern=r"^[a-z]{1,20}$")]


class NewSaid(BaseModel):
    """What somebody said, and where."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [SAID]})

    key: str = Field(min_length=1, max_length=255, pattern=r"^[!-~]+$", description="The platform's id of it.")
    person: str = Field(pattern=IDENTITY, description="platform:tenant:person")
    text: str = Field(max_length=100_000)
    place: dict[str, Any] = Field(description="Where the answer goes; only the platform reads it.")


class AllNew(BaseModel):
    """What came in at once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"items": [SAID], "seconds": 30}]})

    items: list[NewSaid] = Field(min_length=1, max_length=100)
    seconds: Seconds = 30


class Stored(BaseModel):
    """How it is called; what was said before is not to be answered again and has no id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 7, "wait": None}]})

    id: int | None
    wait: int | None = Field(None, description="Seconds until it may be said again: the person says too much.")


class AllStored(BaseModel):
    """One for each, in their order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{"id": 7, "wait": None}]}]})

    items: list[Stored]


class Wanted(BaseModel):
    """Whose messages, and how many."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"platforms": ["slack"], "seconds": 30, "limit": 20}]}
    )

    platforms: list[Platform] = Field(min_length=1, max_length=20)
    seconds: Seconds = 30
    limit: int = Field(20, ge=1, le=100)


class Waiting(BaseModel):
    """Something to answer; `tries` proves that one holds it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 7, **SAID, "tries": 2}]})

    id: int
    key: str
    person: str
    text: str
    place: dict[str, Any]
    tries: int


class Taken(BaseModel):
    """What was left, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": []}]})

    items: list[Waiting]


class Held(BaseModel):
    """Something to answer, and the proof that one holds it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"id": 7, "tries": 1}]})

    id: int = Field(ge=1, le=2**31 - 1)
    tries: int = Field(ge=1, le=1000)


class AllHeld(BaseModel):
    """What somebody works on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"items": [{"id": 7, "tries": 1}]}]})

    items: list[Held] = Field(min_length=1, max_length=100)

    def numbers(self) -> dict[int, int]:
        return {item.id: item.tries for item in self.items}


class Longer(AllHeld):
    """The same, and for how long."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{"id": 7, "tries": 1}], "seconds": 30}]})

    seconds: Seconds = 30


class Still(BaseModel):
    """The numbers of what was still held; the others were taken by another bot, or are done."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [7]}]})

    items: list[int]


@router.post("")
def store_what_was_said(
    said: AllNew,
    home: HomeDep,
    request: Request,
    _: Annotated[Caller, needs("speak-for", for_many=True)],
    seal: SealDep,
) -> AllStored:
    """Keep what people have said to a bot, encrypted, until it is answered."""
    waits = [seconds_to_wait(request, item.person) for item in said.items]
    new = [
        inbox.New(
            item.key, item.person, seal.close(json.dumps([item.text, item.place]).encode(), f"{item.key} {item.person}")
        )
        for item, wait in zip(said.items, waits, strict=True)
        if not wait
    ]
    numbers: dict[str, int] = {}
    if new:
        with home.database.write() as db:
            numbers = inbox.store(db, new, said.seconds)
    # the same may be in there twice: it is new once
    return AllStored(
        items=[
            Stored(id=None if wait else numbers.pop(item.key, None), wait=wait or None)
            for item, wait in zip(said.items, waits, strict=True)
        ]
    )


@router.post("/take")
def take_what_was_left(wanted: Wanted, home: HomeDep, _: Annotated[Caller, needs("speak-for")], seal: SealDep) -> Taken:
    """Take up what was stored and not answered: its bot has gone."""
    with home.database.write() as db:
        taken = inbox.take(db, wanted.platforms, wanted.seconds, wanted.limit)
    items = []
    for row in taken:
        plain = seal.open(row.sealed, f"{row.key} {row.person}")
        if plain is None:  # encrypted with another masking key: it is dropped after its tries
            continue
        text, place = json.loads(plain)
        items.append(Waiting(id=row.id, key=row.key, person=row.person, text=text, place=place, tries=row.tries))
    return Taken(items=items)


@router.post("/hold")
def hold_what_was_said(longer: Longer, home: HomeDep, _: Annotated[Caller, needs("speak-for")]) -> Still:
    """Go on working on it: nobody else takes it up meanwhile."""
    with home.database.write() as db:
        return Still(items=sorted(inbox.hold(db, longer.numbers(), longer.seconds)))


@router.post("/done")
def end_what_was_said(held: AllHeld, home: HomeDep, _: Annotated[Caller, needs("speak-for")]) -> Still:
    """It is answered: what was said is forgotten."""
    with home.database.write() as db:
        return Still(items=sorted(inbox.done(db, held.numbers())))
