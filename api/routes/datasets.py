"""Datasets: what is published, how good it is, what is personal in it, what was rejected."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from api import answers
from api.deps import Caller, HomeDep, WakeDep, needs
from core.errors import NotFound
from engine import catalog, pipeline
from engine.home import Home
from engine.store import datasets, privacy, quality, runs
from engine.store.tables import Run

router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"])


@router.get("")
def list_datasets(home: HomeDep, _: Annotated[Caller, needs("read:catalog")]) -> dict[str, Any]:
    """Every published dataset and model with its current version."""
    with home.database.read() as db:
        items = []
        for dataset, version in datasets.listed(db):
            measured = quality.score(db, version.run_id) if dataset.kind == "charted" else None
            items.append(
                {
                    "dataset": dataset.name,
                    "kind": dataset.kind,
                    "owner": dataset.owner,
                    "description": dataset.description,
                    "version": version.number,
                    "rows": version.rows,
                    "score": answers.score(measured.overall) if measured else None,
                    "published_at": answers.time(version.published_at),
                }
            )
    return {"items": items, "next": None}


@router.get("/{name}")
def get_dataset(name: str, home: HomeDep, _: Annotated[Caller, needs("read:catalog")]) -> dict[str, Any]:
    """A published dataset: its columns and what it was made from."""
    with home.database.read() as db:
        dataset, version = datasets.get(db, name)
        return {
            "dataset": dataset.name,
            "kind": dataset.kind,
            "owner": dataset.owner,
            "description": dataset.description,
            "version": version.number,
            "run": version.run_id,
            "rows": version.rows,
            "columns": [
                {"name": column, "type": kind, "hashed": column in version.masked}
                for column, kind in version.columns.items()
            ],
            "inputs": sorted(version.inputs),
            "published_at": answers.time(version.published_at),
        }


@router.get("/{name}/versions")
def list_versions(name: str, home: HomeDep, _: Annotated[Caller, needs("read:catalog")]) -> dict[str, Any]:
    """The versions of a dataset, newest first."""
    with home.database.read() as db:
        dataset, _current = datasets.get(db, name)
        items = [
            {
                "version": v.number,
                "run": v.run_id,
                "rows": v.rows,
                "published_at": answers.time(v.published_at),
                "current": v.id == dataset.current_version_id,
            }
            for v in datasets.versions(db, name)
        ]
    return {"items": items, "next": None}


@router.get("/{name}/quality")
def get_quality(name: str, home: HomeDep, _: Annotated[Caller, needs("read:quality")]) -> dict[str, Any]:
    """The six scores of the last run that measured any, the worst checks, and the change since the run before."""
    with home.database.read() as db:
        run = _last_run(db, home, name, measured=True)
        measured = quality.score(db, run.id)
        before = quality.score_before(db, name, run.id)
        checks = quality.checks(db, run.id)
        answer = answers.run(db, run)
        return {
            "dataset": name,
            "version": answer["version"],
            "run": run.id,
            "state": run.state,
            "score": answer["score"],
            "score_before": answer["score_before"],
            "measured": answer["measured"],
            "dimensions": answers.dimensions(measured),
            "dimensions_before": answers.dimensions(before),
            "worst": answers.worst(checks),
            "checks": [answers.check(c) for c in checks],
            "minimum_score": answer["minimum_score"],
            "checked_at": answers.time(measured.at) if measured else None,
            "owner": answer["owner"],
        }


@router.get("/{name}/quality/trend")
def get_trend(name: str, home: HomeDep, _: Annotated[Caller, needs("read:quality")]) -> dict[str, Any]:
    """The scores of the last 30 runs, oldest first."""
    with home.database.read() as db:
        _last_run(db, home, name, measured=True)
        items = [
            {
                "run": s.run_id,
                "at": answers.time(s.at),
                "score": answers.score(s.overall),
                "dimensions": answers.dimensions(s),
            }
            for s in quality.trend(db, name)
        ]
    return {"items": items, "next": None}


@router.get("/{name}/quality/picture", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def get_quality_picture(
    name: str, home: HomeDep, caller: Annotated[Caller, needs("read:quality")], trend: bool = False
) -> Response:
    """The scorecard, or the trend, as a PNG."""
    from engine.chart import scorecard  # draws: loaded when somebody looks

    if trend:
        with home.database.read() as db:
            _last_run(db, home, name, measured=True)
            points = [
                {"run": s.run_id, "at": s.at, "score": s.overall, "dimensions": s.dimensions}
                for s in quality.trend(db, name)
            ]
        return Response(scorecard.trend(points, name, home.settings.timezone), media_type="image/png")
    facts = get_quality(name, home, caller)
    before = {"score": facts["score_before"], "dimensions": facts["dimensions_before"], "note": "the run before"}
    drawn = {**facts, "note": f"run #{facts['run']}", "minimum": facts["minimum_score"]}
    if facts["score_before"] is not None:
        drawn["previous"] = before
    return Response(scorecard.draw(drawn), media_type="image/png")


@router.get("/{name}/pii")
def get_pii(name: str, home: HomeDep, _: Annotated[Caller, needs("read:pii")]) -> dict[str, Any]:
    """What each column was found to hold, why, and what was done about it."""
    with home.database.read() as db:
        run = _last_run(db, home, name)
        verdicts = privacy.verdicts(db, run.id)
        if not verdicts:
            raise NotFound(f"Nothing was looked for in `{name}` yet: run #{run.id} {run.state}.", hint=f"run {name}")
        answer = answers.run(db, run)
        return {
            "dataset": name,
            "version": answer["version"],
            "run": run.id,
            "columns": [answers.personal(v) for v in verdicts],
        }


@router.get("/{name}/dead-letters")
def get_dead_letters(name: str, home: HomeDep, _: Annotated[Caller, needs("read:dead-letters")]) -> dict[str, Any]:
    """The rejected rows of the last run, by cause: counts and line numbers, never the rows."""
    with home.database.read() as db:
        run = _last_run(db, home, name)
        groups = privacy.dead_letters(db, run.id)
        return {
            "pipeline": name,
            "run": run.id,
            "state": run.state,
            "total": sum(g.rows for g in groups),
            "rows_in": run.rows_in,
            "groups": [
                {"cause": g.cause, "rule": g.rule, "column": g.column, "rows": g.rows, "lines": g.lines} for g in groups
            ],
        }


@router.post("/{name}/replay", status_code=202)
def replay(name: str, home: HomeDep, wake: WakeDep, caller: Annotated[Caller, needs("run")]) -> Any:
    """Try the rows of the last run again, by the rules as they are now."""
    wanted = catalog.pipeline(home.settings.pipelines, name)
    pipeline.reap(home)
    with home.database.write() as db:
        run, joined = pipeline.replay(home, db, wanted, by=caller.name)
    wake()
    with home.database.read() as db:
        return answers.run(db, runs.get(db, run.id), joined=joined)


def _last_run(db: Session, home: Home, name: str, *, measured: bool = False) -> Run:
    """The last run of a pipeline that came far enough to tell. Raises NotFound, saying what would help."""
    for run in runs.page(db, pipeline=name, limit=50):
        if quality.score(db, run.id) is not None if measured else privacy.verdicts(db, run.id):
            return run
    known = catalog.files(home.settings.pipelines)
    if name in known:
        newest = runs.newest(db, name)
        if newest is None:
            raise NotFound(f"`{name}` has not run yet.", hint=f"run {name}")
        if not measured:
            return newest
        message = f"Nothing of `{name}` was measured yet: run #{newest.id} {newest.state}."
        raise NotFound(message, hint=f"why {newest.id}")
    if any(dataset.name == name and dataset.kind == "model" for dataset, _ in datasets.listed(db)):
        raise NotFound(f"`{name}` is a model: it has no contract of its own.", hint=f"lineage {name}")
    raise catalog.nearest("dataset", name, known)
