"""Takes what this run has charted into the version that it builds upon, by key, and measures what comes of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from core.models import LINE, ColumnType, RawFile, Verdict
from engine.chart import merge, write
from engine.contract import counted, marked, marks
from engine.home import masking_key
from engine.personal import ruled, vault
from engine.personal.mask import Masker
from engine.runs.increment import Published
from engine.runs.steps import raw
from engine.runs.steps.job import Done, Job, Specs
from engine.sql.child import Limits
from engine.store import datasets, privacy

Files = list[tuple[str, int]]  # path, rows


def do(job: Job) -> Done:
    charted = job.results("chart")
    rejected = _rejected_keys(job)
    files = [(c["path"], c["rows"]) for c in charted]
    before: Files = []
    told: dict[str, Any] = {}
    if job.base:
        before = _before(job, job.base, charted[0]["columns"])
        files, left = _merged(job, before, charted, rejected)
        told = {"left": left, "masked_again": _masked_again(job, before)}
    kept = _marks(job, before, charted, rejected) | told
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


def _before(job: Job, base: Published, columns: dict[str, str]) -> Files:
    """The published files with the columns and masks of the version to come."""
    types, _ = job.decided()
    masker = raw.masker(job)
    with job.home.database.read() as db:
        published = datasets.files(db, base.version.id)
    again = {column: Verdict.from_json(v) for column, v in job.results("verdicts")[0]["again"].items()}
    if not again and columns == base.version.columns:
        return published
    targets = [_target(job, f"widened-{number:05d}") for number in range(len(published))]
    return [
        (str(target), _as_now(Path(path), again, masker, types, columns, target, job))
        for target, (path, _) in zip(targets, published, strict=True)
    ]


def _merged(
    job: Job, before: Files, charted: Specs, rejected: list[pl.DataFrame]
) -> tuple[Files, counted.Found]:  # fmt: skip
    """The files of the version to come, and how many masked cells left with rows that were replaced."""
    _, verdicts = job.decided()
    left: list[counted.Found] = []
    files = merge.Merge(
        before, [(c["path"], c["rows"]) for c in charted], pl.concat(rejected).drop(LINE), job.pipeline.key,
        list(charted[0]["columns"]), leaving=lambda rows: left.append(counted.masked(rows, verdicts)),
    ).into(lambda n: _target(job, f"merged-{n:05d}"), job.progress, _spill(job))  # fmt: skip
    return files, counted.together(left)


def _masked_again(job: Job, before: Files) -> counted.Found:
    """The masked cells of older rows in columns that hide more by now."""
    again, (_, verdicts) = list(job.results("verdicts")[0]["again"]), job.decided()
    found = []
    for path, _ in before if again else ():
        job.progress(0)
        found.append(counted.masked(pl.read_parquet(path, columns=again), verdicts))
    return {column: {} for column in again} | counted.together(found)


def _target(job: Job, name: str) -> Path:
    return job.home.settings.charted_zone / job.pipeline.name / f"run-{job.run.id}-{name}-{job.stem}.parquet"


def _spill(job: Job) -> Path:
    return job.raw_folder / f"merge-{job.stem}.spill"


def _marks(job: Job, published: Files, charted: Specs, rejected: list[pl.DataFrame]) -> dict[str, Any]:
    """The marks of the version to come, and what its rules give."""
    contract, (_, verdicts) = job.results("contract")[0], job.decided()
    planned: list[marks.Planned] = contract["planned"]
    secret = marked.salt(masking_key(job.home))
    personal = frozenset(column for column, verdict in verdicts.items() if verdict.action != "keep")
    form = json.dumps([raw.form(verdicts[column]) for column in job.pipeline.key])

    def written(draft: Path, keys: Iterator[tuple[int, pl.DataFrame]], name: str) -> str:
        return marked.write(draft, keys, planned, personal, secret, _target(job, name), _spill(job), job.progress)

    fresh = written(Path(contract["draft"]), _keys(job, charted, rejected), "marks")
    before: list[str] = []
    lost = 0
    if base := job.base:
        known = base.version.marks or {}
        if known.get("key") == form:
            before, lost = known["files"], known["lost"]
        else:
            lost = base.version.rows  # by another key they cannot be found again
    with marked.opened(before, secret, _spill(job), job.progress) as old:
        if names := old.unknown(planned) if before else []:
            draft, keys = _drafted_again(job, published)
            before = [old.filled(written(draft, keys, "marks-new"), names, _target(job, "marks-filled"))]
            draft.unlink()
    files = [*before, fresh]
    rows = raw.rows(job)
    with marked.opened(files, secret, _spill(job), job.progress) as all_of_them:
        name = job.pipeline.name
        results = all_of_them.scored(planned, rows.others, personal, rows.now, name, lost)
        if len(files) > marked.MOST_FILES:
            files = [all_of_them.into_one(_target(job, "marks-joined"))]
    return {"marks": {"key": form, "files": files, "lost": lost}, "results": [vars(result) for result in results]}


def _drafted_again(job: Job, published: Files) -> tuple[Path, Iterator[tuple[int, pl.DataFrame]]]:
    """Marks of what is published, by rules that are new: as far as its columns hold what the source held."""
    with job.home.database.read() as db:
        assert job.base
        found = {row.column: row.found for row in privacy.verdicts(db, job.base.version.run_id)}
    types, verdicts = job.decided()
    untouched = (c for c, v in verdicts.items() if v.action == "keep" and (types[c].kind != "text" or not found.get(c)))
    files = [RawFile(path, rows) for path, rows in published]
    rows = replace(raw.rows(job), files=files, plain=frozenset(untouched))
    draft = job.raw_folder / f"merge-{job.stem}.parquet"
    marks.marked(job.pipeline, rows, draft, _spill(job), lambda: job.progress(0), Limits.of(job.home.settings))
    keys = ((number, _published_keys(job, file.path)) for number, file in enumerate(files))
    return draft, keys


def _published_keys(job: Job, path: str) -> pl.DataFrame:
    keys = pl.read_parquet(path, columns=job.pipeline.key).select(job.pipeline.key)
    return marked.key_texts(keys).to_frame(marked.KEY).with_row_index(LINE)


def _keys(job: Job, charted: Specs, rejected: list[pl.DataFrame]) -> Iterator[tuple[int, pl.DataFrame]]:
    """The key of each row of each raw file, as it is or would be published."""
    for index, (path, part, gone) in enumerate(zip(_raw_files(job), charted, rejected, strict=True)):
        lines = pl.read_parquet(path, columns=[LINE])[LINE]
        accepted = lines.filter(~lines.is_in(gone[LINE].implode()))
        there = _published_keys(job, part["path"])[marked.KEY]
        yield (
            index,
            pl.concat(
                pl.DataFrame({LINE: numbers, marked.KEY: keys})
                for numbers, keys in ((accepted, there), (gone[LINE], marked.key_texts(gone.drop(LINE))))
            ),
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
