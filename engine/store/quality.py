"""Check results and scores of runs, refused runs included."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.models import CheckResult
from engine.store.tables import Check, Score


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
              tested=r.tested, weight=r.weight, note=r.note, fault=r.fault)
        for n, r in enumerate(results)
    )  # fmt: skip


def copy(db: Session, source: int, target: int) -> None:
    """What one run measured holds for another that takes over its contract step."""
    old = score(db, source)
    if old is None:
        return
    results = [
        CheckResult(c.name, c.dimension, c.column, c.failed, c.tested, c.weight, c.note, c.fault)
        for c in checks(db, source)
    ]
    save(db, target, old.dataset, results, old.overall, old.dimensions)


def score(db: Session, run: int) -> Score | None:
    return db.get(Score, run)


def score_before(db: Session, dataset: str, run: int) -> Score | None:
    """The last score of this dataset before a run's."""
    query = select(Score).where(Score.dataset == dataset, Score.run_id < run).order_by(Score.run_id.desc()).limit(1)
    return db.scalar(query)


def checks(db: Session, run: int) -> list[Check]:
    """The checks of a run, in the order of the contract."""
    return list(db.scalars(select(Check).where(Check.run_id == run).order_by(Check.ordinal)))


def trend(db: Session, dataset: str, limit: int = 30) -> list[Score]:
    """The last scores of a dataset, oldest first."""
    query = select(Score).where(Score.dataset == dataset).order_by(Score.run_id.desc()).limit(limit)
    return list(reversed(db.scalars(query).all()))
