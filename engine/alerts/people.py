"""What people do about alerts: acknowledge, snooze, assign and resolve them, and subscribe to those of a dataset."""

from datetime import timedelta

from sqlalchemy.orm import Session

from core.errors import BadInput, NotFound, Refused
from engine import catalog
from engine.alerts import grouping
from engine.home import Home
from engine.store import access, alerts, clock, links
from engine.store.tables import Alert, User

LONGEST_SNOOZE = timedelta(days=30)


def acknowledge(db: Session, number: int, by: str) -> Alert:
    """Somebody has seen it. Raises NotFound, Refused if it has ended."""
    alert = _held(db, number)
    if alert.state != "acknowledged":
        alert.state, alert.snoozed_until = "acknowledged", None
        _done(db, alert, by)
    return alert


def snooze(db: Session, number: int, minutes: int, by: str) -> Alert:
    """It is quiet for so long, then it returns. Raises NotFound, Refused, BadInput."""
    alert = _held(db, number)
    if timedelta(minutes=minutes) > LONGEST_SNOOZE:
        raise BadInput(f"An alert can be snoozed for {LONGEST_SNOOZE.days} days at most.", hint=f"snooze {number} 7d")
    alert.state, alert.snoozed_until = "snoozed", clock.now(db) + timedelta(minutes=minutes)
    _done(db, alert, by)
    return alert


def assign(db: Session, number: int, user: User, by: str) -> Alert:
    """Makes somebody responsible; what is snoozed stays so. Raises NotFound, Refused if they may not handle it."""
    alert = _held(db, number)
    if not user.active:
        raise Refused(f"`{user.name}` may no longer use Atlas.")
    if not _may_handle(db, user, alert):
        may = " or ".join(role for role in access.ROLES if "handle:alerts" in access.rights(role))
        message = f"`{user.name}` may not handle alerts about `{alert.dataset}`: they are {user.role}."
        raise Refused(message, hint=f"It needs the role {may}.")
    alert.assignee = user.name
    if alert.state != "snoozed":
        alert.state = "assigned"
    _done(db, alert, by)
    return alert


def _may_handle(db: Session, user: User, alert: Alert) -> bool:
    held = access.rights(user.role) | access.rights(access.grants_of(db, user.id).get(alert.dataset, user.role))
    return "handle:alerts" in (held | access.OWNER if alert.owner and alert.owner in user.owns else held)


def resolve(db: Session, number: int, by: str) -> Alert:
    """A person says that it is over; a run that shows it again opens it again. Raises NotFound, Refused."""
    alert = _held(db, number)
    alert.changed_by, alert.changed_at = by, clock.now(db)
    grouping.end_alert(db, alert, "resolved", alert.changed_at)
    return alert


def subscribe(home: Home, db: Session, user: int, dataset: str) -> tuple[bool, bool]:
    """A user hears of the dataset's alerts from now on; whether they did not before, and whether a chat can tell them.

    Raises NotFound, Refused.
    """
    known = catalog.files(home.settings.pipelines)
    if dataset not in known:
        if dataset in catalog.models(home.settings.pipelines):
            raise Refused(f"`{dataset}` is a model: alerts are about datasets.", hint=f"lineage {dataset}")
        raise catalog.nearest("dataset", dataset, known)
    return alerts.subscribe(db, user, dataset, clock.now(db)), bool(links.identities(db, user))


def unsubscribe(db: Session, user: int, dataset: str) -> None:
    """Raises NotFound."""
    if not alerts.unsubscribe(db, user, dataset):
        raise NotFound(f"You have not subscribed to `{dataset}`.", hint=f"subscribe {dataset}")


def named(db: Session, name: str, spoken_in: links.Identity | None) -> User:
    """A user by name, or by their id on the platform where somebody speaks. Raises NotFound."""
    if spoken_in is not None:
        known = links.user(db, links.Identity(spoken_in.platform, spoken_in.tenant, name))
        if known is not None:
            return known
    return access.user(db, name)


def _held(db: Session, number: int) -> Alert:
    alerts.alone(db)
    alert = alerts.get(db, number)
    if alert.ended_at is not None:
        by = f" by `{alert.changed_by}`" if alert.state == "resolved" else " by itself"
        raise Refused(f"Alert `#{number}` is {alert.state}{by}.", hint="alerts")
    return alert


def _done(db: Session, alert: Alert, by: str) -> None:
    alert.changed_by, alert.changed_at = by, clock.now(db)
    grouping.mark_changed(db, alert, alert.changed_at)
