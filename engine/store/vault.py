"""What tokens stand for, as it is kept: encrypted, one row a token and dataset."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine.store.tables import Secret

AT_ONCE = 5000  # rows in one statement; a database takes only so many parameters


def known(db: Session, dataset: str, tokens: Sequence[str]) -> set[str]:
    """Those of some tokens of a dataset that are kept already; no more than AT_ONCE."""
    return set(db.scalars(select(Secret.token).where(Secret.dataset == dataset, Secret.token.in_(tokens))))


def add(db: Session, dataset: str, type_: str, rows: Iterable[tuple[str, bytes]]) -> None:
    """Keeps what tokens stand for; another worker may have done so meanwhile."""
    now = datetime.now(UTC)
    values: list[dict[str, Any]] = [
        {"token": token, "dataset": dataset, "type": type_, "value": value, "created_at": now} for token, value in rows
    ]
    if values:
        into = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
        db.execute(into(Secret).on_conflict_do_nothing(), values)


def of_token(db: Session, token: str) -> list[Secret]:
    """What is kept of a token, a row for each dataset that it is in."""
    return list(db.scalars(select(Secret).where(Secret.token == token).order_by(Secret.dataset)))


def datasets(db: Session) -> set[str]:
    """The datasets of which anything is kept."""
    return set(db.scalars(select(Secret.dataset).distinct()))


def tokens(db: Session, dataset: str, before: datetime) -> list[str]:
    """The tokens of a dataset that are kept since before a time."""
    return list(db.scalars(select(Secret.token).where(Secret.dataset == dataset, Secret.created_at < before)))


def remove(db: Session, dataset: str, gone: Sequence[str]) -> None:
    """Forgets what some tokens of a dataset stand for; no more than AT_ONCE."""
    db.execute(delete(Secret).where(Secret.dataset == dataset, Secret.token.in_(gone)))
