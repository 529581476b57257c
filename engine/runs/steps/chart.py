"""Takes one raw file to a charted one: without the rejected rows, masked, in the columns' types."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from core.errors import SourceUnreadable
from core.models import ColumnType, Verdict
from engine.chart import write
from engine.explore import cursor as cursors
from engine.explore import decide
from engine.personal import vault
from engine.runs.steps import raw
from engine.runs.steps.job import Done, Job
from engine.runs.steps.places import part_name, place_of


def do(job: Job) -> Done:
    types, _ = job.decided()
    masker = raw.masker(job)
    remask = job.results("remask")
    target = job.home.settings.charted_zone / job.pipeline.name / f"run-{job.run.id}-{job.stem}.parquet"
    if remask:
        before = {column: Verdict.from_json(v) for column, v in remask[0]["published"].items()}
        rows, columns = write.remasked(Path(job.claim.spec["path"]), before, masker, types, target, job.progress)
        vault.keep(job.home.database, job.pipeline.name, masker.key, masker.tokens, lambda: job.progress(rows))
        return Done({"path": str(target), "rows": rows, "columns": columns, "found": masker.found}, rows=rows)
    cursor = job.pipeline.source.get("cursor")
    highest: list[str | None] = []

    def look(rows: pl.DataFrame) -> None:
        if cursor:
            highest.append(cursors.highest(rows[cursor], types[cursor], job.timezone, datetime.now(UTC)))

    try:
        rows, columns = write.charted(
            Path(job.claim.spec["path"]),
            write.rejected_rows(job.results("rejects")[0]["rejects"], job.claim.spec["index"]),
            masker, types, job.timezone, target, job.progress, look,
        )  # fmt: skip
    except write.Misfit as misfit:
        raise _misfit(job, misfit, types[misfit.column]) from misfit
    vault.keep(job.home.database, job.pipeline.name, masker.key, masker.tokens, lambda: job.progress(rows))
    reached = cursors.highest(highest, types[cursor], job.timezone, datetime.now(UTC)) if cursor else None
    result = {"path": str(target), "rows": rows, "columns": columns, "found": masker.found, "cursor": reached}
    return Done(result, rows=rows)


def _misfit(job: Job, misfit: write.Misfit, before: ColumnType) -> SourceUnreadable:
    read = job.results("explore")
    names = [part_name(result, read) for result in read for _ in result["files"]]
    place = place_of(names[job.claim.spec["index"]], misfit.line)
    return SourceUnreadable(
        f"`{misfit.column}` of `{job.pipeline.name}` was published as {before}, and too many of its values "
        f"are not {decide.WORDS[before.kind]} now. The first is in line {place}.",
        hint=f"Correct the values and run again. To publish the column as it is now: run {job.pipeline.name} --full",
    )
