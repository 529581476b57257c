"""What the rules of a contract are measured on: the raw rows of this run, beside the other datasets."""

from datetime import UTC, datetime
from functools import partial

import polars as pl

from core.models import RawFile, Verdict
from engine import catalog
from engine.contract.rows import Raw
from engine.explore.ingest import Ingested
from engine.home import masking_key
from engine.personal.mask import Masker
from engine.runs.steps import columns
from engine.runs.steps.job import Job
from engine.store import datasets


def rows(job: Job) -> Raw:
    """The raw rows, in the types that they are charted in, whether the verdicts are known by now or not."""
    read = [Ingested.from_json(result) for result in job.results("explore")]
    types, verdicts = job.decided() if any(job.results("verdicts")) else (columns.decided(job, read).types, {})
    with job.home.database.read() as db:
        named = job.pipeline.quality.datasets - {job.pipeline.name}
        others = {name: table for name, (table, _) in datasets.tables(db, named).items()}
    files = [RawFile(file.path, file.rows) for one in read for file in one.files]
    bad = next((result.get("bad", ()) for result in job.results("verdicts") if result), ())
    forms = {column: form(verdict) for column, verdict in verdicts.items()}
    absent = {name: _why_absent(job, name) for name in named - set(others)}
    mask = partial(_masked, job)
    return Raw(files, types, job.timezone, others, mask, datetime.now(UTC), tuple(bad), forms, absent)


def form(verdict: Verdict) -> str:
    """Tells apart the ways in which a value can be published."""
    return f"{verdict.action} {verdict.scope} {'/'.join(verdict.types[:1])}" if verdict.action != "keep" else "keep"


def _why_absent(job: Job, name: str) -> str:
    known = list(catalog.files(job.home.settings.pipelines))
    if name in known:
        return f"`{name}` has not run yet"
    missing = catalog.nearest("dataset", name, known)
    return f"{missing.message[0].lower()}{missing.message[1:-1]}"


def masker(job: Job) -> Masker:
    """What masks by the verdicts of this run."""
    return Masker(job.decided()[1], masking_key(job.home), job.timezone, job.home.settings.name_models)


def _masked(job: Job, column: str, values: pl.Series) -> pl.Series:
    return masker(job)(values.alias(column).to_frame()).to_series()
