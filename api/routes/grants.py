"""Grants: a role that somebody has on one dataset, given by its owner."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from api.deps import Caller, HomeDep, needs
from core.errors import NotFound
from engine import catalog
from engine.home import Home
from engine.store import access

router = APIRouter(prefix="/api/v1/datasets/{name}/grants", tags=["access"])

Dataset = Annotated[str, Path(min_length=1, max_length=255, description="The name of a dataset or model.")]
UserName = Annotated[str, Path(min_length=1, max_length=64, description="The name of a user.")]
SHOWN: dict[str, Any] = {"user": "anna", "dataset": "customers", "role": "steward", "granted_by": "bo",
         "granted_at": "2026-11-23T06:00:00Z"}  # fmt: skip


class WantedGrant(BaseModel):
    """The role to have on this dataset, beside one's own role."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "steward"}]})

    role: Literal["operator", "steward"]


class GrantAnswer(BaseModel):
    """Who has which role on a dataset, and who gave it."""

    model_config = ConfigDict(json_schema_extra={"examples": [SHOWN]})

    user: str
    dataset: str
    role: str
    granted_by: str
    granted_at: datetime


class Grants(BaseModel):
    """All grants on a dataset, by user."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [SHOWN], "next": None}]})

    items: list[GrantAnswer]
    next: None = None


@router.get("")
def list_grants(name: Dataset, home: HomeDep, _: Annotated[Caller, needs("grant")]) -> Grants:
    """Who has a role on this dataset beside their own."""
    _known(home, name)
    with home.database.read() as db:
        return Grants(
            items=[
                GrantAnswer(
                    user=user, dataset=name, role=row.role, granted_by=row.granted_by, granted_at=row.granted_at
                )
                for row, user in access.grants_on(db, name)
            ]
        )


@router.put("/{user}")
def grant(
    name: Dataset, user: UserName, wanted: WantedGrant, home: HomeDep, caller: Annotated[Caller, needs("grant")]
) -> GrantAnswer:
    """Give somebody a role on this dataset, instead of any they had here."""
    _known(home, name)
    caller.may_give(access.rights(wanted.role))
    with home.database.write() as db:
        given = access.user(db, user)
        changed = access.grants_of(db, given.id).get(name) != wanted.role
        row = access.grant(db, given, name, wanted.role, caller.name)
        caller.did(db, "grant.give", f"{wanted.role} on {name} to {user}", changed=changed)
        return GrantAnswer(user=user, dataset=name, role=row.role, granted_by=row.granted_by, granted_at=row.granted_at)


@router.delete("/{user}", status_code=204)
def withdraw(name: Dataset, user: UserName, home: HomeDep, caller: Annotated[Caller, needs("grant")]) -> None:
    """Take somebody's role on this dataset back."""
    with home.database.write() as db:
        if not access.withdraw(db, access.user(db, user), name):
            raise NotFound(f"`{user}` has no role on `{name}` beside their own.", hint="GET …/grants")
        caller.did(db, "grant.withdraw", f"{name} from {user}")


def _known(home: Home, name: str) -> None:
    if catalog.owner(home, name) is None:
        raise NotFound(f"There is no dataset `{name[:60]}`.", hint="datasets")
