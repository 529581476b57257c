"""The cause of a failure or a fall."""

from typing import Annotated, Any

from fastapi import APIRouter

from api.deps import Caller, HomeDep, needs
from core.errors import NotFound
from engine import catalog, why
from engine.store import runs

router = APIRouter(prefix="/api/v1/why", tags=["why"])


@router.get("/{subject}")
def get_why(subject: str, home: HomeDep, _: Annotated[Caller, needs("read:quality")]) -> dict[str, Any]:
    """Why the last run of a dataset, or a run by its number, ended as it did and scored what it did."""
    with home.database.read() as db:
        if subject.isascii() and subject.isdecimal() and len(subject) < 10:
            run = runs.get(db, int(subject))
        else:
            known = catalog.files(home.settings.pipelines)
            newest = runs.newest(db, subject)
            if newest is None and subject in known:
                raise NotFound(f"`{subject}` has not run yet.", hint=f"run {subject}")
            if newest is None:
                raise catalog.nearest("dataset", subject, known)
            run = newest
        explained = why.explain(db, run)
        good = runs.newest(db, run.pipeline, "succeeded")
        return {
            "about": run.pipeline,
            "run": run.id,
            "state": run.state,
            "headline": explained.headline,
            "sentences": explained.sentences,
            "not_checked": explained.not_checked,
            "owner": run.definition.get("owner"),
            "last_good": good.id if good else None,
            "dependents": why.dependents(db, run.pipeline),
        }
