"""What was found to be personal, a run at a time, and which rows were rejected."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from core.errors import Refused
from core.models import Verdict
from engine.store.tables import Dataset, DeadLetters, Run, VerdictRow, Version
from engine.store.tolerant import unread


def save_verdicts(
    db: Session, run: int, dataset: str, verdicts: Iterable[Verdict], rows: int, found: dict[str, dict[str, int]]
) -> None:
    """Keeps the verdicts of a run with what was masked, by column and kind."""
    db.execute(delete(VerdictRow).where(VerdictRow.run_id == run))
    db.add_all(
        VerdictRow(
            run_id=run, ordinal=n, dataset=dataset, column=v.column, types=list(v.types), confidence=v.confidence,
            reason=v.reason, action=v.action, scope=v.scope, options=v.options, rows=rows,
            masked=sum(found.get(v.column, {}).values()), found=found.get(v.column, {}),
        )
        for n, v in enumerate(verdicts)
    )  # fmt: skip


def verdict(row: VerdictRow) -> Verdict:
    """A verdict as it was given. Raises Refused if it cannot be read: nothing may pass for not personal by that."""
    if unread(row.types, row.options):
        raise Refused(f"What was found in `{row.dataset}.{row.column}` cannot be read.", hint=f"run {row.dataset}")
    return Verdict(row.column, tuple(row.types), row.confidence, row.reason, row.action, row.options, row.scope)  # type: ignore[arg-type]  # kept as it was given


def verdicts(db: Session, run: int) -> list[VerdictRow]:
    """The verdicts of a run, in the order of the columns."""
    return list(db.scalars(select(VerdictRow).where(VerdictRow.run_id == run).order_by(VerdictRow.ordinal)))


def last_run(db: Session, dataset: str) -> int | None:
    """The last run of a dataset that was searched for personal data."""
    return db.scalar(select(func.max(VerdictRow.run_id)).where(VerdictRow.dataset == dataset))


def save_dead_letters(db: Session, run: int, dataset: str, causes: Iterable[dict[str, Any]]) -> None:
    """Keeps how many rows were rejected for which cause."""
    db.execute(delete(DeadLetters).where(DeadLetters.run_id == run))
    db.add_all(
        DeadLetters(
            run_id=run, dataset=dataset, cause=cause["reason"], rule=cause.get("rule"), column=cause.get("column"),
            rows=cause["rows"], lines=cause.get("lines", []), samples=cause.get("samples", []),
            others=cause.get("others", 0),
        )
        for cause in causes
    )  # fmt: skip


def copy(db: Session, source: int, target: int) -> None:
    """What one run found and rejected holds for another that takes over the step that found it."""
    groups = [
        {
            "reason": g.cause,
            "rule": g.rule,
            "column": g.column,
            "rows": g.rows,
            "lines": g.lines,
            "samples": g.samples,
            "others": g.others,
        }
        for g in dead_letters(db, source)
    ]
    rows = verdicts(db, source)
    if rows:
        save_verdicts(db, target, rows[0].dataset, map(verdict, rows), rows[0].rows, {})
        save_dead_letters(db, target, rows[0].dataset, groups)


def drop_dead_letters(db: Session, dataset: str, before: datetime) -> int:
    """Forgets why rows of runs that ended before a time were rejected; how many there were, the runs still say."""
    old = select(Run.id).where(Run.pipeline == dataset, Run.finished_at < before)
    dropped = delete(DeadLetters).where(DeadLetters.run_id.in_(old)).returning(DeadLetters.id)
    return len(db.scalars(dropped).all())


def dead_letters(db: Session, run: int) -> list[DeadLetters]:
    """The rejected rows of a run by cause, most first."""
    query = select(DeadLetters).where(DeadLetters.run_id == run).order_by(DeadLetters.rows.desc(), DeadLetters.id)
    return list(db.scalars(query))


def dead_letter_page(db: Session, run: int, after: int | None, limit: int) -> list[DeadLetters]:
    """Some of the rejected rows of a run by cause, most first, after one of them."""
    query = select(DeadLetters).where(DeadLetters.run_id == run).order_by(DeadLetters.rows.desc(), DeadLetters.id)
    if after is not None:
        rows = select(DeadLetters.rows).where(DeadLetters.id == after).scalar_subquery()
        fewer, later = DeadLetters.rows < rows, and_(DeadLetters.rows == rows, DeadLetters.id > after)
        query = query.where(or_(fewer, later))
    return list(db.scalars(query.limit(limit)))


def rejected(db: Session, run: int) -> int:
    """How many rows of a run were rejected."""
    return db.scalar(select(func.sum(DeadLetters.rows)).where(DeadLetters.run_id == run)) or 0


def rejected_in(db: Session, some: Iterable[int]) -> int:
    """How many rows some runs have rejected."""
    return db.scalar(select(func.sum(DeadLetters.rows)).where(DeadLetters.run_id.in_(list(some)))) or 0


def run_of_dead_letters(db: Session, dataset: str, group: int) -> int | None:
    """The run that a group of rejected rows of a dataset is of."""
    return db.scalar(select(DeadLetters.run_id).where(DeadLetters.id == group, DeadLetters.dataset == dataset))


def personal_columns(db: Session) -> set[str]:
    """Every column of what is published that was found to be personal, as `customers.email`."""
    query = (
        select(VerdictRow)
        .join(Version, Version.run_id == VerdictRow.run_id)
        .join(Dataset, Dataset.current_version_id == Version.id)
        .where(Dataset.kind == "charted", Dataset.name == VerdictRow.dataset)
    )
    return {
        f"{verdict.dataset}.{verdict.column}"
        for verdict in db.scalars(query)
        if verdict.types or verdict.masked or unread(verdict.types)
    }
