"""One run from start to end: which step follows which, and how it starts, ends and is tried again."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from core import pipeline_stored
from core.errors import BadPipeline, Cancelled, CannotWrite, Refused
from core.pipeline import Pipeline
from engine import faults
from engine.duties import Apart, words
from engine.home import Home
from engine.personal import rulings
from engine.runs import follow_ups, increment, owner, steps
from engine.runs.steps.job import Job, Progress, Specs
from engine.runs.sweep import sweep_unmasked
from engine.sql import contained
from engine.sql.child import Limits
from engine.store import leases, lineage, privacy, quality, runs
from engine.store.tables import Run

log = logging.getLogger("atlas.runs")

FROM_SOURCE = ("plan", "explore")
BEFORE_SQL = ("plan", "explore", "remask")  # soon after these steps a run needs the child that runs SQL
UNTIL_CONTRACT = ("plan", "explore", "verdicts", "rejects", "contract")
STEPS_UNTIL_PUBLISH = (*UNTIL_CONTRACT, "chart")  # a retry merges again: another version may be published by now


def start(
    db: Session, pipeline: Pipeline, by: str, *, full: bool = False, request_id: str | None = None
) -> tuple[Run, bool]:
    """A new run, or the active one and True."""
    started = runs.start(db, pipeline, by, "plan", full=full, request_id=request_id)
    faults.point("start.saved")
    return started


def reap(home: Home) -> Apart:
    """Offers the work of dead workers to others, and ends the runs that nobody may go on with.

    Each run is on its own; returns what failed.
    """
    apart = Apart()
    with home.database.read() as db:
        found = {part.run_id for part in leases.expired(db, owner.is_dead, home.settings.lease_seconds)}
    for number in sorted(found):
        with apart(f"run {number}"):
            faults.point("reap.found")
            with home.database.write() as db:
                for run in leases.reap(db, owner.is_dead, home.settings.lease_seconds, number):
                    follow_ups.follow(home, db, run)
                faults.point("reap.saved")
            faults.point("reap.committed")
    return apart


def retry(
    home: Home, db: Session, number: int, pipeline: Pipeline, by: str, *, request_id: str | None = None
) -> tuple[Run, bool]:
    """A new run from the first step of another that did not finish; what the pipeline file changed is done anew.

    Raises Refused if there is nothing to retry.
    """
    old = runs.get(db, number)
    if old.state in runs.ACTIVE:
        return old, True
    if old.state == "succeeded" and (failed := [t["name"] for t in old.tables or () if t["state"] == "failed"]):
        raise Refused(
            f"Run `#{number}` succeeded but for {', '.join(f'`{name}`' for name in failed)}, which was not built.",
            hint=f"why {failed[0]}",
        )
    if old.state == "succeeded":
        raise Refused(f"Run `#{number}` succeeded: there is nothing to retry.", hint=f"run {old.pipeline}")
    if rulings.is_masking(db, old):
        return _mask_again(db, old)
    later = [run for run in runs.page(db, pipeline=old.pipeline) if run.id > number and run.state == "succeeded"]
    good = next((run for run in later if not rulings.is_masking(db, run)), None)
    if good:
        raise Refused(
            f"Run `#{good.id}` has published newer data than run `#{number}` read.", hint=f"run {old.pipeline}"
        )
    before = pipeline_stored.read(old.pipeline, old.definition)
    keep: tuple[str, ...]
    if before == pipeline:
        # a refused run finished every step: its verdict on the same data would be the same
        keep = STEPS_UNTIL_PUBLISH if old.state != "refused" else ()
    else:
        keep = FROM_SOURCE if before.source == pipeline.source else ()
    return _again(home, db, old, pipeline, by, keep, request_id)


def _mask_again(db: Session, old: Run) -> tuple[Run, bool]:
    before = runs.newest(db, old.pipeline)
    run = rulings.mask_again(db, old.pipeline)
    if run is None:
        raise Refused(f"Nothing of `{old.pipeline}` is left to be masked.", hint=f"pii {old.pipeline}")
    joined = before is not None and before.id == run.id
    if not joined:
        run.retry_of = old.id
    return run, joined


def replay(home: Home, db: Session, pipeline: Pipeline, by: str, *, request_id: str | None = None) -> tuple[Run, bool]:
    """A new run over the raw rows of the last one, by the rules as they are now. Raises Refused if they are gone."""
    for old in runs.page(db, pipeline=pipeline.name, limit=20):
        if old.state in runs.ACTIVE:
            return old, True
        explored = runs.results(db, old.id, "explore")
        if explored and all(explored):
            numbers, merge = increment.sources_of_raw(db, old)
            if not merge and len(numbers) == 1:
                return _again(home, db, old, pipeline, by, FROM_SOURCE, request_id)
            return _again(home, db, old, pipeline, by, (), request_id, {"replay": numbers, "merge": merge})
    raise Refused(f"No run of `{pipeline.name}` has read anything yet.", hint=f"run {pipeline.name}")


def _again(
    home: Home, db: Session, old: Run, pipeline: Pipeline, by: str, keep: tuple[str, ...], request_id: str | None,
    plan: dict[str, Any] | None = None,
) -> tuple[Run, bool]:  # fmt: skip
    explored = runs.results(db, old.id, "explore")
    if not all(explored):
        keep = ()  # the source may have changed meanwhile
    if (plan and not plan["replay"]) or (keep and not all(map(increment.raw_is_there, explored))):
        raise Refused(
            f"The raw rows of run `#{old.id}` are gone: they are kept {pipeline.privacy.raw_retention_days} days.",
            hint=f"run {pipeline.name}",
        )
    if not all(Path(result["path"]).exists() for result in runs.results(db, old.id, "chart") if result):
        keep = keep[: len(UNTIL_CONTRACT)]  # swept meanwhile
    run, joined = runs.start(db, pipeline, by, "plan", full=old.full, again=old, request_id=request_id)
    if not joined:
        from engine.lineage import of_runs

        lineage.save_events(db, run.id, of_runs.started(home.settings, run))
        copied = runs.copy_finished(db, old.id, run.id, keep)
        if "contract" in copied:
            quality.copy(db, old.id, run.id)
        if "rejects" in copied:
            privacy.copy(db, old.id, run.id)
        if copied:
            _open_next(home, db, run.id, copied[-1], runs.results(db, run.id, copied[-1]))
        else:
            runs.offer(db, run.id, "plan", [plan or {}])
    return run, joined


def work(home: Home, claim: leases.Claim, progress: Progress) -> None:
    """Does one part and saves it, with all that follows from it, in one transaction.

    Raises LeaseLost, Cancelled, or what kept the step from being done.
    """
    with home.database.read() as db:
        run = runs.get(db, claim.run)
    if run.cancel_requested:
        raise Cancelled(f"Run `#{run.id}` was cancelled.")
    job = Job(home, run, _definition(home, run), claim, progress)
    if claim.step in BEFORE_SQL:
        contained.warm(Limits.of(home.settings))
    faults.point(f"{claim.step}.begun")
    try:
        done = steps.do(job)
    except OSError as error:
        if error.errno is None:
            raise  # not the disk's: a library's own
        raise CannotWrite(
            f"ATLAS_HOME cannot be written to: {os.strerror(error.errno)}.", hint=f"Make room, then: retry {run.id}"
        ) from error
    faults.point(f"{claim.step}.written")
    with home.database.write() as db:
        last = leases.complete(db, claim, done.result, done.rows)
        if done.save:
            done.save(db)
        if last:
            _open_next(home, db, run.id, claim.step, runs.results(db, run.id, claim.step))
        faults.point(f"{claim.step}.saved")
    faults.point(f"{claim.step}.committed")
    if claim.step == "navigate":
        try:
            sweep_unmasked(home)
        except Exception as error:  # noqa: BLE001 - the run has ended well; the hourly sweep removes what is left
            log.warning("the sweep after run %s failed: %s", run.id, words(error))


def _definition(home: Home, run: Run) -> Pipeline:
    """The pipeline to work by. Raises BadPipeline if this version of Atlas does not understand all of it.

    A run that masks what is published may go on without the rest: it hides what is not understood.
    """
    try:
        return Pipeline.model_validate(run.definition)
    except ValidationError as error:
        with home.database.read() as db:
            if rulings.is_masking(db, run):
                return pipeline_stored.read(run.pipeline, run.definition)
        where = ".".join(map(str, error.errors()[0]["loc"]))[:200]
        raise BadPipeline(
            f"Another version of Atlas started run `#{run.id}`; this one does not understand `{where}`.",
            hint=f"run {run.pipeline}",
        ) from None


def end(home: Home, db: Session, run: int, state: str, error: dict[str, Any] | None = None) -> None:
    """Ends a run that is active. What follows from its end cannot keep it from ending."""
    follow_ups.follow(home, db, runs.end(db, run, state, error))
    faults.point("end.saved")


def cancel(home: Home, db: Session, number: int) -> Run:
    """Asks a run to stop, or ends it if nobody works on it. Raises NotFound, Refused."""
    run = runs.cancel(db, number)
    if run.state not in runs.ACTIVE:
        follow_ups.follow(home, db, run)
    return run


def _open_next(home: Home, db: Session, run: int, step: str, results: Specs) -> None:
    if step == "plan":
        runs.offer(db, run, "explore", results[0]["parts"], results[0].get("lane"))
    elif step == "remask":
        specs = [{"path": file["path"], "index": n} for n, file in enumerate(results[0]["files"])]
        runs.offer(db, run, *(("chart", specs) if specs else ("publish", [{}])))
    elif step == "chart" and runs.parts(db, run, "remask"):
        runs.offer(db, run, "publish", [{}])
    elif step in ("explore", "verdicts", "rejects", "contract", "chart"):
        _open_side_by_side(db, run, step)
    elif step == "publish" and results[0].get("again"):  # a ruling came while it ran
        runs.offer(db, run, results[0]["again"], [{}])
    elif step == "publish" and results[0]["refused"]:
        end(home, db, run, "refused", results[0]["refused"])
    elif step == "navigate":
        follow_ups.follow(home, db, runs.end(db, run, "succeeded"))
    else:
        runs.offer(db, run, steps.NAMES[steps.NAMES.index(step) + 1], [{}])


def _open_side_by_side(db: Session, run: int, step: str) -> None:
    """What follows in the middle of a run, where one worker measures the contract while others judge and chart.

    The contract needs the verdicts only if a rule looks into another dataset, whose values may be masked.
    """
    explored = runs.results(db, run, "explore")
    files = [{"path": file["path"], "index": n} for n, file in enumerate(f for r in explored for f in r["files"])]
    if step == "explore":
        runs.offer(db, run, "verdicts", [{}])
    elif step == "verdicts":
        runs.offer(db, run, "rejects", [{}])
    row = runs.get(db, run)
    looks_elsewhere = bool(pipeline_stored.read(row.pipeline, row.definition).quality.datasets)
    if step == "rejects" if looks_elsewhere else not runs.parts(db, run, "contract") and step != "chart":
        runs.offer(db, run, "contract", [{}])
    if step == "rejects" or (runs.is_done(db, run, "rejects") and not runs.parts(db, run, "chart")):
        runs.offer(db, run, "chart", files)
    if all(runs.is_done(db, run, step) for step in ("rejects", "contract", *(["chart"] if files else []))):
        merged = row.definition["source"].get("cursor") or any(
            plan.get("base") for plan in runs.results(db, run, "plan")
        )
        runs.offer(db, run, "merge" if merged else "publish", [{}])
