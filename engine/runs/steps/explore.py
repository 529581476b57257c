"""Reads one part of the source into raw files."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from core import parts
from core.errors import SourceUnreadable
from core.models import Remark, SourcePart
from engine.explore import again, ingest
from engine.runs.steps.job import Done, Job

T = TypeVar("T")


def do(job: Job) -> Done:
    part = SourcePart(**job.claim.spec)
    job.make_raw_folder()
    if "raw" in part.spec:
        batches = again.read(part, job.pipeline.key)
    else:
        connector = parts.load("connector", job.pipeline.source["connector"])
        batches = _told_apart(connector.read(job.source(connector), part), part.name, job.pipeline.key)
    read = ingest.ingest(batches, job.raw_folder, job.stem, job.progress)
    return Done({**read.as_json(), "name": part.name}, rows=read.rows + read.rejected)


def _told_apart(batches: Iterable[T | Remark], name: str, key: list[str]) -> Iterator[T | Remark]:
    """What a connector reads. Raises SourceUnreadable if rows may have come twice and no key tells which."""
    for batch in batches:
        if isinstance(batch, Remark) and batch.doubt:
            if not key:
                raise SourceUnreadable(
                    f"`{name}`: {batch.text}.",
                    hint="Name the columns that tell records apart, and each is published once: key: [id]",
                )
            batch = Remark(records=batch.records)  # the step `rejects` reports records that share a key
        yield batch
