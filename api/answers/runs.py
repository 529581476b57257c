"""A run: whole, and as lists tell it."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.answers.columns import PERSONAL, Personal, personal
from api.answers.quality import (
    CHANGE,
    CHECK,
    Change,
    Check,
    Dimensions,
    change,
    checks,
    dimensions,
    not_measured,
    worst,
)
from api.answers.values import Decimal, Time, example, score, time
from api.deps import Caller
from core.models import LAYERS
from engine.contract.why import nothing_measured
from engine.runs import process
from engine.store import clock, datasets, privacy, processes, quality, runs

State = Literal["queued", "running", "succeeded", "refused", "failed", "cancelled"]

_LAYER_OF = {
    "plan": "explore", "explore": "explore", "verdicts": "chart", "rejects": "chart", "contract": "chart",
    "chart": "chart", "merge": "chart", "publish": "chart", "navigate": "navigate", "remask": "chart",
}  # fmt: skip
_OF_ROWS = ("explore", "chart")  # steps whose parts are pieces of the data


class Layer(BaseModel):
    """How far one of the three layers has come."""

    layer: Literal["explore", "chart", "navigate"]
    state: Literal["waiting", "running", "done", "failed", "cancelled", "skipped"]
    rows: int
    parts: int
    parts_done: int


class Failure(BaseModel):
    """Why a run failed or was refused, and what would help."""

    model_config = example(
        code="score_too_low", message="The score 88.2 is below the minimum of 90.", hint="why customers",
        step="publish", tries="",
    )  # fmt: skip

    code: str
    message: str
    hint: str | None = None
    step: str | None = None
    tries: str = ""


class Built(BaseModel):
    """What became of a table downstream."""

    name: str
    rows: int | None
    state: Literal["built", "waits", "failed"]
    note: str | None


class Cause(BaseModel):
    """Why rows were rejected."""

    cause: str
    rows: int


BRIEF: dict[str, Any] = {
    "run": 12, "pipeline": "customers", "state": "succeeded", "rows_in": 10214, "rows_out": 10177,
    "rows_rejected": 37, "score": "94.1", "error": None, "requested_by": "kim",
    "created_at": "2026-03-02T05:00:00.000Z", "finished_at": "2026-03-02T05:00:02.400Z", "seconds": "2.4",
}  # fmt: skip


class Brief(BaseModel):
    """A run in a list."""

    model_config = example(**BRIEF)

    run: int
    pipeline: str
    state: State
    rows_in: int | None
    rows_out: int | None
    rows_rejected: int | None
    score: Decimal | None
    error: Failure | None
    requested_by: str
    created_at: Time
    finished_at: Time | None
    seconds: Decimal | None


class Run(Brief):
    """Everything about a run."""

    model_config = example(
        **BRIEF, dataset="customers", owner="crm-team", version=7, step=None,
        layers=[{"layer": "explore", "state": "done", "rows": 10214, "parts": 3, "parts_done": 3}], files=3,
        merged_rows=None, rejected_for=[{"cause": "country is not one of: DK, SE, NO", "rows": 37}],
        masking=False, rebuild=False, score_before="96.4", change=CHANGE, measured=5, minimum_score=90.0,
        dimensions={"completeness": "91.0", "accuracy": None}, unmeasured=None, not_measured=[],
        worst=[CHECK], personal_columns=[PERSONAL],
        found_elsewhere=[], tables=[{"name": "customers_by_city", "rows": 12, "state": "built", "note": None}],
        warnings=[], started_at="2026-03-02T05:00:00.100Z", full=False, retry_of=None, resumed=0,
        cancel_requested=False, joined=False, waits=None, last_good=12, revision="5f1c8e0a9b7d6c34",
    )  # fmt: skip

    dataset: str
    owner: str | None
    version: int | None
    step: str | None
    layers: list[Layer]
    masking: bool
    rebuild: bool  # true if it only builds a model, from published data
    merged_rows: int | None  # rows of the version, if the rows read were merged into the version before
    files: int
    rejected_for: list[Cause]  # the three most frequent causes, for those who may read what was rejected
    score_before: Decimal | None
    change: Change | None
    measured: int | None
    minimum_score: float | None
    dimensions: Dimensions | None
    unmeasured: str | None  # why there is no score, of a run whose contract was looked at
    not_measured: list[str]  # the rules that could not be, each with its reason
    worst: list[Check]
    personal_columns: list[Personal]
    found_elsewhere: list[Personal]
    tables: list[Built]
    warnings: list[str]
    started_at: Time | None
    full: bool
    retry_of: int | None
    resumed: int
    cancel_requested: bool
    joined: bool
    waits: str | None  # why nobody works on it
    last_good: int | None
    revision: str


def brief(row: Any) -> Brief:
    """A run as the store lists it."""
    return Brief(
        run=row.id,
        pipeline=row.pipeline,
        state=row.state,
        rows_in=row.rows_in,
        rows_out=row.rows_out,
        rows_rejected=row.rows_rejected,
        score=score(row.overall),
        error=row.error,
        requested_by=row.requested_by,
        created_at=time(row.created_at),
        finished_at=time(row.finished_at) if row.finished_at else None,
        seconds=f"{(row.finished_at - row.created_at).total_seconds():.1f}" if row.finished_at else None,
    )


def run(db: Session, number: int, caller: Caller, *, joined: bool = False) -> Run:
    """A run as this caller may see it. Raises NotFound."""
    revision, active = runs.revision(db, number)  # before the rest: what changes meanwhile is news
    row = runs.get(db, number)
    parts = runs.progress(db, number)
    measured = quality.score(db, number)
    rules = quality.checks(db, number) if measured else []
    before = quality.score_before(db, row.pipeline, number) if measured else None
    found = privacy.verdicts(db, number)
    why = caller.may("read:pii", row.pipeline)
    masking = any(p.step == "remask" for p in parts)  # it reads no source
    builds = row.rebuilds
    layers = ("navigate",) if builds else [name for name in LAYERS if not (masking and name == "explore")]
    end = row.finished_at or (clock.now(db) if row.started_at else None)
    return Run(
        run=row.id,
        pipeline=row.pipeline,
        dataset=row.pipeline,
        owner=row.definition.get("owner"),
        version=datasets.version_of(db, row.pipeline, number),
        state=row.state,
        step=next((_LAYER_OF[p.step] for p in reversed(parts) if p.state in ("ready", "running")), None),
        layers=[_layer(name, parts, active) for name in layers],
        masking=masking,
        rebuild=builds,
        merged_rows=None if masking else datasets.merged_rows(db, row.pipeline, number),
        files=runs.sources(db, number),
        rows_in=row.rows_in,
        rows_out=row.rows_out,
        rows_rejected=row.rows_rejected,
        rejected_for=_rejected_for(db, number) if caller.may("read:dead-letters", row.pipeline) else [],
        score=score(measured.overall) if measured else None,
        score_before=score(before.overall) if before else None,
        change=change(db, row.pipeline, number) if measured else None,
        measured=measured.measured if measured else None,
        minimum_score=(row.definition.get("quality") or {}).get("minimum_score"),
        dimensions=dimensions(measured) if measured else None,
        unmeasured=nothing_measured(row.pipeline, rules) if measured and not measured.measured else None,
        not_measured=not_measured(rules),
        worst=worst(checks(rules)),
        personal_columns=[personal(v, why=why) for v in found if v.types and (v.action != "keep" or v.masked)],
        found_elsewhere=[personal(v, why=why) for v in found if not v.types and v.masked],
        tables=row.tables,
        warnings=row.warnings,
        seconds=f"{(end - row.created_at).total_seconds():.1f}" if end else None,
        error=row.error,
        requested_by=row.requested_by,
        created_at=time(row.created_at),
        started_at=time(row.started_at) if row.started_at else None,
        finished_at=time(row.finished_at) if row.finished_at else None,
        full=row.full,
        retry_of=row.retry_of,
        resumed=row.resumed,
        cancel_requested=row.cancel_requested,
        joined=joined,
        waits=_waits(db, parts) if active else None,
        last_good=_last_good(db, row.pipeline, builds),
        revision=revision,
    )


def _rejected_for(db: Session, number: int) -> list[Cause]:
    return [Cause(cause=letters.cause, rows=letters.rows) for letters in privacy.dead_letters(db, number)[:3]]


def _last_good(db: Session, name: str, builds: bool) -> int | None:
    """The run whose version people see: a model may have been built by a run of any dataset that it reads."""
    if not builds:
        return runs.last_good(db, name)
    current = datasets.current_version(db, name)
    return current.run_id if current else None


def _waits(db: Session, parts: Sequence[Any]) -> str | None:
    if any(part.state == "running" for part in parts) or processes.works(db):
        return None
    return process.NOBODY


def _layer(name: str, parts: Sequence[Any], active: bool) -> Layer:
    mine = [p for p in parts if _LAYER_OF[p.step] == name]
    if not mine:
        state = "waiting" if active else "skipped"
    elif all(p.state == "done" for p in mine):
        later = [p for p in parts if list(LAYERS).index(_LAYER_OF[p.step]) > list(LAYERS).index(name)]
        state = "done" if later or not active or name == "navigate" else "running"
    else:
        state = next((p.state for p in mine if p.state in ("failed", "cancelled")), "running")
    pieces = [p for p in mine if p.step in _OF_ROWS]
    return Layer(
        layer=name,
        state=state,
        rows=sum(p.rows for p in pieces),
        parts=sum(p.parts for p in pieces),
        parts_done=sum(p.parts for p in pieces if p.state == "done"),
    )
