"""Rulings of people on what columns hold: the newest of a column that was not withdrawn is in force."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import models
from core.errors import NotFound, Refused
from engine.store.tables import Ruling


def add(db: Session, dataset: str, column: str, type_: str | None, because: str, by: str) -> Ruling:
    """A new ruling; it holds from now on."""
    row = Ruling(dataset=dataset, column=column, type=type_, because=because, by=by, at=datetime.now(UTC))
    db.add(row)
    db.flush()
    return row


def withdraw(db: Session, dataset: str, number: int, by: str) -> Ruling:
    """Takes a ruling back. Raises NotFound, or Refused if that was done before."""
    row = db.scalar(select(Ruling).where(Ruling.id == number, Ruling.dataset == dataset).with_for_update())
    if row is None:
        raise NotFound(f"There is no ruling `{number}` on `{dataset}`.", hint=f"pii {dataset}")
    if row.withdrawn_at:
        raise Refused(f"Ruling `{number}` on `{dataset}` was withdrawn by {row.withdrawn_by} before.")
    row.withdrawn_by, row.withdrawn_at = by, datetime.now(UTC)
    db.flush()
    return row


def in_force(db: Session, dataset: str) -> dict[str, models.Ruling]:
    """The ruling that holds, by column; of columns that are gone, too."""
    query = select(Ruling).where(Ruling.dataset == dataset, Ruling.withdrawn_at.is_(None)).order_by(Ruling.id)
    return {
        row.column: models.Ruling(row.id, row.column, row.type, row.because, row.by, row.at)
        for row in db.scalars(query)
    }


def listed(db: Session, dataset: str) -> list[Ruling]:
    """Every ruling on a dataset, newest first."""
    return list(db.scalars(select(Ruling).where(Ruling.dataset == dataset).order_by(Ruling.id.desc())))


def datasets(db: Session) -> set[str]:
    """The datasets on which there ever was a ruling."""
    return set(db.scalars(select(Ruling.dataset).distinct()))
