"""Asks the connector what there is to read; where the last version was read up to a cursor, what came since."""

from core import parts
from core.errors import SourceMissing
from core.models import SourcePart
from engine.lineage import of_runs
from engine.runs import increment
from engine.runs.steps.job import Done, Job
from engine.store import datasets, lineage, runs


def do(job: Job) -> Done:
    if job.claim.spec.get("replay"):
        return _plan_replay(job)
    connector = parts.load("connector", job.pipeline.source["connector"])
    source = job.source(connector)
    with job.home.database.read() as db:
        base = None if job.run.full else increment.base(db, job.pipeline)
    since = base.cursor["value"] if base and base.cursor else None
    folder = job.home.settings.pipelines.absolute()
    found: list[SourcePart] = []
    for part in connector.parts(source, folder) if since is None else connector.parts(source, folder, since):
        found.append(part)
        job.progress(0)
    if not found:
        raise SourceMissing(f"The source of `{job.pipeline.name}` has nothing to read.")
    # a retry has told that it started when it was asked for
    started = of_runs.started(job.home.settings, job.run) if job.run.retry_of is None else []
    return Done(
        {
            "parts": [{"name": part.name, "spec": part.spec} for part in found],
            "lane": connector.place(source) if hasattr(connector, "place") else None,
            "base": base.id if base else None,
        },
        save=lambda db: lineage.save_events(db, job.run.id, started),
    )


def _plan_replay(job: Job) -> Done:
    """The raw files of earlier runs; of rows that were read several times, the last is taken."""
    spec = job.claim.spec
    with job.home.database.read() as db:
        explored = {number: runs.results(db, number, "explore") for number in spec["replay"]}
        base = datasets.current_version(db, job.pipeline.name) if spec["merge"] else None
    found = []
    for number, results in explored.items():
        later = [file["path"] for n, rs in explored.items() if n > number for r in rs for file in r["files"]]
        for result in results:
            raw = {"raw": result["files"], "rejects": result["rejects_file"], "later": later,
                   "remarks": result["remarks"]}  # fmt: skip
            found.append({"name": f"{result['name']} of run #{number}", "spec": raw})
    return Done({"parts": found, "lane": None, "base": base.id if base else None})
