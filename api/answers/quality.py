"""Scores and checks."""

import decimal
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.answers.values import Decimal, example, score
from engine.contract import score as measure
from engine.contract.compared import with_the_run_before
from engine.store import tables

Dimensions = dict[str, Decimal | None]  # null = not measured


CHECK: dict[str, Any] = {
    "check": "email is filled in", "column": "email", "dimension": "completeness", "failed": 918, "tested": 10214,
    "note": None, "fault": "email is empty", "points": "1.5",
}  # fmt: skip


class Check(BaseModel):
    """A check of a contract: how many rows it tested, how many failed, and what that took from the score."""

    model_config = example(**CHECK)

    check: str
    column: str | None
    dimension: str
    failed: int | float
    tested: int | float
    note: str | None
    fault: str
    points: Decimal | None  # null = it was not measured, or its dimension was not


CHANGE: dict[str, Any] = {
    "since": 11, "contract": False, "score": "-2.3", "dimensions": {"completeness": "-6.9", "accuracy": None},
}  # fmt: skip


class Change(BaseModel):
    """How the scores have moved since an earlier run, over the rules that were measured in both."""

    model_config = example(**CHANGE)

    since: int  # the run
    contract: bool  # the contract says something else by now
    score: Decimal | None
    dimensions: Dimensions


def change(db: Session, dataset: str, run: int) -> Change | None:
    """Of a run to the measured one before it."""
    found = with_the_run_before(db, dataset, run)
    if found is None:
        return None
    return Change(
        since=found.since,
        contract=found.contract,
        score=_moved(found.now.overall, found.before.overall),
        dimensions={name: _moved(value, found.before.dimensions[name]) for name, value in found.now.dimensions.items()},
    )


def _moved(now: float | None, before: float | None) -> str | None:
    """The difference of two scores as they are shown."""
    if now is None or before is None:
        return None
    return str(decimal.Decimal(str(score(now))) - decimal.Decimal(str(score(before))))


def dimensions(measured: tables.Score) -> Dimensions:
    return {name: score(value) for name, value in measured.dimensions.items()}


def checks(rows: Sequence[tables.Check]) -> list[Check]:
    """The checks of a run, in the order of the contract."""
    taken = {row.ordinal: points for points, row in measure.points(rows)}
    counted = measure.scores(rows).dimensions
    return [_check(row, taken.get(row.ordinal, 0.0), counted[row.dimension] is not None) for row in rows]


def _check(row: tables.Check, points: float, measured: bool) -> Check:
    return Check(
        check=row.name, column=row.column, dimension=row.dimension, failed=_number(row.failed),
        tested=_number(row.tested), note=row.note, fault=row.fault,
        points=f"{points:.4g}" if row.tested and measured else None,
    )  # fmt: skip


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else round(value, 3)


def worst(found: Sequence[Check], most: int = 3) -> list[Check]:
    """The checks that took the most points."""
    taken = sorted((c for c in found if c.points and c.failed), key=lambda c: -float(c.points or 0))
    return taken[:most]


def not_measured(rows: Sequence[tables.Check]) -> list[str]:
    """The rules that could not be measured, each with its reason."""
    return [f"{row.name}: {row.note}" for row in rows if measure.could_not(row)]
