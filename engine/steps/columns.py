"""What the columns of a run hold: decided from all profiles, and from the version before."""

from collections.abc import Sequence

from core import parts
from core.errors import SourceUnreadable
from core.models import ColumnType
from engine import increment
from engine.explore import profile, settled
from engine.explore.ingest import Ingested
from engine.explore.profile import Profile
from engine.steps.job import Job
from engine.store import datasets


def decided(job: Job, read: Sequence[Ingested]) -> tuple[Profile, dict[str, ColumnType]]:
    """The profile of the whole input and the types of its columns. Raises SourceUnreadable if a column is lost."""
    base = job.base
    whole = profile.merge([*([base.profile] if base and base.profile else []), *(r.profile for r in read)])
    with job.home.database.read() as db:
        before = None if job.run.full else increment.published(db, job.pipeline.name)
    _nothing_is_lost(job, [column for r in read for column in r.columns], base is not None)
    return whole, settled.settled(whole, before.types, before.filled()) if before else profile.types(whole)


def _nothing_is_lost(job: Job, columns: list[str], incremental: bool) -> None:
    connector = parts.load("connector", job.pipeline.source["connector"])
    if job.run.full or (incremental and getattr(connector, "RECORDS_NAME_THEIR_COLUMNS", False)):
        return  # a few records say nothing of the columns of all
    with job.home.database.read() as db:
        version = datasets.current_version(db, job.pipeline.name)
    lost = [column for column in version.columns if column not in columns] if version else []
    if version is not None and lost:
        names = ", ".join(f"`{column}`" for column in lost)
        new = ", ".join(f"`{column}`" for column in dict.fromkeys(columns) if column not in version.columns)
        told = f" New in it: {new}." if new else ""
        raise SourceUnreadable(
            f"The source of `{job.pipeline.name}` no longer has {names}.{told} Nothing was published.",
            hint=f"If that is meant: run {job.pipeline.name} --full",
        )
