"""Builds the models downstream of the dataset, in order; a broken one is a warning, not a failure."""

from typing import Any

from sqlalchemy.orm import Session

from core.errors import AtlasError, BadPipeline, Cancelled, LeaseLost, Refused
from core.models import Table
from engine import catalog, faults
from engine.lineage import of_runs
from engine.navigate import build, models, warehouse
from engine.personal import rulings
from engine.runs.steps.job import Done, Job, Specs
from engine.sql.child import Limits
from engine.store import datasets, leases, lineage, runs


def do(job: Job) -> Done:
    folder = job.home.settings.pipelines / "navigate"
    known, mistakes = models.read(folder, set(catalog.files(job.home.settings.pipelines)))
    downstream = models.downstream_of(known, job.pipeline.name)
    tables: Specs = []
    warnings = models.told_after(mistakes, folder, {job.pipeline.name, *(model.name for model in downstream)})
    for model in downstream:
        job.progress(len(tables))
        try:
            built = _build(job, model, set(known))
            if built["state"] == "waits" and job.run.rebuilds and model.name == job.run.pipeline:
                raise Refused(f"`{model.name}` was not built: it {built['note']}.", hint=f"why {model.name}")
            tables.append(built)
        except (LeaseLost, Cancelled):
            raise
        except AtlasError as error:
            if job.run.rebuilds and model.name == job.run.pipeline:
                raise  # nothing else was asked for
            note = f"{error.message} {error.hint or ''}".strip()
            tables.append({"name": model.name, "rows": None, "state": "failed", "note": note})
            warnings.append(note)
    warnings += warehouse.follow(job.home, lambda: job.progress(len(tables)))

    def save(db: Session) -> None:
        run = runs.get(db, job.run.id)
        for name in rulings.left_open(db, job.pipeline.name):
            datasets.withdraw(db, name)
            warnings.append(f"{name} is taken away: it held what is masked by now, and it was not built anew.")
        run.tables, run.warnings = tables, [*run.warnings, *warnings]

    return Done({}, rows=sum(t["state"] == "built" for t in tables), save=save)


def _build(job: Job, model: models.Model, known: set[str]) -> dict[str, Any]:
    database = job.home.database
    while True:
        with database.read() as db:
            inputs = datasets.tables(db, model.inputs)
            current = datasets.current_version(db, model.name)
            owners = datasets.owners(db, (version for _, version in inputs.values()))
        waiting = [name for name in model.inputs if name not in inputs]
        if waiting:
            return {"name": model.name, "rows": None, "state": "waits", "note": f"waits for {', '.join(waiting)}"}
        owner = _owner(job, model, owners)
        tables: dict[str, Table] = {name: table for name, (table, _) in inputs.items()}
        versions = {name: version for name, (_, version) in inputs.items()}
        if current is not None and current.run_id == job.run.id and current.inputs == versions:
            # by a worker that died before it could say so
            return {"name": model.name, "rows": current.rows, "state": "built", "note": None}
        target = job.home.settings.warehouse / model.name / f"run-{job.run.id}-{job.stem}.parquet"
        limits = Limits.of(job.home.settings)
        built = build.build(model, tables, target, job.timezone, lambda: job.progress(0), limits)
        snapshot = datasets.Snapshot(
            model.name, "model", owner, model.description, job.run.id, [(str(target), built.rows)],
            built.columns, inputs=versions,
        )  # fmt: skip
        told = of_runs.built(job.home.settings, job.run, model, tables, known, snapshot)
        faults.point("navigate.built")
        with database.write() as db:
            leases.hold(db, job.claim)  # still ours to publish
            datasets.hold(db, model.name, "model")
            if datasets.would_go_back(db, model.name, versions):
                continue  # another run has published newer inputs meanwhile: build from those
            if shown := rulings.too_open(db, versions.values()):
                if datasets.tables(db, model.inputs) != inputs:
                    continue
                target.unlink(missing_ok=True)
                note = f"waits for {', '.join(sorted(shown))} to be masked"
                return {"name": model.name, "rows": None, "state": "waits", "note": note}
            was = datasets.owner(db, model.name)
            datasets.publish(db, snapshot)
            faults.point("navigate.switched")
            lineage.save_events(db, job.run.id, told.events)
            lineage.replace_edges(db, (f"navigate.{snapshot.dataset}",), told.edges)
            job.note_owner(db, model.name, was, owner)
        faults.point("navigate.published")
        return {"name": model.name, "rows": built.rows, "state": "built", "note": None}


def _owner(job: Job, model: models.Model, owners: set[str]) -> str:
    """Who owns the model. Raises BadPipeline if nobody does, and takes away what it published before."""
    try:
        return models.owner(model, owners)
    except BadPipeline as error:
        with job.home.database.write() as db:
            leases.hold(db, job.claim)
            was = datasets.owner(db, model.name)
            datasets.withdraw(db, model.name)
            job.note_owner(db, model.name, was, "")
        raise build.not_built(model.name, f"{error.message} {error.hint}.") from None
