"""The cause of a failure or a fall."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from api import answers
from api.asked import Name
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from core.errors import NotFound
from engine import catalog, why
from engine.store import lineage, runs

router = APIRouter(prefix="/api/v1/why", tags=["why"])


class Why(BaseModel):
    """An explanation: the causes in order of weight, and what was not checked."""

    model_config = answers.example(
        about="customers", run=12, state="succeeded", headline="customers fell from 96.4 to 94.1 in run #12.",
        sentences=["email is empty in 9.0 % of 10,214 rows, was 2.1 %: 1.5 points."],
        not_checked=["accuracy (no rule)"], owner="crm-team", last_good=12, dependents=["customers_by_city"],
    )  # fmt: skip

    about: str
    run: int
    state: answers.State
    headline: str
    sentences: list[str]
    not_checked: list[str]
    owner: str | None
    last_good: int | None
    dependents: list[str]


@router.get("/{subject}")
@slow
def get_why(subject: Name, home: HomeDep, caller: Annotated[Caller, needs("read:quality")]) -> Why:
    """Why the last run of a dataset, or a run by its number, ended as it did and scored what it did."""
    with home.database.read() as db:
        if subject.isascii() and subject.isdecimal() and len(subject) < 10:
            run = runs.get(db, int(subject))
        else:
            newest = runs.newest(db, subject)
            if newest is None:
                known = catalog.files(home.settings.pipelines)
                if subject in known:
                    raise NotFound(f"`{subject}` has not run yet.", hint=f"run {subject}")
                raise catalog.nearest("dataset", subject, known)
            run = newest
        explained = why.explain(db, run, values=caller.may("read:dead-letters", run.pipeline))
        return Why(
            about=run.pipeline,
            run=run.id,
            state=run.state,
            headline=explained.headline,
            sentences=explained.sentences,
            not_checked=explained.not_checked,
            owner=run.definition.get("owner"),
            last_good=runs.last_good(db, run.pipeline),
            dependents=why.dependents(lineage.ways(db), run.pipeline),
        )
