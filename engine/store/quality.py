"""Check results and scores of runs, refused runs included."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from core.models import CheckResult
from engine.store.tables import Check, Run, Score, Version


def save(
    db: Session,
    run: int,
    dataset: str,
    results: Sequence[CheckResult],
    overall: float | None,
    dimensions: dict[str, float | None],
) -> None:
    """Keeps what the contract measured in a run."""
    db.execute(delete(Check).where(Check.run_id == run))
    db.execute(delete(Score).where(Score.run_id == run))
    measured = sum(score is not None for score in dimensions.values())
    db.add(
        Score(run_id=run, dataset=dataset, at=datetime.now(UTC), overall=overall, measured=measured,
              dimensions=dict(dimensions))
    )  # fmt: skip
    db.add_all(
        Check(run_id=run, ordinal=n, name=r.check, dimension=r.dimension, column=r.column, failed=r.failed,
              tested=r.tested, weight=r.weight, note=r.note, fault=r.fault, newest=r.newest)
        for n, r in enumerate(results)
    )  # fmt: skip


def copy(db: Session, source: int, target: int) -> None:
    """What one run measured holds for another that takes over its contract step."""
    old = score(db, source)
    if old is None:
        return
    results = [
        CheckResult(c.name, c.dimension, c.column, c.failed, c.tested, c.weight, c.note, c.fault, c.newest)
        for c in checks(db, source)
    ]
    save(db, target, old.dataset, results, old.overall, old.dimensions)


def forget_age(db: Session, dataset: str, column: str, why: str) -> bool:
    """Makes the age of a column not measured, in every run of a dataset; whether any run had measured it."""
    query = (
        select(Check, Score).join(Score, Score.run_id == Check.run_id)
        .where(Score.dataset == dataset, Check.dimension == "timeliness", Check.column == column, Check.tested > 0)
    )  # fmt: skip
    found = db.execute(query).all()
    for check, score in found:
        check.failed, check.tested, check.note, check.newest = 0, 0, why, None
        score.dimensions = {**score.dimensions, "timeliness": None}
        left = [value for value in score.dimensions.values() if value is not None]
        score.overall, score.measured = sum(left) / len(left) if left else None, len(left)
    return bool(found)


def score(db: Session, run: int) -> Score | None:
    return db.get(Score, run)


def score_before(db: Session, dataset: str, run: int) -> Score | None:
    """The last score of this dataset before a run's."""
    query = select(Score).where(Score.dataset == dataset, Score.run_id < run).order_by(Score.run_id.desc()).limit(1)
    return db.scalar(query)


# asked often: put together once
_LATEST = (
    select(
        Score, Run.state, Version.number.label("version"), Run.definition["owner"].as_string().label("owner"),
        Run.definition[("quality", "minimum_score")].as_float().label("minimum_score"),
    )
    .join(Run, Run.id == Score.run_id)
    .outerjoin(Version, (Version.run_id == Score.run_id) & (Version.dataset == Score.dataset))
    .where(Score.dataset == bindparam("dataset")).order_by(Score.run_id.desc()).limit(1)
)  # fmt: skip
_CHECKS = select(Check).where(Check.run_id == bindparam("run")).order_by(Check.ordinal)


def latest(db: Session, dataset: str) -> Any | None:
    """The last score of a dataset, with what is told of its run."""
    return db.execute(_LATEST, {"dataset": dataset}).first()


def checks(db: Session, run: int) -> list[Check]:
    """The checks of a run, in the order of the contract."""
    return list(db.scalars(_CHECKS, {"run": run}))


def trend(db: Session, dataset: str, limit: int = 30, before: int | None = None) -> list[Score]:
    """The last scores of a dataset, or the last before a run, oldest first."""
    query = select(Score).where(Score.dataset == dataset).order_by(Score.run_id.desc()).limit(limit)
    if before is not None:
        query = query.where(Score.run_id < before)
    return list(reversed(db.scalars(query).all()))


def newest(db: Session, dataset: str) -> tuple[int, datetime] | None:
    """How new the newest row of what is published is, and the run that published it."""
    query = (
        select(Check.run_id, Check.newest)
        .join(Version, (Version.run_id == Check.run_id) & (Version.dataset == dataset))
        .where(Check.newest.is_not(None)).order_by(Check.run_id.desc()).limit(1)
    )  # fmt: skip
    row = db.execute(query).first()
    return (row.run_id, datetime.fromtimestamp(row.newest, UTC)) if row else None
