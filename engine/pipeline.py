"""One run from start to end: which step follows which, and how it starts, ends and is tried again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from core.errors import Cancelled, CannotWrite, Refused
from core.pipeline import Pipeline
from engine import owner
from engine.home import Home
from engine.steps import STEPS, Job, Progress, Specs
from engine.store import lineage, privacy, quality, runs
from engine.store.tables import Run

FROM_SOURCE = ("plan", "explore")
UNTIL_CONTRACT = ("plan", "explore", "verdicts", "contract")
STEPS_UNTIL_PUBLISH = (*UNTIL_CONTRACT, "chart")


def start(db: Session, pipeline: Pipeline, by: str, *, full: bool = False) -> tuple[Run, bool]:
    """A new run, or the active one and True."""
    return runs.start(db, pipeline, by, "plan", full=full)


def reap(home: Home) -> None:
    """Offers the work of those who have died to others; a run that nobody is to go on with ends."""
    with home.database.read() as db:
        if not runs.expired(db, owner.is_dead):
            return
    with home.database.write() as db:
        for run in runs.reap(db, owner.is_dead):
            report_end(home, db, run)


def retry(home: Home, db: Session, number: int, pipeline: Pipeline, by: str) -> tuple[Run, bool]:
    """A new run from the first step of another that did not finish; what the pipeline file changed is done anew.

    Raises Refused if there is nothing to retry.
    """
    old = runs.get(db, number)
    if old.state in runs.ACTIVE:
        return old, True
    if old.state == "succeeded":
        raise Refused(f"Run `#{number}` succeeded: there is nothing to retry.", hint=f"run {old.pipeline}")
    good = runs.newest(db, old.pipeline, "succeeded")
    if good and good.id > number:
        raise Refused(
            f"Run `#{good.id}` has published newer data than run `#{number}` read.", hint=f"run {old.pipeline}"
        )
    before = Pipeline.model_validate(old.definition)
    keep: tuple[str, ...]
    if before == pipeline:
        # a refused run finished every step: its verdict on the same data would be the same
        keep = STEPS_UNTIL_PUBLISH if old.state != "refused" else ()
    else:
        keep = FROM_SOURCE if before.source == pipeline.source else ()
    return _again(home, db, old, pipeline, by, keep)


def replay(home: Home, db: Session, pipeline: Pipeline, by: str) -> tuple[Run, bool]:
    """A new run over the raw rows of the last one, by the rules as they are now. Raises Refused if they are gone."""
    for old in runs.page(db, pipeline=pipeline.name, limit=20):
        if old.state in runs.ACTIVE:
            return old, True
        explored = runs.results(db, old.id, "explore")
        if explored and all(explored):
            return _again(home, db, old, pipeline, by, FROM_SOURCE)
    raise Refused(f"No run of `{pipeline.name}` has read anything yet.", hint=f"run {pipeline.name}")


def _again(home: Home, db: Session, old: Run, pipeline: Pipeline, by: str, keep: tuple[str, ...]) -> tuple[Run, bool]:
    if keep and not all(_raw_is_there(result) for result in runs.results(db, old.id, "explore")):
        raise Refused(
            f"The raw rows of run `#{old.id}` are gone: they are kept {pipeline.privacy.raw_retention_days} days.",
            hint=f"run {pipeline.name}",
        )
    if not all(Path(result["path"]).exists() for result in runs.results(db, old.id, "chart") if result):
        keep = keep[: len(UNTIL_CONTRACT)]  # swept meanwhile
    run, joined = runs.start(db, pipeline, by, "plan", full=old.full, again=old)
    if not joined:
        from engine import report

        lineage.save_events(db, run.id, report.started(home.settings, run))
        copied = runs.copy_finished(db, old.id, run.id, keep)
        if "contract" in copied:
            quality.copy(db, old.id, run.id)
            privacy.copy(db, old.id, run.id)
        if copied:
            _open_next(home, db, run.id, copied[-1], runs.results(db, run.id, copied[-1]))
        else:
            runs.offer(db, run.id, "plan", [{}])
    return run, joined


def _raw_is_there(explored: dict[str, Any]) -> bool:
    return all(Path(file["path"]).exists() for file in explored.get("files", []))


def work(home: Home, claim: runs.Claim, progress: Progress) -> None:
    """Does one part and saves it, with all that follows from it, in one transaction.

    Raises LeaseLost, Cancelled, or what kept the step from being done.
    """
    with home.database.read() as db:
        run = runs.get(db, claim.run)
    if run.cancel_requested:
        raise Cancelled(f"Run `#{run.id}` was cancelled.")
    job = Job(home, run, Pipeline.model_validate(run.definition), claim, progress)
    try:
        done = STEPS[claim.step](job)
    except OSError as error:
        if error.errno is None:
            raise  # not the disk's: a library's own
        raise CannotWrite(
            f"ATLAS_HOME cannot be written to: {os.strerror(error.errno)}.", hint=f"Make room, then: retry {run.id}"
        ) from error
    with home.database.write() as db:
        last = runs.complete(db, claim, done.result, done.rows)
        if done.save:
            done.save(db)
        if last:
            _open_next(home, db, run.id, claim.step, runs.results(db, run.id, claim.step))


def end(home: Home, db: Session, run: int, state: str, error: dict[str, Any] | None = None) -> None:
    """Ends a run that is active, and reports it."""
    report_end(home, db, runs.end(db, run, state, error))


def report_end(home: Home, db: Session, run: Run) -> None:
    """Says in the lineage that a run was refused, has failed or was cancelled; nothing for other states."""
    if run.state in ("refused", "failed", "cancelled"):
        from engine import report  # OpenLineage: loaded when there is something to tell

        lineage.save_events(db, run.id, report.ended(home.settings, run))


def _open_next(home: Home, db: Session, run: int, step: str, results: Specs) -> None:
    if step == "plan":
        runs.offer(db, run, "explore", results[0]["parts"])
    elif step == "contract":
        explored = runs.results(db, run, "explore")
        files = [file["path"] for result in explored for file in result["files"]]
        if files:
            runs.offer(db, run, "chart", [{"path": path, "index": n} for n, path in enumerate(files)])
        else:
            runs.offer(db, run, "publish", [{}])
    elif step == "publish" and results[0]["refused"]:
        end(home, db, run, "refused", results[0]["refused"])
    elif step == "navigate":
        runs.end(db, run, "succeeded")
    else:
        runs.offer(db, run, list(STEPS)[list(STEPS).index(step) + 1], [{}])
