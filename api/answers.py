"""What the API says about runs, datasets and findings, as JSON: decimals are strings, times ISO 8601 in UTC."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from core.models import LAYERS
from engine.chart.score import text as score_text
from engine.store import privacy, quality, runs
from engine.store.tables import Check, Part, Run, Score, VerdictRow

Answer = dict[str, Any]

LAYER_OF = {
    "plan": "explore", "explore": "explore", "verdicts": "chart", "contract": "chart", "chart": "chart",
    "publish": "chart", "navigate": "navigate",
}  # fmt: skip


def time(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if value else None


def score(value: float | None) -> str | None:
    return None if value is None else score_text(value)


def run(db: Session, row: Run, *, joined: bool = False) -> Answer:
    """Everything about a run that an answer may need."""
    parts = runs.parts(db, row.id)
    found = privacy.verdicts(db, row.id)
    measured = quality.score(db, row.id)
    before = quality.score_before(db, row.pipeline, row.id) if measured else None
    good = runs.newest(db, row.pipeline, "succeeded")
    end = row.finished_at or (datetime.now(UTC) if row.started_at else None)
    answer = {
        "run": row.id,
        "pipeline": row.pipeline,
        "dataset": row.pipeline,
        "owner": row.definition.get("owner"),
        "version": next((p.result.get("version") for p in parts if p.step == "publish" and p.result), None),
        "state": row.state,
        "step": next((LAYER_OF[p.step] for p in reversed(parts) if p.state in ("ready", "running")), None),
        "layers": [_layer(name, parts, row) for name in LAYERS],
        "files": sum(p.step == "explore" for p in parts),
        "rows_in": row.rows_in,
        "rows_out": row.rows_out,
        "rows_rejected": row.rows_rejected,
        "score": score(measured.overall) if measured else None,
        "score_before": score(before.overall) if before else None,
        "measured": measured.measured if measured else None,
        "minimum_score": (row.definition.get("quality") or {}).get("minimum_score"),
        "dimensions": dimensions(measured),
        "worst": worst(quality.checks(db, row.id)) if measured else [],
        "personal_columns": [personal(v) for v in found if v.types and (v.action != "keep" or v.masked)],
        "found_elsewhere": [personal(v) for v in found if not v.types and v.masked],
        "tables": row.tables,
        "warnings": row.warnings,
        "seconds": f"{(end - row.created_at).total_seconds():.1f}" if end else None,
        "error": row.error,
        "requested_by": row.requested_by,
        "created_at": time(row.created_at),
        "started_at": time(row.started_at),
        "finished_at": time(row.finished_at),
        "full": row.full,
        "retry_of": row.retry_of,
        "resumed": row.resumed,
        "cancel_requested": row.cancel_requested,
        "joined": joined,
        "last_good": good.id if good else None,
    }
    # `seconds` of a running run always changes: it is no news
    news = {k: v for k, v in answer.items() if k not in ("seconds", "joined")}
    answer["revision"] = hashlib.sha256(json.dumps(news, sort_keys=True).encode()).hexdigest()[:16]
    return answer


def brief(db: Session, row: Run) -> Answer:
    """A run in a list."""
    measured = quality.score(db, row.id)
    return {
        "run": row.id,
        "pipeline": row.pipeline,
        "state": row.state,
        "rows_in": row.rows_in,
        "rows_out": row.rows_out,
        "rows_rejected": row.rows_rejected,
        "score": score(measured.overall) if measured else None,
        "error": row.error,
        "requested_by": row.requested_by,
        "created_at": time(row.created_at),
        "finished_at": time(row.finished_at),
        "seconds": f"{(row.finished_at - row.created_at).total_seconds():.1f}" if row.finished_at else None,
    }


def _layer(name: str, parts: list[Part], row: Run) -> Answer:
    mine = [p for p in parts if LAYER_OF[p.step] == name]
    rows = sum(p.rows for p in mine if p.step in ("explore", "chart"))
    if not mine:
        state = "waiting" if row.state in runs.ACTIVE else "skipped"
    elif all(p.state == "done" for p in mine):
        later = [p for p in parts if list(LAYERS).index(LAYER_OF[p.step]) > list(LAYERS).index(name)]
        finished = later or row.state not in runs.ACTIVE or name == "navigate"
        state = "done" if finished else "running"
    else:
        state = next((p.state for p in mine if p.state in ("failed", "cancelled")), "running")
    return {
        "layer": name,
        "state": state,
        "rows": rows,
        "parts": sum(p.step in ("explore", "chart") for p in mine),
        "parts_done": sum(p.step in ("explore", "chart") and p.state == "done" for p in mine),
    }


def dimensions(measured: Score | None) -> Answer | None:
    return {name: score(value) for name, value in measured.dimensions.items()} if measured else None


def check(row: Check) -> Answer:
    def number(value: float) -> int | float:
        return int(value) if value == int(value) else round(value, 3)

    return {
        "check": row.name, "column": row.column, "dimension": row.dimension, "failed": number(row.failed),
        "tested": number(row.tested), "note": row.note, "fault": row.fault,
    }  # fmt: skip


def worst(checks: Sequence[Check], most: int = 3) -> list[Answer]:
    """The checks that took the most points."""
    taken = sorted((c for c in checks if c.tested and c.failed), key=lambda c: c.failed / c.tested, reverse=True)
    return [check(c) for c in taken[:most]]


def personal(row: VerdictRow) -> Answer:
    return {
        "column": row.column, "types": row.types, "confidence": f"{row.confidence:.2f}", "reason": row.reason,
        "action": row.action, "scope": row.scope, "rows": row.rows, "masked": row.masked, "found": row.found,
        "ruling": None,
    }  # fmt: skip
