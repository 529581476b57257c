"""Reads one part of the source into raw files."""

from core import parts
from core.models import SourcePart
from engine.explore import again, ingest
from engine.steps.job import Done, Job


def do(job: Job) -> Done:
    part = SourcePart(**job.claim.spec)
    job.make_raw_folder()
    if "raw" in part.spec:
        batches = again.read(part, job.pipeline.key)
    else:
        connector = parts.load("connector", job.pipeline.source["connector"])
        batches = connector.read(job.source(connector), part)
    read = ingest.ingest(batches, job.raw_folder, job.stem, job.progress)
    return Done({**read.as_json(), "name": part.name}, rows=read.rows + read.rejected)
