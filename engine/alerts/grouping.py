"""Alerts are grouped under the one that caused them, and messages about that one go to all who hear of any of them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from engine.alerts.rules._rule import AT_ONCE
from engine.home import Home
from engine.store import alerts, datasets, links, notices
from engine.store.tables import Alert


def group_with_cause(home: Home, db: Session, alert: Alert, now: datetime) -> None:
    """Groups an alert under the open one that caused it, and under it, or under that one, those that it caused."""
    live = alerts.live(db)
    heads = {other.id: other for other in live}

    def root(of: Alert) -> Alert:
        return heads.get(of.root_id or 0, of)

    cause = next((root(a) for a in live if _brought_about(db, a, alert) and root(a).id != alert.id), None)
    if cause is not None and alert.root_id != cause.id:
        _attach(home, db, [alert], cause, now)
    elif cause is None:
        alert.root_id = None
    under = cause or alert
    others = [a for a in live if root(a) is a and a.id != under.id]
    _attach(home, db, [a for a in others if _brought_about(db, alert, a)], under, now)
    _route(home, db, alert, now)


def _brought_about(db: Session, cause: Alert, effect: Alert) -> bool:
    """Whether one problem can have caused another: the other says of what it can come, and was not there before it."""
    possible = (effect.detail.get("comes_of") or {}).get(cause.dataset, {})
    if cause.id == effect.id or cause.rule not in possible:
        return False
    through = possible[cause.rule]
    if through is not None and through not in (cause.detail.get("touches") or ()):
        return False
    if effect.rule == "freshness":  # data that were old before runs failed are not old because of the failures
        return cause.opened_at <= effect.opened_at
    if cause.opened_at <= effect.last_at:
        return True
    # the cause may have kept the dataset from being published before anybody saw it
    current = datasets.current_version(db, cause.dataset)
    return cause.rule not in AT_ONCE and (current is None or current.published_at < effect.last_at)


def _attach(home: Home, db: Session, found: Iterable[Alert], root: Alert, now: datetime) -> None:
    for alert in found:
        alert.root_id = root.id
        followers = alerts.attached(db, [alert.id]).get(alert.id, [])
        for follower in followers:
            follower.root_id = root.id
        notices.withdraw(db, alert, now)
        mark_changed(db, alert, now)
        mark_changed(db, root, now)
        for told in (alert, *followers):
            _route(home, db, told, now)


def _route(home: Home, db: Session, alert: Alert, now: datetime) -> None:
    """Adds a message for each receiver of this dataset's alerts. An alert with a root is reported through its root."""
    told = alerts.get(db, alert.root_id) if alert.root_id is not None else alert
    due = now + timedelta(seconds=home.settings.alert_hold_seconds if alert.spreads else 0)
    if ways := home.settings.alert_ways(alert.owner):
        notices.ensure(db, told, ways[0], ways, None, due)
    for user in alerts.subscribers(db, alert.dataset):
        if ways := [str(identity) for identity in links.identities(db, user.id)]:
            notices.ensure(db, told, f"user {user.id}", ways, user.id, due)


def end_alert(db: Session, alert: Alert, state: str, now: datetime) -> None:
    alert.state, alert.ended_at, alert.snoozed_until = state, now, None
    mark_changed(db, alert, now)
    if alert.root_id is not None:
        mark_changed(db, alerts.get(db, alert.root_id), now)


def mark_changed(db: Session, alert: Alert, now: datetime) -> None:
    alert.revision += 1
    db.flush()
    notices.touch(db, alert, now)
