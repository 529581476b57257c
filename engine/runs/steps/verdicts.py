"""Decides once, from the whole input, what each column holds and what is done with it."""

import polars as pl

from core import parts
from core.errors import BadPipeline, SourceUnreadable
from core.models import ColumnType, Verdict
from engine import catalog
from engine.explore import decide, ingest, sample
from engine.explore.profile import Profile
from engine.explore.types import text_is_known
from engine.lineage import of_runs
from engine.personal import detect, rulings
from engine.runs import increment
from engine.runs.steps import columns
from engine.runs.steps.job import Done, Job
from engine.store import lineage


def do(job: Job) -> Done:
    read = [ingest.Ingested.from_json(result) for result in job.results("explore")]
    base = job.base
    made = columns.decided(job, read)
    whole, types = made.profile, made.types
    all_of_them = catalog.pipelines(job.home.settings.pipelines)[0]
    rows = sample.merge([r.sample_file for r in read])
    rows = rows.with_columns(pl.lit(None, pl.String).alias(column) for column in types if column not in rows.columns)
    keyed = catalog.keyed_columns(job.pipeline, all_of_them)
    verdicts = detect.verdicts(rows, types, job.pipeline.privacy.columns, keyed)
    with job.home.database.read() as db:
        verdicts = rulings.under_rulings(db, job.pipeline, verdicts, types, all_of_them, job.timezone)
    again: dict[str, Verdict] = {}
    told: list[str] = []
    if base:
        verdicts, again, told = increment.joined(base.verdicts, verdicts, types)
    # nobody reads masked values as numbers or dates; what is declared holds all the same
    read_so = {c for c, verdict in verdicts.items() if verdict.action == "keep" or c in job.pipeline.columns}
    shown = {column: what for column, what in made.told.items() if column in read_so}
    _can_be_read_on(job, whole, types, verdicts, again)
    events = of_runs.explored(job.home.settings, job.run, list(types), sum(r.rows for r in read), len(read))
    return Done(
        {
            "types": {column: vars(kind) for column, kind in types.items()},
            "profile": whole.to_json(),
            "verdicts": [verdicts[column].as_json() for column in types],
            "again": {column: verdict.as_json() for column, verdict in again.items()},
            "told": [*told, *decide.sentences(shown)],
            "spoilt": sorted(made.spoilt),
            "bad": sorted(read_so.intersection(made.bad)),
            "edges": events.edges,
        },
        save=lambda db: lineage.save_events(db, job.run.id, events.events),
    )


def _can_be_read_on(
    job: Job, whole: Profile, types: dict[str, ColumnType], verdicts: dict[str, Verdict], again: dict[str, Verdict]
) -> None:
    """Raises BadPipeline if the cursor cannot say what is new, SourceUnreadable if old keys cannot be found again."""
    cursor, name = job.pipeline.source.get("cursor"), job.pipeline.name
    if not cursor:
        return
    if cursor not in types:
        raise BadPipeline(
            f"`{name}.yml` names the cursor `{cursor}`, which the source does not have.",
            hint=f"It has: {', '.join(types)}." if types else None,
        )
    if verdicts[cursor].action != "keep":
        raise BadPipeline(
            f"`{name}.yml` names the cursor `{cursor}`, which holds personal data: a cursor is kept as it is.",
            hint="Name a time or a number, or rule that it is none.",
        )
    connector = parts.load("connector", job.pipeline.source["connector"])
    in_order = getattr(connector, "CURSOR_IS_OF_A_TYPE", False)
    if whole.columns[cursor].filled and types[cursor].kind == "text" and not in_order:
        raise BadPipeline(
            f"`{name}.yml` names the cursor `{cursor}`, whose values are not all numbers, dates or times.",
            hint="Name a column that says when a row was changed.",
        )
    known = [column for column in job.pipeline.key if column in again and not text_is_known(types[column])]
    if known:
        raise SourceUnreadable(
            f"The key `{known[0]}` of `{name}` is masked in another way now: its older rows cannot be found again.",
            hint=f"run {name} --full",
        )
