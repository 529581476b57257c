"""Runs that build one model anew, and those that read it, from what is published: nothing is read or charted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from core.errors import Refused
from core.pipeline import Pipeline
from engine import catalog, standing
from engine.store import datasets, lineage, runs
from engine.store.tables import Run

if TYPE_CHECKING:
    from engine.home import Home


def wanted(home: Home, name: str) -> Pipeline | None:
    """What a run of a model has in place of a pipeline's file; None if there is no model of that name.

    Raises BadPipeline or Refused, saying what would help, if the model cannot be built.
    """
    folder = home.settings.pipelines
    if name in catalog.files(folder) or name not in catalog.models(folder):
        return None
    with home.database.read() as db:
        model = standing.buildable(home, db, name)
        inputs = datasets.tables(db, model.inputs)
        owners = sorted(datasets.owners(db, (version for _, version in inputs.values())))
        newest = runs.newest_definitions(db)
        zones = {(newest.get(above) or {}).get("timezone") for above in standing.above(home, model) if above in newest}
    return Pipeline(
        name=name, description=model.description, owner=model.owner or (owners[0] if len(owners) == 1 else "nobody"),
        source={}, timezone=zones.pop() if len(zones) == 1 else None,
    )  # fmt: skip


def retry(
    home: Home, db: Session, number: int, wanted: Pipeline, by: str, *, request_id: str | None = None
) -> tuple[Run, bool]:
    """A new run in place of one that did not build its model. Raises Refused if it did."""
    old = runs.get(db, number)
    if old.state in runs.ACTIVE:
        return old, True
    if old.state == "succeeded":
        raise Refused(f"Run `#{number}` succeeded: there is nothing to retry.", hint=f"run {old.pipeline}")
    run, joined = start(home, db, wanted, by, request_id=request_id)
    if not joined:
        run.retry_of = number
    return run, joined


def start(home: Home, db: Session, wanted: Pipeline, by: str, *, request_id: str | None = None) -> tuple[Run, bool]:
    """A run that builds a model, or the active one and True."""
    run, joined = runs.start(db, wanted, by, "navigate", request_id=request_id)
    if not joined:
        from engine.lineage import of_runs  # OpenLineage: loaded when there is something to report

        lineage.save_events(db, run.id, of_runs.rebuilding(home.settings, run))
    return run, joined
