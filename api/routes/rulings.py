"""Rulings: what a person says a column holds, kept with who, when and why."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api import answers
from api.deps import Caller, HomeDep, WakeDep, needs
from core.pipeline import COLUMN
from engine.home import Home
from engine.personal import rulings
from engine.runs import course
from engine.store import rulings as stored
from engine.store.tables import Ruling as Row

router = APIRouter(prefix="/api/v1/datasets/{name}/pii/rulings", tags=["datasets"])

RULED: dict[str, Any] = {"column": "notes", "type": "PERSON", "because": "the callers' names stand here"}
KEPT: dict[str, Any] = {
    "id": 3, "dataset": "customers", **RULED, "by": "anna", "at": "2026-11-23T09:30:00Z", "withdrawn_by": None,
    "withdrawn_at": None, "in_force": True,
}  # fmt: skip
NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
Dataset = Annotated[str, Path(min_length=1, max_length=255, description="The name of a dataset.")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of a ruling.")]


class RulingRequest(BaseModel):
    """What a column holds. A column that holds no personal data has no type, and a reason."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [RULED]})

    column: str = Field(min_length=1, max_length=255, pattern=COLUMN)
    type: str | None = Field(
        max_length=40, pattern=NO_CONTROLS, description="null: not personal",
        json_schema_extra={"enum": [*rulings.TYPES, None]},  # a typo gets the nearest from the engine
    )  # fmt: skip
    because: str = Field("", max_length=500, pattern=NO_CONTROLS)


class Ruling(BaseModel):
    """A ruling as it is kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [KEPT]})

    id: int
    dataset: str
    column: str
    type: str | None
    because: str
    by: str
    at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    in_force: bool


class Rulings(BaseModel):
    """All rulings on a dataset, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [KEPT], "next": None}]})

    items: list[Ruling]
    next: None = None


class Outcome(BaseModel):
    """A ruling that was made or withdrawn, and what follows for what is published."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ruling": KEPT, "effect": "from the next run", "action": "hash",
                                         "reason": "ruled PERSON by anna on 2026-11-23", "run": None}]}
    )  # fmt: skip

    ruling: Ruling
    effect: Literal["being masked", "holds already", "from the next run"]
    action: str = Field(description="What is done with the column from now on.")
    reason: str
    run: answers.Run | None = Field(description="The run that masks what is published.")


@router.get("")
def list_rulings(name: Dataset, home: HomeDep, _: Annotated[Caller, needs("read:pii")]) -> Rulings:
    """Who ruled what a column holds, when and why; withdrawn rulings too."""
    with home.database.read() as db:
        rulings.columns_of(db, name)
        held = {ruling.id for ruling in stored.in_force(db, name).values()}
        return Rulings(items=[_told(row, held) for row in stored.listed(db, name)])


@router.post("", status_code=201, responses={202: {"model": Outcome, "description": "A run masks what is published."}})
def rule(
    name: Dataset,
    request: RulingRequest,
    home: HomeDep,
    wake: WakeDep,
    response: Response,
    caller: Annotated[Caller, needs("rule:pii")],
) -> Outcome:
    """Say what a column holds: it beats what is found. What must be hidden is masked at once."""
    course.reap(home)
    with home.database.write() as db:
        done = rulings.rule(db, name, request.column, request.type, request.because, caller.name)
        caller.did(db, "pii.rule", f"dataset {name}")
    return _followed(home, done, wake, response, caller)


@router.delete("/{ruling}", responses={202: {"model": Outcome, "description": "A run masks what is published."}})
def withdraw_ruling(
    name: Dataset,
    ruling: Number,
    home: HomeDep,
    wake: WakeDep,
    response: Response,
    caller: Annotated[Caller, needs("rule:pii")],
) -> Outcome:
    """Take a ruling back: an older one holds, or what is found."""
    course.reap(home)
    with home.database.write() as db:
        done = rulings.withdraw(db, name, ruling, caller.name)
        caller.did(db, "pii.withdraw", f"dataset {name}")
    return _followed(home, done, wake, response, caller)


def _followed(home: Home, done: rulings.Outcome, wake: Any, response: Response, caller: Caller) -> Outcome:
    if done.run:
        response.status_code = 202
        wake()
    with home.database.read() as db:
        held = {ruling.id for ruling in stored.in_force(db, done.ruling.dataset).values()}
        return Outcome(
            ruling=_told(done.ruling, held),
            effect=done.effect,
            action=done.verdict.action,
            reason=done.verdict.reason,
            run=answers.run(db, done.run.id, caller) if done.run else None,
        )


def _told(row: Row, held: set[int]) -> Ruling:
    return Ruling(
        id=row.id, dataset=row.dataset, column=row.column, type=row.type, because=row.because, by=row.by,
        at=row.at, withdrawn_by=row.withdrawn_by, withdrawn_at=row.withdrawn_at, in_force=row.id in held,
    )  # fmt: skip
