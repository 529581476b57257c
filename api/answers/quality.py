"""Scores and checks."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from api.answers.values import Decimal, example, score
from engine.store import tables

Dimensions = dict[str, Decimal | None]  # null = not measured


CHECK: dict[str, Any] = {
    "check": "email is filled in", "column": "email", "dimension": "completeness", "failed": 918, "tested": 10214,
    "note": None, "fault": "email is empty",
}  # fmt: skip


class Check(BaseModel):
    """A check of a contract: how many rows it tested, and how many failed."""

    model_config = example(**CHECK)

    check: str
    column: str | None
    dimension: str
    failed: int | float
    tested: int | float
    note: str | None
    fault: str


def dimensions(measured: tables.Score) -> Dimensions:
    return {name: score(value) for name, value in measured.dimensions.items()}


def check(row: tables.Check) -> Check:
    return Check(
        check=row.name, column=row.column, dimension=row.dimension, failed=_number(row.failed),
        tested=_number(row.tested), note=row.note, fault=row.fault,
    )  # fmt: skip


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else round(value, 3)


def worst(checks: Sequence[tables.Check], most: int = 3) -> list[Check]:
    """The checks that took the most points."""
    taken = sorted((c for c in checks if c.tested and c.failed), key=lambda c: c.failed / c.tested, reverse=True)
    return [check(c) for c in taken[:most]]
