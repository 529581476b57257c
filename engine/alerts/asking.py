"""Rules are asked when a run ends and by the clock; what they find becomes alerts, one for each problem."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from sqlalchemy.orm import Session

from core import pipeline_stored
from engine import catalog
from engine.alerts import grouping
from engine.alerts.facts import facts_of_clock, facts_of_run
from engine.alerts.known import OF_MODELS, is_asked_by_clock, usable_rules
from engine.alerts.rules._rule import Facts, Problem
from engine.duties import Apart
from engine.home import Home
from engine.personal import rulings
from engine.store import alerts, clock, runs
from engine.store.tables import Alert, Run

log = logging.getLogger("atlas.alerts")

RETURNS = timedelta(days=1)  # a problem that comes back within this is the same alert
LEFT = timedelta(hours=1)  # how long an alert stays grouped under a root that has ended
LOOK_SECONDS = 30.0


def after_run(home: Home, db: Session, run: Run) -> Apart:
    """What the end of a run shows: new alerts, repeated ones, and those whose cause is gone.

    All is saved in the transaction that ends the run, with the messages that must be sent. Each rule is in a savepoint
    of its own; returns what failed.
    """
    apart = Apart()
    if run.state not in ("succeeded", "refused", "failed"):
        return apart
    now = clock.now(db)
    facts = facts_of_run(home, db, run, now)
    alerts.alone(db)
    owner = str(run.definition.get("owner") or "")
    live = alerts.live(db, run.pipeline)
    masked = run.state == "succeeded" and rulings.is_masking(db, run)
    for name, rule in usable_rules():
        if not rule.BY_CLOCK and (rule.MASKING or not masked) and (name == OF_MODELS or not run.rebuilds):
            with apart(name), db.begin_nested():
                _ask(home, db, name, rule, facts, owner, _of_models(db, run) if name == OF_MODELS else live)
    with apart("by the clock"), db.begin_nested():
        _by_clock(home, db, run.pipeline, run.definition, now)
    return apart


def _of_models(db: Session, run: Run) -> list[Alert]:
    """The alerts about models that a run says something of: those of every dataset if it has built or tried them."""
    tried = {table["name"] for table in run.tables or () if table["state"] != "waits"}
    tried |= {run.pipeline} if run.rebuilds else set()
    mine = [alert for alert in alerts.live(db) if alert.rule == OF_MODELS and alert.what in tried]
    return mine + [alert for alert in alerts.live(db, run.pipeline) if _is_gone(alert, run)]


def _is_gone(alert: Alert, run: Run) -> bool:
    """Whether a run of the same dataset no longer has the model."""
    return (
        alert.rule == OF_MODELS and run.state == "succeeded" and not run.rebuilds
        and alert.what not in {table["name"] for table in run.tables or ()}
    )  # fmt: skip


def look(home: Home, now: datetime) -> None:
    """What time alone changes: what gets out of date, is snoozed no longer, or was left behind by its root.

    Each dataset and alert is on its own. Raises Failed if any of them failed.
    """
    apart, aged = Apart(), []
    with home.database.read() as db:
        definitions = _aging(home, db)
        for name, definition in definitions.items():
            with apart(name):
                if _changes_by_clock(home, db, name, definition, now):
                    aged.append(name)
        waits = bool(alerts.woken(db, now) or alerts.left_behind(db, now - LEFT))
    if aged or waits:
        with home.database.write() as db:
            alerts.alone(db)
            for name in aged:
                with apart(name), db.begin_nested():
                    _by_clock(home, db, name, definitions[name], now)
            for alert in alerts.woken(db, now):
                alert.state, alert.snoozed_until = "assigned" if alert.assignee else "open", None
                grouping.mark_changed(db, alert, now)
            left = alerts.left_behind(db, now - LEFT)
            for alert in left:
                alert.root_id = None
                grouping.mark_changed(db, alert, now)
            for alert in left:
                if alert.root_id is None:  # else one of the others has taken it in
                    with apart(f"alert {alert.id}"), db.begin_nested():
                        grouping.group_with_cause(home, db, alert, now)
    apart.end()


def _aging(home: Home, db: Session) -> dict[str, dict[str, Any]]:
    """The pipelines, as their newest runs had them, that time alone can change something about."""
    known = catalog.files(home.settings.pipelines)
    watched = {alert.dataset for alert in alerts.live(db) if is_asked_by_clock(alert)}
    return {
        name: definition
        for name, definition in runs.newest_definitions(db).items()
        if name in known and (name in watched or pipeline_stored.read(name, definition).quality.timeliness)
    }


def _by_clock(home: Home, db: Session, name: str, definition: dict[str, Any], now: datetime) -> None:
    facts, live = facts_of_clock(home, db, name, definition, now), alerts.live(db, name)
    for named, rule in usable_rules():
        if rule.BY_CLOCK:
            _ask(home, db, named, rule, facts, str(definition.get("owner") or ""), live)


def _changes_by_clock(home: Home, db: Session, name: str, definition: dict[str, Any], now: datetime) -> bool:
    """Whether `_by_clock` would write anything; most looks change nothing."""
    facts = facts_of_clock(home, db, name, definition, now)
    for named, rule in usable_rules():
        if rule.BY_CLOCK:
            mine = {alert.what: alert.run_id for alert in alerts.live(db, name) if alert.rule == named}
            found = {problem.what for problem in _problems(named, rule, facts, {}) or ()}
            new = (what for what in found if mine.get(what) != facts.run)
            marks = (alerts.fingerprint(named, name, what) for what in new)
            if mine.keys() - found or not all(_resolved(db, mark, facts) for mark in marks):
                return True
    return False


def _resolved(db: Session, mark: str, facts: Facts) -> bool:
    """Whether a person has said that just this is over."""
    known = alerts.last_ended(db, mark, facts.now - RETURNS)
    return known is not None and known.run_id == facts.run


def _problems(name: str, rule: ModuleType, facts: Facts, mine: dict[str, Alert]) -> list[Problem] | None:
    try:
        found: list[Problem] | None = rule.problems(replace(facts, live={a.what: a.detail for a in mine.values()}))
    except Exception as error:  # noqa: BLE001 - a bug in one rule must keep no run from ending
        log.error("bug in the alert rule %s: %s", name, type(error).__name__)
        return None
    return found


def _ask(
    home: Home, db: Session, name: str, rule: ModuleType, facts: Facts, owner: str, live: Sequence[Alert]
) -> None:  # fmt: skip
    mine = {alert.what: alert for alert in live if alert.rule == name}
    found = _problems(name, rule, facts, mine)
    if found is None:
        return
    for problem in found:
        _seen(home, db, name, rule, facts, owner, problem, mine.pop(problem.what, None))
    for gone in mine.values():
        grouping.end_alert(db, gone, "closed", facts.now)


def _seen(
    home: Home, db: Session, name: str, rule: ModuleType, facts: Facts, owner: str, problem: Problem,
    alert: Alert | None,
) -> None:  # fmt: skip
    """One more time: a run counts once."""
    now, mark = facts.now, alerts.fingerprint(name, facts.dataset, problem.what)
    known = alert or alerts.last_ended(db, mark, now - RETURNS)
    if known is not None and known.run_id == facts.run:
        return  # or a person has resolved just that
    detail = {**problem.detail, "comes_of": {k: dict(v) for k, v in problem.comes_of.items()},
              "touches": list(problem.touches)}  # fmt: skip
    told = {
        "owner": owner, "severity": rule.SEVERITY, "spreads": rule.SPREADS, "title": problem.title,
        "cause": problem.cause, "detail": detail, "next": list(problem.next), "run_id": facts.run, "last_at": now,
    }  # fmt: skip
    if known is None:
        alert = alerts.add(
            db,
            Alert(fingerprint=mark, rule=name, dataset=facts.dataset, what=problem.what, state="open", count=1,
                  opened_at=now, revision=1, **told),
        )  # fmt: skip
        grouping.group_with_cause(home, db, alert, now)
        return
    for key, value in told.items():
        setattr(known, key, value)
    known.count += 1
    if known.ended_at is not None:
        known.state, known.ended_at, known.snoozed_until, known.root_id = "open", None, None, None
        known.assignee = None
    grouping.mark_changed(db, known, now)
    grouping.group_with_cause(home, db, known, now)
