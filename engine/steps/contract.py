"""Measures the contract on all raw rows, those that Chart leaves out among them."""

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from engine.chart import quality as contract
from engine.chart import score
from engine.child import Limits
from engine.steps import raw
from engine.steps.job import Done, Job
from engine.store import quality


def do(job: Job) -> Done:
    base = job.base
    if base and not any(result["rows"] + result["rejected"] for result in job.results("explore")):
        return _nothing_new(job, base.version.run_id)
    job.make_raw_folder()
    job.progress(0)
    results = contract.measured(
        job.pipeline,
        raw.rows(job),
        job.raw_folder / f"contract-{job.stem}.spill",
        lambda: job.progress(0),
        Limits.of(job.home.settings),
    )
    # whether a column holds personal data may not be known yet; publish saves the age of one that does not
    shown = [
        replace(r, failed=0, tested=0, note="the run has not published anything", newest=None)
        if r.tested and r.dimension == "timeliness" else r
        for r in results
    ]  # fmt: skip
    scores = score.scores(shown)

    def save(db: Session) -> None:
        quality.save(db, job.run.id, job.pipeline.name, shown, scores.overall, scores.dimensions)

    return Done({"overall": scores.overall, "results": [vars(result) for result in results]}, save=save)


def _nothing_new(job: Job, before: int) -> Done:
    """No row came: what was measured of the version that stays, by an earlier run, is what holds."""
    with job.home.database.read() as db:
        score = quality.score(db, before)
    overall = score.overall if score else None
    result: dict[str, Any] = {"overall": overall, "results": [], "nothing_new": True}
    return Done(result, save=lambda db: quality.copy(db, before, job.run.id))
