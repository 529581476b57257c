"""The steps of a run: what each takes, does, and leaves to those after it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from core import parts
from core.errors import AtlasError, Cancelled, LeaseLost, SourceMissing, SourceUnreadable
from core.models import CheckResult, ColumnType, RawFile, SourcePart, Table, Verdict
from core.pipeline import Pipeline
from engine import catalog
from engine.home import Home, masking_key
from engine.store import datasets, lineage, privacy, quality, runs
from engine.store.tables import Run

if TYPE_CHECKING:
    from engine.navigate import models

Progress = Callable[[int], None]
Specs = list[dict[str, Any]]


@dataclass
class Job:
    """One part of one run, as the step that does it sees it."""

    home: Home
    run: Run
    pipeline: Pipeline
    claim: runs.Claim
    progress: Progress

    def results(self, step: str) -> Specs:
        """What the parts of a finished step left."""
        with self.home.database.read() as db:
            return runs.results(db, self.run.id, step)

    @property
    def timezone(self) -> str:
        return self.pipeline.timezone or self.home.settings.timezone

    @property
    def raw_folder(self) -> Path:
        """Where this run's raw data lie, closed to others."""
        return self.home.settings.raw_zone / self.pipeline.name / f"run-{self.run.id}"

    def make_raw_folder(self) -> None:
        self.raw_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.raw_folder.parent.chmod(0o700)

    @property
    def stem(self) -> str:
        """The name of what this attempt writes: another attempt's files never get in its way."""
        return f"{self.claim.ordinal:05d}-{self.claim.token}"


@dataclass
class Done:
    """What a part leaves: JSON for the steps after it, the rows it did, and what is saved with it."""

    result: dict[str, Any]
    rows: int = 0
    save: Callable[[Session], None] | None = None


# Explore


def _plan(job: Job) -> Done:
    """Asks the connector what there is to read."""
    from engine import report

    connector = parts.load("connector", job.pipeline.source["connector"])
    source = connector.Source.model_validate(job.pipeline.source)
    found: list[SourcePart] = connector.parts(source, job.home.settings.pipelines.absolute())
    if not found:
        raise SourceMissing(f"The source of `{job.pipeline.name}` has nothing to read.")
    # a retry has told that it started when it was asked for
    started = report.started(job.home.settings, job.run) if job.run.retry_of is None else []
    return Done(
        {"parts": [{"name": part.name, "spec": part.spec} for part in found]},
        save=lambda db: lineage.save_events(db, job.run.id, started),
    )


def _explore(job: Job) -> Done:
    """Reads one part of the source into raw files."""
    from engine.explore import ingest

    connector = parts.load("connector", job.pipeline.source["connector"])
    source = connector.Source.model_validate(job.pipeline.source)
    job.make_raw_folder()
    read = ingest.ingest(connector.read(source, SourcePart(**job.claim.spec)), job.raw_folder, job.stem, job.progress)
    return Done({**read.as_json(), "name": job.claim.spec["name"]}, rows=read.rows + read.rejected)


# Chart


def _verdicts(job: Job) -> Done:
    """Decides once, from the whole input, what each column holds and what is done with it."""
    from engine import report
    from engine.chart import detect
    from engine.explore import ingest, profile, sample

    read = [ingest.Ingested.from_json(result) for result in job.results("explore")]
    types = profile.types(profile.merge([r.profile for r in read]))
    _nothing_is_lost(job, list(types))
    all_of_them = catalog.pipelines(job.home.settings.pipelines)[0]
    rows = sample.merge([r.sample_file for r in read])
    verdicts = detect.verdicts(rows, types, job.pipeline.privacy.columns, keyed_columns(job.pipeline, all_of_them))
    told = report.explored(job.home.settings, job.run, list(types), sum(r.rows for r in read), len(read))
    return Done(
        {
            "types": {column: vars(kind) for column, kind in types.items()},
            "verdicts": [verdicts[column].as_json() for column in types],
            "edges": told.edges,
        },
        save=lambda db: lineage.save_events(db, job.run.id, told.events),
    )


def keyed_columns(pipeline: Pipeline, others: Iterable[Pipeline] = ()) -> set[str]:
    """The columns that join: keys, subjects, and both ends of every reference, also of those in other files."""
    mine = {rule.column for rule in pipeline.quality.consistency if rule.references and rule.column}
    mine |= {rule.column for rule in pipeline.quality.accuracy if rule.matches and rule.column}
    targets = [rule.references for other in others for rule in other.quality.consistency if rule.references]
    targets += [rule.matches for other in others for rule in other.quality.accuracy if rule.matches]
    pointed_at = {column for name, _, column in (t.partition(".") for t in targets) if name == pipeline.name}
    return {*pipeline.key, *pipeline.subject.values(), *mine, *pointed_at}


def _nothing_is_lost(job: Job, columns: list[str]) -> None:
    with job.home.database.read() as db:
        version = datasets.current_version(db, job.pipeline.name)
    lost = [column for column in version.columns if column not in columns] if version else []
    if lost and not job.run.full:
        names = ", ".join(f"`{column}`" for column in lost)
        raise SourceUnreadable(
            f"The source of `{job.pipeline.name}` no longer has {names}. Nothing was published.",
            hint=f"If that is meant: run {job.pipeline.name} --full",
        )


def _decided(job: Job) -> tuple[dict[str, ColumnType], dict[str, Verdict]]:
    result = job.results("verdicts")[0]
    types = {column: ColumnType(**kind) for column, kind in result["types"].items()}
    return types, {v["column"]: Verdict.from_json(v) for v in result["verdicts"]}


def _contract(job: Job) -> Done:
    """Measures the contract on all raw rows, and lists those that break a hard rule."""
    from engine.chart import quality as contract
    from engine.chart import score
    from engine.chart.mask import Masker

    types, verdicts = _decided(job)
    read = job.results("explore")
    files = [RawFile(**file) for result in read for file in result["files"]]
    source = [_name(result, read) for result in read for _ in result["files"]]
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
    broken = [{**c, "lines": [_place(source[file], line) for file, line in c["lines"]]} for c in verified.causes]
    unreadable = [
        {
            "reason": reason,
            "rule": None,
            "column": None,
            "rows": rows,
            "lines": [_place(_name(result, read), line) for line in result["reject_lines"].get(reason, [])],
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


def _name(result: dict[str, Any], read: Specs) -> str:
    """What tells one part of the source from the others: nothing, if there is but one."""
    return Path(result["name"]).name if len(read) > 1 else ""


def _place(name: str, line: int) -> str:
    return f"{name}:{line}" if name else str(line)


def _grouped(causes: Specs) -> Specs:
    groups: dict[str, dict[str, Any]] = {}
    for cause in causes:
        group = groups.setdefault(cause["reason"], {**cause, "rows": 0, "lines": []})
        group["rows"] += cause["rows"]
        group["lines"] = (group["lines"] + cause["lines"])[:5]
    return list(groups.values())


def _chart(job: Job) -> Done:
    """Takes one raw file to a charted one: without the rejected rows, masked, in the columns' types."""
    from engine.chart import write
    from engine.chart.mask import Masker

    types, verdicts = _decided(job)
    masker = Masker(verdicts, masking_key(job.home), job.timezone, job.home.settings.name_models)
    target = job.home.settings.charted_zone / job.pipeline.name / f"run-{job.run.id}-{job.stem}.parquet"
    rows, columns = write.charted(
        Path(job.claim.spec["path"]),
        write.rejected_rows(job.results("contract")[0]["rejects"], job.claim.spec["index"]),
        masker, types, job.timezone, target, job.progress,
    )  # fmt: skip
    return Done({"path": str(target), "rows": rows, "columns": columns, "found": masker.found}, rows=rows)


def _publish(job: Job) -> Done:
    """Lets the version through the gate, or not; makes it current in the transaction that says so."""
    from engine import report
    from engine.chart import score

    types, verdicts = _decided(job)
    read, charted, contract = job.results("explore"), job.results("chart"), job.results("contract")[0]
    rows_in = sum(r["rows"] + r["rejected"] for r in read)
    rejected = contract["rejected"] + sum(r["rejected"] for r in read)
    rows_out = sum(c["rows"] for c in charted)
    if rows_in != rows_out + rejected:
        raise AtlasError(f"{rows_in} rows came in, {rows_out} went out and {rejected} were rejected: some are lost.")
    found: dict[str, Counter[str]] = {}
    for part in charted:
        for column, kinds in part["found"].items():
            found.setdefault(column, Counter()).update(kinds)
    minimum = job.pipeline.quality.minimum_score
    refused = None
    if not score.reaches(contract["overall"], minimum):
        reached = score.text(contract["overall"])
        message = (
            f"The score {reached} is below the minimum of {minimum:g}." if contract["overall"] is not None
            else f"A score of {minimum:g} is required and nothing could be measured."
        )  # fmt: skip
        refused = {"code": "score_too_low", "message": message, "hint": f"why {job.pipeline.name}", "step": "publish",
                   "tries": ""}  # fmt: skip
    columns = charted[0]["columns"] if charted else dict.fromkeys(types, "VARCHAR")
    hashed = [column for column, v in verdicts.items() if v.action == "hash" and v.scope == "column"]
    policy = json.dumps([v.as_json() for v in verdicts.values()], sort_keys=True)
    snapshot = datasets.Snapshot(
        job.pipeline.name, "charted", job.pipeline.owner, job.pipeline.description, job.run.id,
        [(c["path"], c["rows"]) for c in charted], columns, hashed, hashlib.sha256(policy.encode()).hexdigest(),
    )  # fmt: skip
    results = [CheckResult(**r) for r in contract["results"]]
    counts = {column: dict(kinds) for column, kinds in found.items()}
    told = report.charted(job.home.settings, job.run, snapshot, verdicts, counts, results, rows_in)
    reading = job.results("verdicts")[0]["edges"]
    result: dict[str, Any] = {"refused": refused}

    def save(db: Session) -> None:
        run = runs.get(db, job.run.id)
        run.rows_in, run.rows_out, run.rows_rejected = rows_in, rows_out, rejected
        privacy.save_verdicts(db, run.id, job.pipeline.name, verdicts.values(), rows_out, counts)
        if refused:
            return
        result["version"] = datasets.publish(db, snapshot).number
        runs.amend(db, job.claim, result)
        lineage.save_events(db, run.id, told.events)
        lineage.replace_edges(db, (f"explore.{snapshot.dataset}", snapshot.dataset), reading + told.edges)

    return Done(result, rows=rows_out, save=save)


# Navigate


def _navigate(job: Job) -> Done:
    """Builds the models downstream of the dataset, in order; a broken one is a warning, not a failure."""
    from engine import report
    from engine.navigate import models

    known, mistakes = models.read(
        job.home.settings.pipelines / "navigate", set(catalog.files(job.home.settings.pipelines))
    )
    tables: Specs = []
    warnings = [str(mistake) for mistake in mistakes]
    for model in models.downstream_of(known, job.pipeline.name):
        job.progress(len(tables))
        try:
            tables.append(_build(job, model, set(known)))
        except (LeaseLost, Cancelled):
            raise
        except AtlasError as error:
            tables.append({"name": model.name, "rows": None, "state": "failed", "note": error.message})
            warnings.append(f"{model.name} was not built: {error.message}")

    def save(db: Session) -> None:
        run = runs.get(db, job.run.id)
        run.tables, run.warnings = tables, warnings
        lineage.save_events(db, run.id, report.succeeded(job.home.settings, run))

    return Done({}, rows=sum(t["state"] == "built" for t in tables), save=save)


def _build(job: Job, model: models.Model, known: set[str]) -> dict[str, Any]:
    from engine import report
    from engine.navigate import build

    database = job.home.database
    while True:
        with database.read() as db:
            inputs = datasets.tables(db, model.inputs)
        waiting = [name for name in model.inputs if name not in inputs]
        if waiting:
            return {"name": model.name, "rows": None, "state": "waits", "note": f"waits for {', '.join(waiting)}"}
        tables: dict[str, Table] = {name: table for name, (table, _) in inputs.items()}
        versions = {name: version for name, (_, version) in inputs.items()}
        target = job.home.settings.warehouse / model.name / f"run-{job.run.id}-{job.stem}.parquet"
        built = build.build(model, tables, target, job.timezone, lambda: job.progress(0))
        snapshot = datasets.Snapshot(
            model.name, "model", job.pipeline.owner, model.description, job.run.id, [(str(target), built.rows)],
            built.columns, inputs=versions,
        )  # fmt: skip
        told = report.built(job.home.settings, job.run, model, tables, known, snapshot)
        with database.write() as db:
            runs.hold(db, job.claim)  # still ours to publish
            datasets.hold(db, model.name, "model")
            if datasets.would_go_back(db, model.name, versions):
                continue  # another run has published newer inputs meanwhile: build from those
            datasets.publish(db, snapshot)
            lineage.save_events(db, job.run.id, told.events)
            lineage.replace_edges(db, (f"navigate.{snapshot.dataset}",), told.edges)
        return {"name": model.name, "rows": built.rows, "state": "built", "note": None}


STEPS: dict[str, Callable[[Job], Done]] = {
    "plan": _plan,
    "explore": _explore,
    "verdicts": _verdicts,
    "contract": _contract,
    "chart": _chart,
    "publish": _publish,
    "navigate": _navigate,
}
