"""What a column was found to hold and what was done about it."""

from typing import Any

from pydantic import BaseModel

from api.answers.values import Decimal, Time, example, time
from core.models import Ruling
from engine.store import privacy
from engine.store.tables import VerdictRow

PERSONAL: dict[str, Any] = {
    "column": "email", "types": ["EMAIL"], "confidence": "0.98", "reason": "98 of 100 cells are e-mail addresses",
    "action": "hash", "scope": "column", "rows": 10177, "masked": 10177, "found": {"EMAIL": 10177}, "ruling": None,
}  # fmt: skip


class Ruled(BaseModel):
    """What a person says the column holds (null: nothing personal), and whether these data are treated so already."""

    model_config = example(
        type="EMAIL", by="anna", at="2026-03-02T05:00:00.000Z", because="support writes it here", applied=True
    )

    type: str | None
    by: str
    at: Time
    because: str
    applied: bool


class Personal(BaseModel):
    """A column; how that was found out and how many cells it was is only for those who may read personal data."""

    model_config = example(**PERSONAL)

    column: str
    types: list[str]
    confidence: Decimal | None
    reason: str | None
    action: str
    scope: str
    rows: int | None
    masked: int | None
    found: dict[str, int] | None
    ruling: Ruled | None


def personal(row: VerdictRow, ruling: Ruling | None = None, *, why: bool = True) -> Personal:
    """A column; without `why` only what it holds and what is done."""
    return Personal(
        column=row.column,
        types=list(privacy.verdict(row).types),
        confidence=f"{row.confidence:.2f}" if why else None,
        reason=row.reason if why else None,
        action=row.action,
        scope=row.scope,
        rows=row.rows if why else None,
        masked=row.masked if why else None,
        found=row.found if why else None,
        ruling=Ruled(
            type=ruling.type, by=ruling.by, at=time(ruling.at), because=ruling.because,
            applied=row.options.get("ruling") == ruling.id,
        ) if ruling else None,
    )  # fmt: skip
