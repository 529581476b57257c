"""The cause of a failure or a fall."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api import answers
from api.asked import Name
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from core.errors import NotFound
from engine import catalog, standing
from engine.contract import why
from engine.home import Home
from engine.store import datasets, lineage, runs

router = APIRouter(prefix="/api/v1/why", tags=["why"])


class Why(BaseModel):
    """An explanation: the causes in order of weight, and what was not checked."""

    model_config = answers.example(
        about="customers", kind="dataset", run=12, state="succeeded",
        headline="customers fell from 96.4 to 94.1 in run #12.",
        sentences=["email is empty in 9.0 % of 10,214 rows, was 2.1 %: 1.5 points."],
        not_checked=["accuracy (no rule)"], owner="crm-team", last_good=12, dependents=["customers_by_city"],
    )  # fmt: skip

    about: str
    kind: Literal["dataset", "model"]
    run: int | None  # null = a model that no run has built
    state: answers.State | None
    headline: str
    sentences: list[str]
    not_checked: list[str]
    owner: str | None
    last_good: int | None
    dependents: list[str]


@router.get("/{subject}")
@slow
def get_why(subject: Name, home: HomeDep, caller: Annotated[Caller, needs("read:quality")]) -> Why:
    """Why the last run of a dataset, or a run by its number, ended as it did and scored what it did.

    Of a model whether its table is built, and what would help if it is not.
    """
    with home.database.read() as db:
        if subject.isascii() and subject.isdecimal() and len(subject) < 10:
            run = runs.get(db, int(subject))
        else:
            newest = runs.newest(db, subject)
            if newest is None:
                known, models = catalog.files(home.settings.pipelines), catalog.models(home.settings.pipelines)
                if subject in known:
                    raise NotFound(f"`{subject}` has not run yet.", hint=f"run {subject}")
                if subject in models:
                    return _of_model(home, db, subject)
                raise catalog.nearest("dataset", subject, known, models)
            run = newest
        if run.rebuilds:
            return _of_model(home, db, run.pipeline)
        explained = why.explain(db, run, values=caller.may("read:dead-letters", run.pipeline))
        return Why(
            about=run.pipeline,
            kind="dataset",
            run=run.id,
            state=run.state,
            headline=explained.headline,
            sentences=explained.sentences,
            not_checked=explained.not_checked,
            owner=run.definition.get("owner"),
            last_good=runs.last_good(db, run.pipeline),
            dependents=why.dependents(lineage.ways(db), run.pipeline),
        )


def _of_model(home: Home, db: Session, name: str) -> Why:
    headline, sentences, version = standing.explained(home, db, name)
    built_by = version.run_id if version else None
    return Why(
        about=name,
        kind="model",
        run=built_by,
        state=runs.get(db, built_by).state if built_by else None,
        headline=headline,
        sentences=sentences,
        not_checked=[],
        owner=datasets.owner(db, name),
        last_good=built_by,
        dependents=why.dependents(lineage.ways(db), f"navigate.{name}"),
    )
