"""The record of processing activities (GDPR Art. 30), as a PDF or as JSON."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel

from api import answers
from api.asked import Word
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from engine import catalog

router = APIRouter(prefix="/api/v1/gdpr", tags=["gdpr"])


class Cell(BaseModel):
    """One statement of the record: what was seen, what people declared, or what they still have to."""

    model_config = answers.example(
        label="Purpose", article="Art. 30(1)(b)", value="Order handling", status="declared", source="customers.yml",
        todo=None, needed=True,
    )  # fmt: skip

    label: str
    article: str
    value: str | None
    status: Literal["observed", "declared", "missing"]
    source: str | None
    todo: str | None = None
    needed: bool | None = None


class Gap(BaseModel):
    """What somebody has to fill in, and for which datasets."""

    what: str
    article: str
    todo: str
    where: list[str]


class RecordColumn(BaseModel):
    column: str
    types: list[str]
    kinds: list[str]
    confidence: float
    reason: str
    action: str
    action_words: str
    is_masked: bool
    rows: int
    masked: int
    ruled: bool


class Counts(BaseModel):
    personal_columns: int
    masked_columns: int
    unmasked_columns: int


class Totals(Counts):
    datasets: int
    rows: int
    missing: int


class Scores(BaseModel):
    score: float | None
    dimensions: dict[str, float | None]


class RecordVersion(BaseModel):
    number: int
    run: int
    rows: int
    published_at: answers.Time
    published_at_local: str


class Activity(Counts):
    """The processing of one dataset."""

    dataset: str
    description: str
    owner: str
    cells: list[Cell]
    columns: list[RecordColumn]
    quality: Scores | None
    lineage: str
    version: RecordVersion | None
    attention: list[str]


class Record(BaseModel):
    """The record of processing activities."""

    title: str
    basis: str
    scope: list[str]
    made_at: answers.Time
    made_at_local: str
    timezone: str
    to_fill_in: list[Gap]
    attention: list[str]
    controller: list[Cell]
    totals: Totals
    activities: list[Activity]


PDF: dict[str, Any] = {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}


@router.get("/report", response_model=None, response_class=Response, responses={200: {"model": Record, "content": PDF}})
@slow
def get_gdpr_report(
    home: HomeDep,
    caller: Annotated[Caller, needs("read:gdpr", somewhere=True)],
    dataset: Word | None = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "application/pdf",
) -> Response:
    """What is processed, why, on which ground, for how long and how it is protected: of one dataset, or of all."""
    from engine.compliance import processing, record, report  # draws: loaded when somebody asks

    caller.needs("read:gdpr", dataset)
    settings = home.settings
    if dataset is not None:
        wanted = [catalog.pipeline(settings.pipelines, dataset)]
    else:
        wanted = catalog.pipelines(settings.pipelines)[0]
    controller = {
        "name": settings.controller_name, "contact": settings.controller_contact, "dpo": settings.dpo_contact
    }  # fmt: skip
    with home.database.read() as db:
        activities, unreadable = processing.activities(db, wanted)
    made = record.record(
        activities,
        controller,
        datetime.now(UTC),
        measures=record.MEASURES,
        raw_retention_enforced=True,
        timezone=settings.timezone,
    )
    made["attention"] += [
        f"The processing of {name} is missing: what is kept about it cannot be read." for name in unreadable
    ]
    caller.saw("report.read", f"dataset {dataset}" if dataset else "all datasets")
    if "application/json" in accept and "application/pdf" not in accept:
        return Response(Record.model_validate(made).model_dump_json(), media_type="application/json")
    return Response(report.pdf(made), media_type="application/pdf")
