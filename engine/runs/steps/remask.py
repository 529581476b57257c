"""Lists what is published, with its verdicts as the rulings are by now: the first step of a run that masks it."""

from engine.lineage import of_runs
from engine.navigate import warehouse
from engine.personal import rulings
from engine.runs import increment
from engine.runs.steps.job import Done, Job
from engine.store import datasets, lineage, privacy


def do(job: Job) -> Done:
    warehouse.follow(job.home, lambda: job.progress(0))  # takes away what shows too much, before the work begins
    with job.home.database.read() as db:
        version = datasets.get(db, job.pipeline.name)[1]
        table = datasets.table(db, *datasets.get(db, job.pipeline.name))
        changed = rulings.tightened(db, version)
        published = privacy.verdicts(db, version.run_id)
        types = rulings.decided_types(db, version.run_id)
        decision = increment.decision(db, version.run_id)
    told = of_runs.remasking(job.home.settings, job.run)
    return Done(
        {
            "version": version.id,
            "files": [{"path": str(path)} for path in table.files],
            "types": {column: vars(kind) for column, kind in types.items()},
            "profile": decision.get("profile"),
            "spoilt": decision.get("spoilt", []),
            "verdicts": [changed.get(row.column, privacy.verdict(row)).as_json() for row in published],
            "published": {row.column: privacy.verdict(row).as_json() for row in published if row.column in changed},
        },
        save=lambda db: lineage.save_events(db, job.run.id, told),
    )
