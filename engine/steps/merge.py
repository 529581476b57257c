"""Takes what this run has charted into the version that it builds upon, by key, and measures what comes of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from core.models import LINE, ColumnType, Verdict
from engine import vault
from engine.chart import marked, merge, ruled, write
from engine.chart.mask import Masker
from engine.home import masking_key
from engine.increment import Published
from engine.steps import raw
from engine.steps.job import Done, Job, Specs
from engine.store import datasets


def do(job: Job) -> Done:
    charted = job.results("chart")
    rejected = _rejected_keys(job)
    files = [(c["path"], c["rows"]) for c in charted]
    if job.base:
        files = _merged(job, job.base, charted, rejected)
    kept = _marks(job, charted, rejected)
    return Done(
        {"files": [{"path": path, "rows": rows} for path, rows in files], **kept},
        rows=sum(c["rows"] for c in charted),
    )


def _rejected_keys(job: Job) -> list[pl.DataFrame]:
    """The published keys of the rejected rows with their lines, of each raw file."""
    types, _ = job.decided()
    masker, rejects = raw.masker(job), job.results("rejects")[0]["rejects"]
    return [
        write.keys(Path(path), write.rejected_rows(rejects, index), job.pipeline.key, masker, types, job.timezone)
        for index, path in enumerate(_raw_files(job))
    ]


def _raw_files(job: Job) -> list[str]:
    return [file["path"] for result in job.results("explore") for file in result["files"]]


def _merged(job: Job, base: Published, charted: Specs, rejected: list[pl.DataFrame]) -> list[tuple[str, int]]:
    types, _ = job.decided()
    masker = raw.masker(job)
    with job.home.database.read() as db:
        published = datasets.files(db, base.version.id)

    def target(number: int) -> Path:
        return _folder(job) / f"run-{job.run.id}-merged-{job.stem}-{number:05d}.parquet"

    again = {column: Verdict.from_json(v) for column, v in job.results("verdicts")[0]["again"].items()}
    columns = charted[0]["columns"]
    if again or columns != base.version.columns:
        published = [
            (str(target(-number)), _as_now(Path(path), again, masker, types, columns, target(-number), job))
            for number, (path, _) in enumerate(published, 1)
        ]
    keys = pl.concat(rejected).drop(LINE)
    return merge.Merge(
        published, [(c["path"], c["rows"]) for c in charted], keys, job.pipeline.key, list(columns)
    ).into(target, job.progress, job.raw_folder / f"merge-{job.stem}.spill")


def _folder(job: Job) -> Path:
    return job.home.settings.charted_zone / job.pipeline.name


def _marks(job: Job, charted: Specs, rejected: list[pl.DataFrame]) -> dict[str, Any]:
    """The marks of the version to come, and what its rules give."""
    contract, (_, verdicts) = job.results("contract")[0], job.decided()
    secret = marked.salt(masking_key(job.home))
    personal = frozenset(column for column, verdict in verdicts.items() if verdict.action != "keep")
    form = json.dumps([raw.form(verdicts[column]) for column in job.pipeline.key])
    spill = job.raw_folder / f"merge-{job.stem}.spill"

    def target(name: str) -> Path:
        return _folder(job) / f"run-{job.run.id}-{name}-{job.stem}.parquet"

    fresh = marked.write(
        Path(contract["draft"]), _keys(job, charted, rejected), contract["planned"], personal, secret,
        target("marks"), spill, job.progress,
    )  # fmt: skip
    before: Specs = []
    lost = 0
    if base := job.base:
        known = base.version.marks or {}
        if known.get("key") == form:
            before, lost = known["files"], known["lost"]
        else:
            lost = base.version.rows  # by another key they cannot be found again
    files = [*before, fresh.as_json()] if fresh.rows or not before else before
    rows = raw.rows(job)
    with marked.opened([file["path"] for file in files], spill, job.progress) as all_of_them:
        results = all_of_them.scored(contract["planned"], rows.others, personal, rows.now, secret, job.pipeline.name, lost)
        if len(files) > marked.MOST_FILES:
            files = [all_of_them.into_one(target("marks-joined")).as_json()]
    return {"marks": {"key": form, "files": files, "lost": lost}, "results": [vars(result) for result in results]}


def _keys(job: Job, charted: Specs, rejected: list[pl.DataFrame]) -> Iterator[tuple[int, pl.DataFrame]]:
    """The key of each row of each raw file, as it is or would be published."""
    for index, (path, part, gone) in enumerate(zip(_raw_files(job), charted, rejected, strict=True)):
        lines = pl.read_parquet(path, columns=[LINE])[LINE]
        accepted = lines.filter(~lines.is_in(gone[LINE].implode()))
        there = pl.read_parquet(part["path"], columns=job.pipeline.key).select(job.pipeline.key)
        yield index, pl.concat(
            pl.DataFrame({LINE: numbers, marked.KEY: marked.key_texts(keys)})
            for numbers, keys in ((accepted, there), (gone[LINE], gone.drop(LINE)))
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
