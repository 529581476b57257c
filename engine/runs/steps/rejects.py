"""Lists the raw rows that break a hard rule, for Chart to leave them out."""

from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from core import parts
from core.errors import SourceUnreadable
from core.pipeline import Pipeline
from engine.contract import rejects
from engine.personal.mask import Masker
from engine.runs.steps import raw
from engine.runs.steps.job import Done, Job, Specs
from engine.runs.steps.places import part_name, place_of
from engine.sql.child import Limits
from engine.store import privacy

LONGEST = 60  # letters of a value that is shown


def do(job: Job) -> Done:
    read = job.results("explore")
    source = [part_name(result, read) for result in read for _ in result["files"]]
    rows, masker = raw.rows(job), raw.masker(job)
    later = getattr(parts.load("connector", job.pipeline.source["connector"]), "LATER_IS_NEWER", False)
    job.make_raw_folder()
    job.progress(0)
    found = rejects.rejected(
        job.pipeline,
        rows,
        job.raw_folder / f"rejected-{job.stem}.parquet",
        lambda: job.progress(0),
        Limits.of(job.home.settings),
        later=later,
    )
    _all_have_come(job, read, found)
    broken = [
        {**_shown(c, masker), "lines": [place_of(source[file], line) for file, line in c["lines"]]}
        for c in found.causes
    ]
    unreadable = [
        {
            "reason": reason,
            "rule": None,
            "column": None,
            "rows": count,
            "lines": [place_of(part_name(result, read), line) for line in result["reject_lines"].get(reason, [])],
        }
        for result in read
        for reason, count in result["causes"].items()
    ]

    def save(db: Session) -> None:
        accepted = sum(file.rows for file in rows.files)
        privacy.save_dead_letters(db, job.run.id, job.pipeline.name, _grouped(unreadable) + broken)
        privacy.save_verdicts(db, job.run.id, job.pipeline.name, masker.verdicts.values(), accepted, {})

    path = str(found.path) if found.path else None
    told = _same_key(job.pipeline, found.twice, later)
    return Done({"rejects": path, "rejected": found.rows, "twice": found.twice, "told": told}, save=save)


def _same_key(pipeline: Pipeline, twice: int, later: bool) -> list[str]:
    """Which rows were left out for their key, in a sentence."""
    if not twice:
        return []
    key, stays = ", ".join(pipeline.key), "newest" if later or pipeline.source.get("cursor") else "first"
    rows = "1 row was" if twice == 1 else f"{twice:,} rows were"
    return [f"{rows} rejected because another row has the same {key}; the {stays} row of each stays."]


def _all_have_come(job: Job, read: Specs, found: rejects.Rejects) -> None:
    """Raises SourceUnreadable if the source has more different rows, by what it says, than have come."""
    said = [result["records"] for result in read if result["records"] is not None]
    different = sum(result["rows"] + result["rejected"] for result in read) - found.twice
    if said and different < sum(said):
        raise SourceUnreadable(
            f"The source of `{job.pipeline.name}` has {sum(said):,} records, as it says, and gave {different:,}.",
            hint="Its list may have moved while it was read: run again. If that number counts others too, hidden ones "
            "for example, say so in the source: total: none",
        )


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
