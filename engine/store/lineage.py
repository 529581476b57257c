"""Lineage events, saved with what they report, and the edges of what is current."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from engine.store.tables import Edge, LineageEvent


def save_events(db: Session, run: int, events: Iterable[dict[str, Any]]) -> None:
    """Keeps OpenLineage events; they are forwarded after the commit, if there is somewhere to forward them to."""
    db.add_all(LineageEvent(run_id=run, at=datetime.now(UTC), body=event) for event in events)


def events(db: Session, run: int | None = None) -> Iterable[dict[str, Any]]:
    """All events, or those of a run, in the order they were saved."""
    query = select(LineageEvent.body).order_by(LineageEvent.id)
    return db.scalars(query.where(LineageEvent.run_id == run) if run is not None else query)


def event_page(db: Session, run: int | None, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """Some events after one of them, with their ids."""
    query = select(LineageEvent.id, LineageEvent.body).where(LineageEvent.id > after).order_by(LineageEvent.id)
    query = query.where(LineageEvent.run_id == run) if run is not None else query
    return [(row.id, row.body) for row in db.execute(query.limit(limit))]


def unsent(db: Session, limit: int = 50) -> list[tuple[int, dict[str, Any]]]:
    """Events that were not forwarded yet, oldest first."""
    query = select(LineageEvent.id, LineageEvent.body).where(LineageEvent.forwarded_at.is_(None))
    return [(row.id, row.body) for row in db.execute(query.order_by(LineageEvent.id).limit(limit))]


def sent(db: Session, event: int) -> None:
    db.execute(update(LineageEvent).where(LineageEvent.id == event).values(forwarded_at=datetime.now(UTC)))


def replace_edges(db: Session, datasets: Iterable[str], edges: Iterable[dict[str, Any]]) -> None:
    """The ways into some datasets, as they are from now on."""
    db.execute(delete(Edge).where(Edge.to_dataset.in_(list(datasets))))
    db.add_all(Edge(**edge) for edge in edges)


def ways(db: Session) -> set[tuple[str, str]]:
    """Which dataset leads into which."""
    return {(row[0], row[1]) for row in db.execute(select(Edge.from_dataset, Edge.to_dataset).distinct())}


def edges(db: Session) -> list[dict[str, Any]]:
    """Every edge of the graph."""
    names = ("from_dataset", "from_column", "to_dataset", "to_column", "via", "direct", "masked")
    columns = [getattr(Edge, name) for name in names]
    return [dict(zip(names, row, strict=True)) for row in db.execute(select(*columns).order_by(Edge.id))]
