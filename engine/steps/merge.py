"""Takes what this run has charted into the version that it builds upon, by key."""

from pathlib import Path

import polars as pl

from core.models import ColumnType, Verdict
from engine import vault
from engine.chart import merge, ruled, write
from engine.chart.mask import Masker
from engine.steps import raw
from engine.steps.job import Done, Job
from engine.store import datasets


def do(job: Job) -> Done:
    types, _ = job.decided()
    base = job.base
    assert base is not None
    masker = raw.masker(job)
    charted, rejects = job.results("chart"), job.results("rejects")[0]["rejects"]
    with job.home.database.read() as db:
        published = datasets.files(db, base.version.id)
    folder = job.home.settings.charted_zone / job.pipeline.name

    def target(number: int) -> Path:
        return folder / f"run-{job.run.id}-merged-{job.stem}-{number:05d}.parquet"

    again = {column: Verdict.from_json(v) for column, v in job.results("verdicts")[0]["again"].items()}
    columns = charted[0]["columns"]
    if again or columns != base.version.columns:
        published = [
            (str(target(-number)), _as_now(Path(path), again, masker, types, columns, target(-number), job))
            for number, (path, _) in enumerate(published, 1)
        ]
    files = [file["path"] for result in job.results("explore") for file in result["files"]]
    rejected = [
        write.keys(Path(path), lines, job.pipeline.key, masker, types, job.timezone)
        for index, path in enumerate(files)
        if len(lines := write.rejected_rows(rejects, index)) or not index
    ]
    merged = merge.Merge(
        published, [(c["path"], c["rows"]) for c in charted], pl.concat(rejected), job.pipeline.key, list(columns)
    ).into(target, job.progress, job.raw_folder / f"merge-{job.stem}.spill")
    return Done(
        {"files": [{"path": path, "rows": rows} for path, rows in merged]}, rows=sum(c["rows"] for c in charted)
    )


def _as_now(
    path: Path, again: dict[str, Verdict], masker: Masker, types: dict[str, ColumnType], columns: dict[str, str],
    target: Path, job: Job,
) -> int:  # fmt: skip
    """A published file with the columns of the version to come, those that hide more by now masked again."""
    known = {c: ruled.without_raw_rows(v, masker.verdicts[c], types[c]) for c, v in again.items()}
    over = Masker(masker.verdicts | known, masker.key, masker.timezone, masker.models)
    rows, _ = write.remasked(path, again, over, types, target, job.progress, columns)
    vault.keep(job.home.database, job.pipeline.name, over.key, over.tokens, lambda: job.progress(rows))
    return rows
