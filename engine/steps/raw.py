"""What the rules of a contract are measured on: the raw rows of this run, beside the other datasets."""

from datetime import UTC, datetime

from core.models import RawFile
from engine.chart.mask import Masker
from engine.chart.rows import Raw
from engine.home import masking_key
from engine.steps.job import Job
from engine.store import datasets


def rows(job: Job) -> tuple[Raw, Masker]:
    """The raw rows, and what masks their values where they are compared or shown."""
    types, verdicts = job.decided()
    files = [RawFile(**file) for result in job.results("explore") for file in result["files"]]
    masker = Masker(verdicts, masking_key(job.home), job.timezone, job.home.settings.name_models)
    with job.home.database.read() as db:
        others = {name: table for name, (table, _) in datasets.tables(db).items() if name != job.pipeline.name}
    raw = Raw(
        files, types, job.timezone, others,
        lambda column, values: masker(values.alias(column).to_frame()).to_series(),
        datetime.now(UTC),
    )  # fmt: skip
    return raw, masker
