"""What was found to be personal, a run at a time, and which rows were rejected."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.models import Verdict
from engine.store.tables import Dataset, DeadLetters, VerdictRow, Version


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


def verdicts(db: Session, run: int) -> list[VerdictRow]:
    """The verdicts of a run, in the order of the columns."""
    return list(db.scalars(select(VerdictRow).where(VerdictRow.run_id == run).order_by(VerdictRow.ordinal)))


def save_dead_letters(db: Session, run: int, dataset: str, causes: Iterable[dict[str, Any]]) -> None:
    """Keeps how many rows were rejected for which cause."""
    db.execute(delete(DeadLetters).where(DeadLetters.run_id == run))
    db.add_all(
        DeadLetters(
            run_id=run, dataset=dataset, cause=cause["reason"], rule=cause.get("rule"), column=cause.get("column"),
            rows=cause["rows"], lines=cause.get("lines", []),
        )
        for cause in causes
    )  # fmt: skip


def copy(db: Session, source: int, target: int) -> None:
    """What one run found and rejected holds for another that takes over its contract step."""
    groups = [
        {"reason": g.cause, "rule": g.rule, "column": g.column, "rows": g.rows, "lines": g.lines}
        for g in dead_letters(db, source)
    ]
    rows = verdicts(db, source)
    if rows:
        found = [Verdict(v.column, tuple(v.types), v.confidence, v.reason, v.action, v.options, v.scope) for v in rows]  # type: ignore[arg-type]  # kept as it was given
        save_verdicts(db, target, rows[0].dataset, found, rows[0].rows, {})
        save_dead_letters(db, target, rows[0].dataset, groups)


def dead_letters(db: Session, run: int) -> list[DeadLetters]:
    """The rejected rows of a run by cause, most first."""
    query = select(DeadLetters).where(DeadLetters.run_id == run).order_by(DeadLetters.rows.desc(), DeadLetters.id)
    return list(db.scalars(query))


def personal_columns(db: Session) -> set[str]:
    """Every column of what is published that was found to be personal, as `customers.email`."""
    query = (
        select(VerdictRow)
        .join(Version, Version.run_id == VerdictRow.run_id)
        .join(Dataset, Dataset.current_version_id == Version.id)
        .where(Dataset.kind == "charted", Dataset.name == VerdictRow.dataset)
    )
    return {f"{verdict.dataset}.{verdict.column}" for verdict in db.scalars(query) if verdict.types or verdict.masked}
