"""The pipelines there are, as their files say."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api import answers
from api.asked import AfterName, Limit, Name
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from core import pipeline_file
from core.pipeline import NAME, Pipeline
from engine import catalog, check, secrets
from engine.home import Home
from engine.runs import schedules
from engine.store import datasets, runs
from engine.store import schedules as schedule_rows

router = APIRouter(prefix="/api/v1/pipelines", tags=["pipelines"])


class PipelineBrief(BaseModel):
    """A pipeline in a list."""

    model_config = answers.example(
        name="customers", description="Customers from the CRM export", owner="crm-team", connector="csv",
        schedule="0 6 * * *", next_at="2026-03-03T05:00:00.000Z", last_run=answers.BRIEF,
    )  # fmt: skip

    name: str
    description: str
    owner: str
    connector: str
    schedule: str | None
    next_at: answers.Time | None
    last_run: answers.Brief | None


class Pipelines(BaseModel):
    """A page of pipelines, and in words what is wrong with the files that hold none."""

    items: list[PipelineBrief]
    next: str | None
    mistakes: list[str]


class Mistake(BaseModel):
    """One mistake in a pipeline file."""

    model_config = answers.example(
        file="customers.yml", line=7, message="unknown key `ownr`; did you mean `owner`?", warning=False
    )

    file: str
    line: int
    message: str
    warning: bool  # it may be no mistake: only a run can tell


class PipelineInFull(BaseModel):
    """A pipeline; its definition is null while its file has mistakes. Of secrets only the references are shown."""

    model_config = answers.example(
        name="customers", definition={"name": "customers", "owner": "crm-team",
                                      "source": {"connector": "csv", "path": "data/customers.csv"}},
        schedule="0 6 * * *", last_run=answers.BRIEF, mistakes=[],
    )  # fmt: skip

    name: str
    definition: Pipeline | None
    schedule: str | None
    last_run: answers.Brief | None
    mistakes: list[Mistake]


class Draft(BaseModel):
    """A pipeline file to be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "orders", "text": "name: orders\nowner: web\nsource: {connector: csv, path: orders.csv}\n"}
            ]
        },
    )

    name: str = Field(pattern=NAME)
    text: str = Field(max_length=20_000)


class Validity(BaseModel):
    """Whether a pipeline file holds, and every mistake in it."""

    model_config = answers.example(name="customers", valid=True, mistakes=[])

    name: str
    valid: bool
    mistakes: list[Mistake]


@router.get("")
@slow  # it reads up to 500 files
def list_pipelines(
    home: HomeDep,
    caller: Annotated[Caller, needs("read:catalog", somewhere=True)],
    limit: Limit = 50,
    after: AfterName = None,
) -> Pipelines:
    """Every pipeline with its last run, by name; files with mistakes are told apart."""
    files = catalog.files(home.settings.pipelines)
    among = caller.where("read:catalog")
    names = sorted(n for n in files if (among is None or n in among) and (after is None or n > after))
    page, last = answers.cut(names, limit)
    good, mistakes = catalog.pipelines(home.settings.pipelines, [files[name] for name in page])
    with home.database.read() as db:
        newest = answers.each("runs", runs.newest_of(db, page).values(), answers.brief)
        rows = schedule_rows.of(db, page)
    now = datetime.now(UTC)
    plans = {found.name: schedules.planned(home, found, rows.get(found.name), now) for found in good}
    last_runs = {run.pipeline: run for run in newest}
    items = [
        PipelineBrief(
            name=pipeline.name,
            description=pipeline.description,
            owner=pipeline.owner,
            connector=pipeline.source["connector"],
            schedule=plan.cron if (plan := plans[pipeline.name]) else None,
            next_at=answers.time(plan.next_at) if plan else None,
            last_run=last_runs.get(pipeline.name),
        )
        for pipeline in good
    ]
    return Pipelines(items=items, next=last, mistakes=[str(mistake) for mistake in mistakes])


@router.get("/{name}")
@slow
def get_pipeline(name: Name, home: HomeDep, _: Annotated[Caller, needs("read:catalog")]) -> PipelineInFull:
    """A pipeline as its file says it now, and its last run."""
    known = catalog.files(home.settings.pipelines)
    if name not in known:
        raise catalog.nearest("pipeline", name, known)
    pipeline, mistakes = pipeline_file.check(known[name])
    with home.database.read() as db:
        newest = runs.newest_of(db, [name])
        row = schedule_rows.of(db, [name]).get(name)
    plan = schedules.planned(home, pipeline, row, datetime.now(UTC))
    return PipelineInFull(
        name=name,
        definition=pipeline.model_copy(update={"source": secrets.hidden(pipeline.source)}) if pipeline else None,
        schedule=plan.cron if plan else None,
        last_run=answers.brief(newest[name]) if newest else None,
        mistakes=_told(mistakes),
    )


@router.post("/{name}/validate")
@slow
def validate_pipeline(name: Name, home: HomeDep, _: Annotated[Caller, needs("read:catalog")]) -> Validity:
    """Every mistake in the file of a pipeline as it is now."""
    _what, mistakes = check.check(home.settings.pipelines, name, roots=home.settings.roots, published=_published(home))
    return _validity(name, mistakes)


@router.post("/validate")
@slow
def validate_draft(
    draft: Draft, home: HomeDep, _: Annotated[Caller, needs("read:catalog", somewhere=True)]
) -> Validity:
    """Every mistake in the text of a pipeline file; nothing is kept."""
    settings = home.settings
    mistakes = check.check_text(settings.pipelines, draft.name, draft.text, settings.roots, _published(home))
    return _validity(draft.name, mistakes)


def _published(home: Home) -> dict[str, dict[str, str]]:
    with home.database.read() as db:
        return datasets.columns(db)


def _validity(name: str, mistakes: list[pipeline_file.Mistake]) -> Validity:
    return Validity(name=name, valid=all(m.warning for m in mistakes), mistakes=_told(mistakes))


def _told(mistakes: list[pipeline_file.Mistake]) -> list[Mistake]:
    return [Mistake(file=m.file, line=m.line, message=m.message, warning=m.warning) for m in mistakes]
