"""What the columns of a run hold: decided from all of its rows, the pipeline file, and the version before."""

from collections.abc import Sequence
from difflib import get_close_matches

from core import parts
from core.errors import BadPipeline, SourceUnreadable
from core.models import ColumnType
from engine import catalog
from engine.explore import decide, fit, profile, sample
from engine.explore import types as column_types
from engine.explore.decide import Decided, Known
from engine.explore.ingest import Ingested
from engine.runs import increment
from engine.runs.steps.job import Job
from engine.store import datasets


def decided(job: Job, read: Sequence[Ingested]) -> Decided:
    """The types of the columns of the whole input, its profile, and what is to be told of them.

    Raises BadPipeline if the pipeline file declares a column that is not there, SourceUnreadable if one is lost.
    """
    base, pipeline = job.base, job.pipeline
    new = profile.merge(r.profile for r in read)
    whole = profile.merge([*([base.profile] if base and base.profile else []), new])
    with job.home.database.read() as db:
        published = None if job.run.full else increment.published(db, pipeline.name)
    _nothing_is_lost(job, [column for r in read for column in r.columns], base is not None)
    _declared_are_there(job, list(whole.columns))
    filled = published.filled() if published else {}
    before = {c: kind for c, kind in published.types.items() if filled.get(c)} if published else {}
    connector = parts.load("connector", pipeline.source["connector"])
    known = Known(
        pipeline.name, pipeline.columns, before,
        spoilt=frozenset(published.spoilt) if published else frozenset(),
        base=base.profile if base else None,
        bad_percent=job.home.settings.bad_values_percent,
        reject=pipeline.bad_values == "reject",
        native=getattr(connector, "TYPED", False),
    )  # fmt: skip
    files = [file for r in read for file in r.files]
    rows = sample.merge([r.sample_file for r in read])
    made = decide.decide(whole, rows, lambda asked: fit.look(files, asked, lambda: job.progress(0)), known)
    if base:
        _older_rows_fit(job, made.types, before)
    return made


def _declared_are_there(job: Job, columns: list[str]) -> None:
    for name in job.pipeline.columns:
        if columns and name not in columns:
            near = get_close_matches(name, columns, 1, 0.6)
            raise BadPipeline(
                f"`{job.pipeline.name}.yml` declares the column `{name}`, which the source does not have.",
                hint=f"Did you mean `{near[0]}`?" if near else f"It has: {', '.join(columns)}.",
            )


def _older_rows_fit(job: Job, types: dict[str, ColumnType], before: dict[str, ColumnType]) -> None:
    """Raises SourceUnreadable if published rows would have to be read anew to be of a type that was declared."""
    for name in job.pipeline.columns:
        was, now = before.get(name), types[name]
        if was is None or column_types.duckdb_type(was) == column_types.duckdb_type(now):
            continue
        if not {was.kind, now.kind} <= {"integer", "decimal"} or (was.kind, now.kind) == ("decimal", "integer"):
            dataset = job.pipeline.name
            raise SourceUnreadable(
                f"`{name}` of `{dataset}` is published as {was}, and `{dataset}.yml` declares {now}.",
                hint=f"To read its older rows again: run {dataset} --full",
            )


def _nothing_is_lost(job: Job, columns: list[str], incremental: bool) -> None:
    connector = parts.load("connector", job.pipeline.source["connector"])
    if job.run.full or (incremental and getattr(connector, "RECORDS_NAME_THEIR_COLUMNS", False)):
        return  # a few records say nothing of the columns of all
    with job.home.database.read() as db:
        version = datasets.current_version(db, job.pipeline.name)
    lost = [column for column in version.columns if column not in columns] if version else []
    if version is not None and lost:
        now, before = dict.fromkeys(columns), version.columns
        new = [column for column in now if column not in before]
        told = f" New in it: {_listed(new)}." if new else ""
        if len(now) != len(before):
            told += f" It has {len(now)} column{'' if len(now) == 1 else 's'} instead of {len(before)}."
        raise SourceUnreadable(
            f"The source of `{job.pipeline.name}` no longer has {_listed(lost)}.{told} Nothing was published.",
            hint=f"If its columns are right now: run {job.pipeline.name} --full",
        )


def _listed(names: list[str]) -> str:
    return catalog.listed([f"`{name}`" for name in names])
