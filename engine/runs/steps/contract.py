"""Measures the contract on all raw rows, those that Chart leaves out among them.

Of rows that are merged it only notes what each says of each rule: the merged version is measured when it is known.
"""

from dataclasses import replace

from sqlalchemy.orm import Session

from engine.contract import marks, score
from engine.contract import measure as contract
from engine.runs.steps import raw
from engine.runs.steps.job import Done, Job
from engine.sql.child import Limits
from engine.store import quality


def do(job: Job) -> Done:
    job.make_raw_folder()
    job.progress(0)
    rows, limits = raw.rows(job), Limits.of(job.home.settings)
    spill = job.raw_folder / f"contract-{job.stem}.spill"
    if job.keeps_marks:
        draft = job.raw_folder / f"contract-{job.stem}.parquet"
        planned = marks.marked(job.pipeline, rows, draft, spill, lambda: job.progress(0), limits)
        return Done({"draft": str(draft), "planned": planned})
    results = contract.measured(job.pipeline, rows, spill, lambda: job.progress(0), limits)
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
