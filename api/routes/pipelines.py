"""The pipelines there are."""

from typing import Annotated, Any

from fastapi import APIRouter

from api import answers
from api.deps import Caller, HomeDep, needs
from engine import catalog
from engine.store import runs

router = APIRouter(prefix="/api/v1/pipelines", tags=["pipelines"])


@router.get("")
def pipelines(home: HomeDep, _: Annotated[Caller, needs("read:catalog")]) -> dict[str, Any]:
    """Every pipeline with its last run; files with mistakes are told apart."""
    good, mistakes = catalog.pipelines(home.settings.pipelines)
    with home.database.read() as db:
        items = []
        for pipeline in good:
            last = runs.newest(db, pipeline.name)
            items.append(
                {
                    "name": pipeline.name,
                    "description": pipeline.description,
                    "owner": pipeline.owner,
                    "connector": pipeline.source["connector"],
                    "schedule": pipeline.schedule,
                    "last_run": answers.brief(db, last) if last else None,
                }
            )
    return {"items": items, "next": None, "mistakes": [str(mistake) for mistake in mistakes]}
