"""Alerts: what is wrong, since when, and who is working on it."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.answers.values import Time, each, example, time
from engine.alerts import known
from engine.store import alerts, tables

AlertState = Literal["open", "acknowledged", "assigned", "snoozed", "resolved", "closed"]

ATTACHED: dict[str, Any] = {"alert": 13, "dataset": "orders", "title": "orders failed in Explore"}
ALERT: dict[str, Any] = {
    "alert": 12, "rule": "failed_run", "dataset": "customers", "owner": "crm-team", "severity": "high",
    "state": "acknowledged", "title": "customers failed in Explore",
    "cause": "Run #41 failed after 3 tries: crm.example.com:5432 refused the connection.", "count": 3, "run": 41,
    "opened_at": "2026-03-02T05:00:02.400Z", "last_at": "2026-03-02T07:00:02.100Z", "ended_at": None,
    "snoozed_until": None, "assignee": "kim", "changed_by": "anna", "changed_at": "2026-03-02T06:10:00.000Z",
    "over": None, "root": None, "attached": [ATTACHED], "next": ["why 41", "retry 41"], "revision": 4,
}  # fmt: skip


class Attached(BaseModel):
    """An alert that another one has caused."""

    model_config = example(**ATTACHED)

    alert: int
    dataset: str
    title: str


class Alert(BaseModel):
    """A problem: how often and when it was seen, who does what about it, and what it has caused.

    `run` showed it last. `root` is the alert that caused this one; `attached` are those that this one has caused.
    `resolved` is the word of a person, `closed` that the cause is gone.
    """

    model_config = example(**ALERT)

    alert: int
    rule: str
    dataset: str
    owner: str
    severity: Literal["high", "low"]
    state: AlertState
    title: str
    cause: str
    count: int
    run: int
    opened_at: Time
    last_at: Time
    ended_at: Time | None
    snoozed_until: Time | None
    assignee: str | None
    changed_by: str | None
    changed_at: Time | None
    over: str | None  # why it closed by itself
    root: int | None
    attached: list[Attached]
    next: list[str]
    revision: int


def told_alerts(db: Session, rows: Sequence[tables.Alert], among: set[str] | None) -> list[Alert]:
    """Alerts as somebody may see them who sees datasets `among` some."""
    attached = alerts.attached(db, [row.id for row in rows])
    return each(
        "alerts", rows,
        lambda row: _told(row, [a for a in attached.get(row.id, ()) if among is None or a.dataset in among]),
    )  # fmt: skip


def _told(row: tables.Alert, attached: Iterable[tables.Alert]) -> Alert:
    return Alert(
        alert=row.id,
        rule=row.rule,
        dataset=row.dataset,
        owner=row.owner,
        severity=row.severity,
        state=row.state,
        title=row.title,
        cause=row.cause,
        count=row.count,
        run=row.run_id,
        opened_at=time(row.opened_at),
        last_at=time(row.last_at),
        ended_at=time(row.ended_at) if row.ended_at else None,
        snoozed_until=time(row.snoozed_until) if row.snoozed_until else None,
        assignee=row.assignee,
        changed_by=row.changed_by,
        changed_at=time(row.changed_at) if row.changed_at else None,
        over=known.over(row),
        root=row.root_id,
        attached=[Attached(alert=a.id, dataset=a.dataset, title=a.title) for a in attached],
        next=row.next,
        revision=row.revision,
    )
