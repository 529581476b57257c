"""Subscriptions: who wants to hear of the alerts about a dataset."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api import answers
from api.asked import Name
from api.deps import Caller, HomeDep, needs
from engine.alerts import people

router = APIRouter(prefix="/api/v1/datasets/{name}/subscriptions/me", tags=["alerts"])


class Subscribed(BaseModel):
    """That one hears of a dataset's alerts."""

    model_config = answers.example(dataset="customers", user="kim", in_chat=True)

    dataset: str
    user: str
    in_chat: bool = Field(description="Whether there is a linked chat to tell them in; else only `alerts` shows them.")


@router.put("")
def subscribe(name: Name, home: HomeDep, caller: Annotated[Caller, needs("read:quality")]) -> Subscribed:
    """Hear of the alerts about a dataset, wherever one is linked."""
    assert caller.user is not None
    with home.database.write() as db:
        new, in_chat = people.subscribe(home, db, caller.user, name)
        caller.did(db, "alert.subscribe", f"dataset {name}", changed=new)
    return Subscribed(dataset=name, user=caller.name, in_chat=in_chat)


@router.delete("", status_code=204)
def unsubscribe(name: Name, home: HomeDep, caller: Annotated[Caller, needs("read:quality")]) -> None:
    """Stop alerts about a dataset."""
    assert caller.user is not None
    with home.database.write() as db:
        people.unsubscribe(db, caller.user, name)
        caller.did(db, "alert.unsubscribe", f"dataset {name}")
