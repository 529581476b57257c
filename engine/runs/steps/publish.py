"""Lets the version through the gate, or not; makes it current in the transaction that says so."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from core.errors import AtlasError
from core.models import CheckResult, ColumnType, Verdict
from engine import faults
from engine.contract import counted, marked, score
from engine.explore import cursor as cursors
from engine.lineage import of_runs
from engine.personal import rulings
from engine.runs import increment
from engine.runs.steps.job import Done, Job, Specs
from engine.store import alerts, datasets, leases, lineage, privacy, quality, runs


def do(job: Job) -> Done:
    if job.results("remask"):
        return _publish_remasked(job)
    types, verdicts = job.decided()
    read, charted, contract = job.results("explore"), job.results("chart"), job.results("contract")[0]
    rows_in = sum(r["rows"] + r["rejected"] for r in read)
    rejects = job.results("rejects")[0]
    rejected = rejects["rejected"] + sum(r["rejected"] for r in read)
    rows_out = sum(c["rows"] for c in charted)
    if rows_in != rows_out + rejected:
        raise AtlasError(f"{rows_in} rows came in, {rows_out} went out and {rejected} were rejected: some are lost.")
    counts = _counts(charted)
    base, decided = job.base, job.results("verdicts")[0]
    files = [(c["path"], c["rows"]) for c in charted]
    merged = job.results("merge")[0] if job.keeps_marks else {}
    if base:
        files = [(file["path"], file["rows"]) for file in merged["files"]]
        with job.home.database.read() as db:
            before = {row.column: dict(row.found) for row in privacy.verdicts(db, base.version.run_id)}
        counts = _added(before | merged["masked_again"], counts, merged["left"])
    results = score.without_ages([CheckResult(**r) for r in (merged or contract)["results"]], verdicts)
    scores = score.scores(results)
    minimum = job.pipeline.quality.minimum_score
    refused: dict[str, str] | None = None
    if not score.reaches(scores.overall, minimum):
        reached = score.text(scores.overall)
        message = (
            f"The score {reached} is below the minimum of {minimum:g}." if scores.overall is not None
            else f"A score of {minimum:g} is required and nothing could be measured."
        )  # fmt: skip
        refused = _refusal(job, "score_too_low", message)
    refused = _loses_its_rows(job, rejected, sum(rows for _, rows in files)) or refused
    columns = charted[0]["columns"] if charted else dict.fromkeys(types, "VARCHAR")
    snapshot = _snapshot(job, files, columns, verdicts)
    snapshot = replace(snapshot, base=base.version.id if base else None, cursor=_cursor(job, types, charted),
                       marks=merged.get("marks"))  # fmt: skip
    told = of_runs.charted(job.home.settings, job.run, snapshot, verdicts, counts, results, rows_in)
    reading = decided["edges"]
    result: dict[str, Any] = {"refused": refused}

    def save(db: Session) -> None:
        run = runs.get(db, job.run.id)
        if not refused:
            datasets.hold(db, job.pipeline.name, "charted")  # no ruling between the look and the commit
            if rulings.would_show(db, job.pipeline, verdicts, types):
                result["again"] = "verdicts"
                leases.amend(db, job.claim, result)
                return
        changed = [*rulings.changes(db, job.pipeline.name, verdicts), *decided.get("told", []), *rejects["told"]]
        run.warnings = [*_remarks(read), *changed]
        run.rows_in, run.rows_out, run.rows_rejected = rows_in, rows_out, rejected
        quality.save(db, run.id, job.pipeline.name, results, scores.overall, scores.dimensions)
        _forget_ages(db, job.pipeline.name, verdicts)
        rows = rows_out if refused else sum(rows for _, rows in files)
        privacy.save_verdicts(db, run.id, job.pipeline.name, verdicts.values(), rows, counts)
        if refused:
            return
        was = datasets.owner(db, snapshot.dataset)
        result["version"] = datasets.publish(db, snapshot).number
        faults.point("publish.switched")
        leases.amend(db, job.claim, result)
        lineage.save_events(db, run.id, told.events)
        lineage.replace_edges(db, (f"explore.{snapshot.dataset}", snapshot.dataset), reading + told.edges)
        job.note_owner(db, snapshot.dataset, was, snapshot.owner)

    return Done(result, rows=rows_out, save=save)


def _loses_its_rows(job: Job, rejected: int, rows: int) -> dict[str, str] | None:
    """The refusal of a version that has lost more of its rows than the pipeline file allows.

    An incremental run may read one row that is wrong: what is lost is a share of the version that it would make.
    """
    allowed = job.pipeline.max_rejected_percent
    if not rejected or rejected * 100 <= allowed * (rejected + rows):
        return None
    with job.home.database.read() as db:
        causes = privacy.dead_letters(db, job.run.id)
    first = "; ".join(f"{cause.cause.rstrip('.')} ({cause.rows:,})" for cause in causes[:3])
    count = (
        f"{rejected:,} of {rejected + rows:,} rows were rejected"
        if rejected + rows > 1
        else "Its only row was rejected"
    )
    message = (
        f"{count}; {job.pipeline.name}.yml allows {allowed:g} %. {f'Most often: {first}' if first else ''}".strip()
    )
    return _refusal(job, "too_many_rejected", message)


def _refusal(job: Job, code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message, "hint": f"why {job.pipeline.name}", "step": "publish", "tries": ""}


def _publish_remasked(job: Job) -> Done:
    """Publishes the rows of the current version, masked as is ruled."""
    types, verdicts = job.decided()
    plan, charted = job.results("remask")[0], job.results("chart")
    with job.home.database.read() as db:
        version = datasets.version(db, plan["version"])
        counts = {row.column: dict(row.found) for row in privacy.verdicts(db, version.run_id)}
    if sum(c["rows"] for c in charted) != version.rows:
        raise AtlasError(f"Version {version.number} of `{version.dataset}` lost rows when it was masked.")
    counts |= {column: {} for column in plan["published"]} | _counts(charted)
    columns = charted[0]["columns"] if charted else version.columns
    snapshot = _snapshot(job, [(c["path"], c["rows"]) for c in charted], columns, verdicts)
    marks = _without_ages(job, version.marks, set(plan["published"])) if version.marks else None
    snapshot = replace(snapshot, base=version.id, cursor=version.cursor, marks=marks)
    told = of_runs.charted(job.home.settings, job.run, snapshot, verdicts, counts, (), version.rows)
    result: dict[str, Any] = {"refused": None}

    def save(db: Session) -> None:
        datasets.hold(db, version.dataset, "charted")
        current = datasets.current_version(db, version.dataset)
        if current is None or current.id != version.id or rulings.would_show(db, job.pipeline, verdicts, types):
            result["again"] = "remask"
            leases.amend(db, job.claim, result)
            return
        run = runs.get(db, job.run.id)
        run.rows_in, run.rows_out, run.rows_rejected = version.rows, version.rows, 0
        run.warnings = rulings.changes(db, version.dataset, verdicts)
        quality.copy(db, version.run_id, run.id)
        _forget_ages(db, version.dataset, verdicts)
        privacy.copy(db, version.run_id, run.id)
        privacy.save_verdicts(db, run.id, version.dataset, verdicts.values(), version.rows, counts)
        result["version"] = datasets.publish(db, snapshot).number
        leases.amend(db, job.claim, result)
        lineage.save_events(db, run.id, told.events)
        lineage.replace_edges(db, (version.dataset,), told.edges)

    return Done(result, rows=version.rows, save=save)


def _remarks(read: Specs) -> list[str]:
    """What the connector says of which parts of the source; the same of many parts is said once."""
    parts: dict[str, list[str]] = {}
    for result in read:
        for what in result["remarks"]:
            parts.setdefault(what, []).append(result["name"])
    return [
        f"`{names[0]}`{f' and {len(names) - 1} more' if names[1:] else ''}: {what}." for what, names in parts.items()
    ]


def _without_ages(job: Job, marks: dict[str, Any], columns: set[str]) -> dict[str, Any]:
    """Marks without the times of columns that are masked from now on."""
    files = []
    for number, file in enumerate(marks["files"]):
        if names := marked.ages(file, columns):
            target = job.home.settings.charted_zone / job.pipeline.name
            target /= f"run-{job.run.id}-marks-{number:05d}-{job.stem}.parquet"
            marked.without(file, names, target)
            file = str(target)
        files.append(file)
    return {**marks, "files": files}


def _forget_ages(db: Session, dataset: str, verdicts: dict[str, Verdict]) -> None:
    """Takes away what earlier runs tell of the age of a column that is masked by now."""
    for column, verdict in verdicts.items():
        if verdict.action != "keep" and quality.forget_age(db, dataset, column, score.personal(column)):
            alerts.forget_ages(db, dataset, score.personal(column))


def _counts(charted: Specs) -> counted.Found:
    """The cells that were masked, by column and kind, of all parts together."""
    return counted.together([part["found"] for part in charted])


def _added(before: counted.Found, now: counted.Found, left: counted.Found) -> counted.Found:
    """The cells masked in the published rows: those before and those that came, without those that were replaced."""
    found = {}
    for column in before.keys() | now.keys():
        kinds = Counter(before.get(column, {})) + Counter(now.get(column, {}))
        kinds.subtract({kind: count for kind, count in left.get(column, {}).items() if kind in kinds})
        found[column] = dict(+kinds)
    return found


def _cursor(job: Job, types: dict[str, ColumnType], charted: Specs) -> dict[str, Any] | None:
    """How far the source was read and published: never less far than before."""
    name = job.pipeline.source.get("cursor")
    if not name:
        return None
    known = [c.get("cursor") for c in charted]
    of = increment.origin(job.pipeline)
    with job.home.database.read() as db:
        version = datasets.current_version(db, job.pipeline.name)
    if version and version.cursor and version.cursor["of"] == of and not job.run.full:
        known.append(version.cursor["value"])
    value = cursors.highest(known, types[name], job.timezone, datetime.now(UTC))
    return {"value": value, "of": of} if value is not None else None


def _snapshot(
    job: Job, files: list[tuple[str, int]], columns: dict[str, str], verdicts: dict[str, Verdict]
) -> datasets.Snapshot:
    hashed = [column for column, v in verdicts.items() if v.action in ("hash", "tokenize") and v.scope == "column"]
    policy = json.dumps([v.as_json() for v in verdicts.values()], sort_keys=True)
    return datasets.Snapshot(
        job.pipeline.name, "charted", job.pipeline.owner, job.pipeline.description, job.run.id,
        files, columns, hashed, hashlib.sha256(policy.encode()).hexdigest(),
    )  # fmt: skip
