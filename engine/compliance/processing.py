"""What the runs have shown of each dataset's processing, beside what its file declares."""

import logging
from collections.abc import Iterable

from sqlalchemy.orm import Session

from core.pipeline import Pipeline
from engine.compliance.record import Activity
from engine.contract import why
from engine.contract.score import text
from engine.lineage import names
from engine.store import datasets, lineage, privacy, quality

log = logging.getLogger("atlas.processing")


def activities(db: Session, pipelines: Iterable[Pipeline]) -> tuple[list[Activity], list[str]]:
    """Each pipeline's processing as it is known now, and the pipelines of which that cannot be read."""
    ways, known, unreadable = lineage.ways(db), list[Activity](), list[str]()
    for pipeline in pipelines:
        try:
            known.append(_activity(db, pipeline, ways))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are told
            log.error("the processing of %s cannot be read: %s", pipeline.name, type(error).__name__)
            unreadable.append(pipeline.name)
    return known, unreadable


def _activity(db: Session, pipeline: Pipeline, ways: set[tuple[str, str]]) -> Activity:
    newest = privacy.last_run(db, pipeline.name)
    verdicts = [(privacy.verdict(row), row) for row in privacy.verdicts(db, newest)] if newest else []
    measured = quality.score(db, newest) if newest else None
    version = datasets.current_version(db, pipeline.name)
    return Activity(
        pipeline.name,
        pipeline.owner,
        pipeline.description,
        pipeline.privacy,
        [
            {"column": v.column, "types": list(v.types), "confidence": round(v.confidence, 2), "reason": v.reason,
             "action": v.action, "scope": v.scope, "rows": row.rows, "masked": row.masked,
             "ruled": "ruling" in v.options,
             "found": (v.options.get("found") or {}).get("types", [])}
            for v, row in verdicts
        ],
        {
            "score": _text(measured.overall),
            "measured": measured.measured,
            "dimensions": {name: _text(value) for name, value in measured.dimensions.items()},
        }
        if measured
        else None,
        {"number": version.number, "run": version.run_id, "rows": version.rows, "published_at": version.published_at}
        if version
        else None,
        sorted({names.shown(source) for source, target in ways if target == f"explore.{pipeline.name}"}),
        why.dependents(ways, pipeline.name),
        tuple(pipeline.subject.values()),
    )  # fmt: skip


def _text(score: float | None) -> str | None:
    return None if score is None else text(score)
