"""Datasets: what is published, how good it is, what is personal in it, what was rejected."""

import decimal
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api import answers
from api.answers.datasets import Dataset, DatasetQuality, Datasets, Kind, Pii, Point, Trend, Version, Versions
from api.answers.dead_letters import DeadLetters, Group, Sample
from api.asked import After, AfterName, Limit, Name, Word
from api.deps import Caller, HomeDep, WakeDep, needs
from api.slow import slow
from core.errors import NotFound
from engine import catalog
from engine.compliance.record import local_time
from engine.contract import why
from engine.home import Home
from engine.runs import course
from engine.store import datasets, privacy, quality, rulings, runs
from engine.store.tables import Run

router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"])


class Column(BaseModel):  # stays here: the OpenAPI document names it after this file
    name: str
    type: str
    hashed: bool


class DatasetInFull(BaseModel):
    """A published dataset: its columns and what it was made from."""

    model_config = answers.example(
        dataset="customers", kind="charted", owner="crm-team", description="Customers from the CRM export",
        version=7, run=12, rows=10177, columns=[{"name": "email", "type": "VARCHAR", "hashed": True}], inputs=[],
        published_at="2026-03-02T05:00:02.300Z",
    )  # fmt: skip

    dataset: str
    kind: Kind
    owner: str
    description: str
    version: int
    run: int
    rows: int
    columns: list[Column]
    inputs: list[str]
    published_at: answers.Time


class Picture(Response):
    media_type = "image/png"


@router.get("")
def list_datasets(
    home: HomeDep,
    caller: Annotated[Caller, needs("read:catalog", somewhere=True)],
    kind: Kind | None = None,
    owner: Word | None = None,
    limit: Limit = 50,
    after: AfterName = None,
) -> Datasets:
    """Every published dataset and model with its current version, by name."""
    among = caller.where("read:catalog")
    with home.database.read() as db:
        found = datasets.listed(db, among=among, kind=kind, owner=owner, after=after, limit=limit + 1)
    page, last = answers.cut(found, limit)
    return Datasets(items=answers.each("datasets", page, _brief), next=last.name if last else None)


def _brief(row: Any) -> Dataset:
    return Dataset(
        dataset=row.name, kind=row.kind, owner=row.owner, description=row.description, version=row.number,
        rows=row.rows, score=answers.score(row.overall), published_at=answers.time(row.published_at),
    )  # fmt: skip


@router.get("/{name}")
def get_dataset(name: Name, home: HomeDep, _: Annotated[Caller, needs("read:catalog")]) -> DatasetInFull:
    """A published dataset: its columns and what it was made from."""
    with home.database.read() as db:
        dataset, version = datasets.get(db, name)
    return DatasetInFull(
        dataset=dataset.name,
        kind=dataset.kind,
        owner=dataset.owner,
        description=dataset.description,
        version=version.number,
        run=version.run_id,
        rows=version.rows,
        columns=[Column(name=n, type=kind, hashed=n in version.masked) for n, kind in version.columns.items()],
        inputs=sorted(version.inputs),
        published_at=answers.time(version.published_at),
    )


@router.get("/{name}/versions")
def list_versions(
    name: Name, home: HomeDep, _: Annotated[Caller, needs("read:catalog")], limit: Limit = 50, after: After = None
) -> Versions:
    """The versions of a dataset, newest first."""
    with home.database.read() as db:
        dataset, _current = datasets.get(db, name)
        found = datasets.versions(db, name, after, limit=limit + 1)
    page, last = answers.cut(found, limit)
    items = [
        Version(
            version=row.number, run=row.run_id, rows=row.rows, published_at=answers.time(row.published_at),
            current=row.id == dataset.current_version_id,
        )
        for row in page
    ]  # fmt: skip
    return Versions(items=items, next=last.number if last else None)


@router.get("/{name}/quality")
def get_quality(name: Name, home: HomeDep, _: Annotated[Caller, needs("read:quality")]) -> DatasetQuality:
    """The six scores of the last run that measured any, the worst checks, and the change since the run before."""
    return _quality(home, name)


@router.get("/{name}/quality/trend")
def get_quality_trend(
    name: Name,
    home: HomeDep,
    _: Annotated[Caller, needs("read:quality")],
    limit: Limit = 30,
    after: After = None,
) -> Trend:
    """The scores of the last runs, oldest first; the next page holds the runs before them."""
    with home.database.read() as db:
        found = quality.trend(db, name, limit + 1, after)
        if not found and after is None:
            raise _nothing_of(db, home, name)
    page = found[-limit:]
    items = [
        Point(
            run=s.run_id,
            at=answers.time(s.at),
            score=answers.score(s.overall),
            dimensions=answers.dimensions(s),
        )
        for s in page
    ]
    return Trend(items=items, next=page[0].run_id if len(found) > limit else None)


@router.get("/{name}/quality/picture", response_class=Picture)
@slow
def draw_quality(
    name: Name, home: HomeDep, _: Annotated[Caller, needs("read:quality")], trend: bool = False
) -> Picture:
    """The scorecard, or the trend, as a PNG."""
    from engine.contract import scorecard  # draws: loaded when somebody looks

    if trend:
        with home.database.read() as db:
            points = [
                {"run": s.run_id, "at": s.at, "score": s.overall, "dimensions": s.dimensions}
                for s in quality.trend(db, name)
            ]
            if not points:
                raise _nothing_of(db, home, name)
        return Picture(scorecard.trend(points, name, home.settings.timezone))
    facts = _quality(home, name).model_dump()
    with home.database.read() as db:
        rows = datasets.rows_of(db, name, facts["run"])
    about = [
        local_time(datetime.fromisoformat(facts["checked_at"]), home.settings.timezone),
        "nothing was published" if rows is None else f"{rows:,} {'row' if rows == 1 else 'rows'} published",
        f"owner {facts['owner']}" if facts["owner"] else "no owner",
    ]
    drawn = {**facts, "note": f"run #{facts['run']}", "about": " · ".join(about), "minimum": facts["minimum_score"]}
    if change := facts["change"]:
        since = f"run #{change['since']}"
        drawn["previous"] = {
            "score": _before(facts["score"], change["score"]),
            "dimensions": {n: _before(facts["dimensions"][n], moved) for n, moved in change["dimensions"].items()},
            "note": f"{since}, by the rules of both" if change["contract"] else since,
        }
    return Picture(scorecard.draw(drawn))


@router.get("/{name}/pii")
def get_pii(name: Name, home: HomeDep, _: Annotated[Caller, needs("read:pii")]) -> Pii:
    """What each column was found to hold, why, and what was done about it."""
    with home.database.read() as db:
        run = privacy.last_run(db, name)
        if run is None:
            newest = _newest(db, home, name)
            raise NotFound(
                f"Nothing was looked for in `{name}` yet: run #{newest.id} {newest.state}.", hint=f"run {name}"
            )
        held = rulings.in_force(db, name)
        return Pii(
            dataset=name,
            version=datasets.version_of(db, name, run),
            run=run,
            columns=[answers.personal(v, held.get(v.column)) for v in privacy.verdicts(db, run)],
        )


@router.get("/{name}/dead-letters")
def list_dead_letters(
    name: Name, home: HomeDep, _: Annotated[Caller, needs("read:dead-letters")], limit: Limit = 50, after: After = None
) -> DeadLetters:
    """The rejected rows of the last run, by cause, most first: counts and line numbers, never the rows.

    A value is told if its column is not personal and ten of the rows share it. Causes go with the raw rows.
    """
    with home.database.read() as db:
        if after is not None:  # pages go on with the run they began with, whatever has run since
            number = privacy.run_of_dead_letters(db, name, after)
            if number is None:
                raise NotFound(f"No group of rejected rows of `{name}` has the number {after}.", hint=f"dead {name}")
        else:
            number = privacy.last_run(db, name) or _newest(db, home, name).id
        run = runs.get(db, number)
        merges = any(plan.get("base") for plan in runs.results(db, number, "plan"))
        groups, last = answers.cut(privacy.dead_letter_page(db, number, after, limit + 1), limit)
        total = privacy.rejected(db, number) or run.rows_rejected or 0
        return DeadLetters(
            pipeline=name,
            run=run.id,
            state=run.state,
            total=total,
            rows_in=runs.rows_read(run, total),
            earlier=privacy.rejected_in(db, datasets.runs_merged(db, name) - {number}) if merges else 0,
            groups=[
                Group(
                    cause=g.cause,
                    rule=g.rule,
                    column=g.column,
                    rows=g.rows,
                    lines=g.lines,
                    others=g.others,
                    samples=[Sample(value=value, rows=rows) for value, rows in g.samples],
                )
                for g in groups
            ],
            next=last.id if last else None,
        )


@router.post("/{name}/replay", status_code=202)
def replay_dataset(name: Name, home: HomeDep, wake: WakeDep, caller: Annotated[Caller, needs("run")]) -> answers.Run:
    """Try the rows of the last run again, by the rules as they are now."""
    wanted = catalog.pipeline(home.settings.pipelines, name)
    course.reap(home)
    with home.database.write() as db:
        run, joined = course.replay(home, db, wanted, by=caller.name, request_id=caller.request_id)
        caller.did(db, "run.replay", f"run {run.id}")
    wake()
    with home.database.read() as db:
        return answers.run(db, run.id, caller, joined=joined)


def _quality(home: Home, name: str) -> DatasetQuality:
    with home.database.read() as db:
        newest = quality.latest(db, name)
        if newest is None:
            raise _nothing_of(db, home, name)
        rules = quality.checks(db, newest.Score.run_id)
        before = quality.score_before(db, name, newest.Score.run_id)
        change = answers.change(db, name, newest.Score.run_id)
    checks = answers.checks(rules)
    return DatasetQuality(
        dataset=name,
        version=newest.version,
        run=newest.Score.run_id,
        state=newest.state,
        score=answers.score(newest.Score.overall),
        score_before=answers.score(before.overall) if before else None,
        dimensions_before=answers.dimensions(before) if before else None,
        change=change,
        measured=newest.Score.measured,
        dimensions=answers.dimensions(newest.Score),
        unmeasured=None if newest.Score.measured else why.nothing_measured(name, rules),
        not_measured=answers.not_measured(rules),
        worst=answers.worst(checks),
        checks=checks,
        minimum_score=newest.minimum_score,
        checked_at=answers.time(newest.Score.at),
        owner=newest.owner,
    )


def _before(score: str | None, moved: str | None) -> str | None:
    return None if score is None or moved is None else str(decimal.Decimal(score) - decimal.Decimal(moved))


def _nothing_of(db: Session, home: Home, name: str) -> NotFound:
    """Why there is no score, and what would help."""
    newest = _newest(db, home, name)
    return NotFound(f"Nothing of `{name}` was measured yet: run #{newest.id} {newest.state}.", hint=f"why {newest.id}")


def _newest(db: Session, home: Home, name: str) -> Run:
    """The newest run of a pipeline. Raises NotFound, saying what would help."""
    newest = runs.newest(db, name)
    if newest is not None and not newest.rebuilds:
        return newest
    known = catalog.files(home.settings.pipelines)
    if name in known:
        raise NotFound(f"`{name}` has not run yet.", hint=f"run {name}")
    if newest is not None or name in catalog.models(home.settings.pipelines) or datasets.kind(db, name) == "model":
        message = f"`{name}` is a model: quality and personal data are measured in the datasets that it reads."
        raise NotFound(message, hint=f"why {name}")
    raise catalog.nearest("dataset", name, known)
