"""The record of processing activities (GDPR Art. 30), as a PDF or as JSON."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from api import answers
from api.deps import Caller, HomeDep, needs
from core.pipeline import Pipeline
from engine import catalog, why
from engine.store import datasets, lineage, privacy, quality, runs

if TYPE_CHECKING:
    from engine.compliance.record import Activity

router = APIRouter(prefix="/api/v1/gdpr", tags=["gdpr"])

BOTH: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}, "application/json": {}}}}


@router.get("/report", response_class=Response, responses=BOTH)
def get_report(
    home: HomeDep,
    _: Annotated[Caller, needs("read:gdpr")],
    dataset: str | None = None,
    accept: Annotated[str, Header()] = "application/pdf",
) -> Response:
    """What is processed, why, on which ground, for how long and how it is protected: of one dataset, or of all."""
    from engine.compliance import record, report  # draws: loaded when somebody asks

    settings = home.settings
    if dataset is not None:
        wanted = [catalog.pipeline(settings.pipelines, dataset)]
    else:
        wanted = catalog.pipelines(settings.pipelines)[0]
    controller = {
        "name": settings.controller_name, "contact": settings.controller_contact, "dpo": settings.dpo_contact
    }  # fmt: skip
    with home.database.read() as db:
        activities = [_activity(db, pipeline) for pipeline in wanted]
    made = record.record(
        activities,
        controller,
        datetime.now(UTC),
        measures=MEASURES,
        raw_retention_enforced=True,
        timezone=settings.timezone,
    )
    if "application/json" in accept and "application/pdf" not in accept:
        return JSONResponse(made)
    return Response(report.pdf(made), media_type="application/pdf")


MEASURES = (
    "raw data lie in a folder that only the engine's own user can read",
    "every call needs a token of a known user, and rights go by role",
    "logs and errors hold counts and names of columns, no values",
    "rows of tables are shown only to those who may read models",
)


def _activity(db: Session, pipeline: Pipeline) -> "Activity":
    """What the runs have shown of one dataset, beside what its file declares."""
    from engine.compliance.record import Activity

    newest = next((r for r in runs.page(db, pipeline=pipeline.name, limit=50) if privacy.verdicts(db, r.id)), None)
    version = datasets.current_version(db, pipeline.name)
    measured = quality.score(db, newest.id) if newest else None
    sources = {e["from_dataset"] for e in lineage.edges(db) if e["to_dataset"] == f"explore.{pipeline.name}"}
    return Activity(
        pipeline.name,
        pipeline.owner,
        pipeline.description,
        pipeline.privacy,
        [answers.personal(v) for v in privacy.verdicts(db, newest.id)] if newest else [],
        {
            "score": answers.score(measured.overall),
            "measured": measured.measured,
            "dimensions": answers.dimensions(measured),
        }
        if measured
        else None,
        {
            "number": version.number,
            "run": version.run_id,
            "rows": version.rows,
            "published_at": version.published_at,
        }
        if version
        else None,
        sorted(sources),
        why.dependents(db, pipeline.name),
    )
