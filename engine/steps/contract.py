"""Measures the contract on all raw rows, and lists those that break a hard rule."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from core.models import RawFile, Verdict
from engine import increment
from engine.chart import quality as contract
from engine.chart import score
from engine.chart.mask import Masker
from engine.home import masking_key
from engine.steps.job import Done, Job, Specs
from engine.steps.places import part_name, place_of
from engine.store import datasets, privacy, quality

LONGEST = 60  # letters of a value that is shown


def do(job: Job) -> Done:
    types, verdicts = job.decided()
    read = job.results("explore")
    files = [RawFile(**file) for result in read for file in result["files"]]
    if (base := job.base) and not any(r["rows"] + r["rejected"] for r in read):
        return _nothing_new(job, base, verdicts)
    source = [part_name(result, read) for result in read for _ in result["files"]]
    masker = Masker(verdicts, masking_key(job.home), job.timezone, job.home.settings.name_models)
    with job.home.database.read() as db:
        others = {name: table for name, (table, _) in datasets.tables(db).items() if name != job.pipeline.name}
    job.make_raw_folder()
    job.progress(0)
    verified = contract.verify(
        job.pipeline,
        contract.Raw(files, types, job.timezone),
        others,
        lambda column, values: masker(values.alias(column).to_frame()).to_series(),
        datetime.now(UTC),
        job.raw_folder / f"rejected-{job.stem}.parquet",
    )
    scores = score.scores(verified.results)
    broken = [
        {**_shown(c, masker), "lines": [place_of(source[file], line) for file, line in c["lines"]]}
        for c in verified.causes
    ]
    unreadable = [
        {
            "reason": reason,
            "rule": None,
            "column": None,
            "rows": rows,
            "lines": [place_of(part_name(result, read), line) for line in result["reject_lines"].get(reason, [])],
        }
        for result in read
        for reason, rows in result["causes"].items()
    ]

    def save(db: Session) -> None:
        quality.save(db, job.run.id, job.pipeline.name, verified.results, scores.overall, scores.dimensions)
        privacy.save_dead_letters(db, job.run.id, job.pipeline.name, _grouped(unreadable) + broken)
        privacy.save_verdicts(db, job.run.id, job.pipeline.name, verdicts.values(), sum(f.rows for f in files), {})

    result = {
        "rejects": str(verified.rejects_path) if verified.rejected else None,
        "rejected": verified.rejected,
        "overall": scores.overall,
        "results": [vars(r) for r in verified.results],
    }
    return Done(result, save=save)


def _nothing_new(job: Job, base: increment.Published, verdicts: dict[str, Verdict]) -> Done:
    """No row came: what was measured of the version that stays is what holds."""
    with job.home.database.read() as db:
        score = quality.score(db, base.version.run_id)

    def save(db: Session) -> None:
        quality.copy(db, base.version.run_id, job.run.id)
        privacy.save_dead_letters(db, job.run.id, job.pipeline.name, [])
        privacy.save_verdicts(db, job.run.id, job.pipeline.name, verdicts.values(), 0, {})

    overall = score.overall if score else None
    return Done({"rejects": None, "rejected": 0, "overall": overall, "results": [], "nothing_new": True}, save=save)


def _shown(cause: dict[str, Any], masker: Masker) -> dict[str, Any]:
    """A cause with such values of its column only as may be shown: of a column that is not personal, and not masked."""
    verdict = masker.verdicts.get(cause["column"])
    values = pl.Series(cause["column"] or "", [value for value, _ in cause["samples"]], pl.String).to_frame()
    plain = verdict is not None and not verdict.types and verdict.action == "keep" and len(values)
    same = masker(values).to_series().eq_missing(values.to_series()).to_list() if plain else []
    shown = [sample for sample, kept in zip(cause["samples"], same, strict=False) if kept and len(sample[0]) <= LONGEST]
    return {**cause, "samples": shown, "others": cause["others"] + len(cause["samples"]) - len(shown)}


def _grouped(causes: Specs) -> Specs:
    groups: dict[str, dict[str, Any]] = {}
    for cause in causes:
        group = groups.setdefault(cause["reason"], {**cause, "rows": 0, "lines": []})
        group["rows"] += cause["rows"]
        group["lines"] = (group["lines"] + cause["lines"])[:5]
    return list(groups.values())
