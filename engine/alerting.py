"""Alerts: the rules are asked when a run ends and by the clock; one alert a problem, the first upstream told for all.

What a run shows is saved in the transaction that ends it, with the messages that are to be sent of it.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from types import ModuleType
from typing import Any

from sqlalchemy.orm import Session

from core import parts, pipeline_stored
from core.errors import BadInput, NotFound, Refused
from engine import catalog, rulings
from engine.alerts._rule import Facts, Problem
from engine.duties import Apart
from engine.home import Home
from engine.store import access, alerts, clock, datasets, lineage, links, notices, privacy, quality, runs
from engine.store import rulings as stored
from engine.store.tables import Alert, Run, User

log = logging.getLogger("atlas.alerts")

RETURNS = timedelta(days=1)  # a problem that comes back within this is the same alert
LEFT = timedelta(hours=1)  # so long after its root has ended an alert is told there; then it stands for itself
LOOK_SECONDS = 30.0
LONGEST_SNOOZE = timedelta(days=30)
_CONSTANTS = ("SEVERITY", "SPREADS", "BY_CLOCK", "MASKING")  # of every rule


# what is so


def after_run(home: Home, db: Session, run: Run) -> Apart:
    """What the end of a run shows: new alerts, repeated ones, and those whose cause is gone.

    Each rule is in a savepoint of its own; returns what failed.
    """
    apart = Apart()
    if run.state not in ("succeeded", "refused", "failed"):
        return apart
    now = clock.now(db)
    facts = _facts(home, db, run, now)
    alerts.alone(db)
    owner = str(run.definition.get("owner") or "")
    live = alerts.live(db, run.pipeline)
    masked = run.state == "succeeded" and rulings.is_masking(db, run)
    for name, rule in _rules():
        if not rule.BY_CLOCK and (rule.MASKING or not masked):
            with apart(name), db.begin_nested():
                _ask(home, db, name, rule, facts, owner, live)
    with apart("by the clock"), db.begin_nested():
        _by_clock(home, db, run.pipeline, run.definition, now)
    return apart


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
                _changed(db, alert, now)
            left = alerts.left_behind(db, now - LEFT)
            for alert in left:
                alert.root_id = None
                _changed(db, alert, now)
            for alert in left:
                if alert.root_id is None:  # else one of the others has taken it in
                    with apart(f"alert {alert.id}"), db.begin_nested():
                        _place(home, db, alert, now)
    apart.end()


def _rules() -> Iterator[tuple[str, ModuleType]]:
    """The rules that can be asked; one that cannot is left out and named by `broken_rules`."""
    for name in parts.names("alert rule"):
        if (rule := _rule(name)) is not None:
            yield name, rule


def broken_rules() -> list[str]:
    """The files of alert rules that cannot be used."""
    return [name for name in parts.names("alert rule") if _rule(name) is None]


@cache
def _rule(name: str) -> ModuleType | None:
    """A rule, or None if its file is gone or is not a rule: an older alert may be of any rule there ever was."""
    if name not in parts.names("alert rule"):
        return None
    try:
        rule = parts.load("alert rule", name)
        missing = [it for it in (*_CONSTANTS, "problems") if not hasattr(rule, it)]
    except Exception as error:  # noqa: BLE001 - whatever is in the file of one rule must keep no run from ending
        log.error("the alert rule %s cannot be loaded: %s", name, type(error).__name__)
        return None
    if missing:
        log.error("the alert rule %s is left out: it has no %s", name, ", ".join(missing))
    return None if missing else rule


def _facts(home: Home, db: Session, run: Run, now: datetime) -> Facts:
    name = run.pipeline
    told = Facts(
        dataset=name, run=run.id, now=now, zone=home.settings.timezone, state=run.state, error=run.error or {},
        rows_in=run.rows_in, rows_rejected=run.rows_rejected,
    )  # fmt: skip
    if run.state != "succeeded":
        return told
    before = runs.last_good(db, name, run.id)
    score, score_before = quality.score(db, run.id), quality.score(db, before) if before else None
    found = {row.column: tuple(row.types) for row in privacy.verdicts(db, run.id)}
    privacy_rules = pipeline_stored.read(name, run.definition).privacy
    return replace(
        told,
        rows=datasets.rows_of(db, name, run.id), rows_before=datasets.rows_of(db, name, before) if before else None,
        unbuilt=tuple(table["name"] for table in run.tables or () if table["state"] == "failed"),
        score=score.overall if score else None, score_before=score_before.overall if score_before else None,
        kinds=_kinds(db, run.id), kinds_before=_kinds(db, before) if before else {},
        personal={column: types for column, types in found.items() if types},
        personal_before={row.column: tuple(row.types) for row in privacy.verdicts(db, before)} if before else None,
        settled=frozenset({*privacy_rules.columns, *stored.in_force(db, name)}),
    )  # fmt: skip


def _kinds(db: Session, run: int) -> dict[str, str]:
    return {column: kind.kind for column, kind in rulings.decided_types(db, run).items()}


def _aging(home: Home, db: Session) -> dict[str, dict[str, Any]]:
    """The pipelines, as their newest runs had them, that time alone can change something about."""
    known = catalog.files(home.settings.pipelines)
    watched = {alert.dataset for alert in alerts.live(db) if _by_itself(alert)}
    return {
        name: definition
        for name, definition in runs.newest_definitions(db).items()
        if name in known and (name in watched or pipeline_stored.read(name, definition).quality.timeliness)
    }


def _clock_facts(home: Home, db: Session, name: str, definition: dict[str, Any], now: datetime) -> Facts:
    run, newest = quality.newest(db, name) or (0, None)
    rule = pipeline_stored.read(name, definition).quality.timeliness
    return Facts(
        dataset=name, run=run, now=now, zone=home.settings.timezone, newest=newest,
        max_age_hours=rule.max_age_hours if rule else None,
    )  # fmt: skip


def _by_clock(home: Home, db: Session, name: str, definition: dict[str, Any], now: datetime) -> None:
    facts, live = _clock_facts(home, db, name, definition, now), alerts.live(db, name)
    for named, rule in _rules():
        if rule.BY_CLOCK:
            _ask(home, db, named, rule, facts, str(definition.get("owner") or ""), live)


def _changes_by_clock(home: Home, db: Session, name: str, definition: dict[str, Any], now: datetime) -> bool:
    """Whether `_by_clock` would write anything; most looks change nothing."""
    facts = _clock_facts(home, db, name, definition, now)
    for named, rule in _rules():
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


# from problems to alerts


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
        _end(db, gone, "closed", facts.now)


def _seen(
    home: Home, db: Session, name: str, rule: ModuleType, facts: Facts, owner: str, problem: Problem,
    alert: Alert | None,
) -> None:  # fmt: skip
    """One more time: a run counts once."""
    now, mark = facts.now, alerts.fingerprint(name, facts.dataset, problem.what)
    known = alert or alerts.last_ended(db, mark, now - RETURNS)
    if known is not None and known.run_id == facts.run:
        return  # or a person has resolved just that
    told = {
        "owner": owner, "severity": rule.SEVERITY, "spreads": rule.SPREADS, "title": problem.title,
        "cause": problem.cause, "detail": dict(problem.detail), "next": list(problem.next), "run_id": facts.run,
        "last_at": now,
    }  # fmt: skip
    if known is None:
        alert = alerts.add(
            db,
            Alert(fingerprint=mark, rule=name, dataset=facts.dataset, what=problem.what, state="open", count=1,
                  opened_at=now, revision=1, **told),
        )  # fmt: skip
        _place(home, db, alert, now)
        return
    for key, value in told.items():
        setattr(known, key, value)
    known.count += 1
    returned = known.ended_at is not None
    if returned:
        known.state, known.ended_at, known.snoozed_until, known.root_id = "open", None, None, None
        known.assignee = None
    alone = known.root_id is not None and alerts.get(db, known.root_id).ended_at is not None
    if alone:
        known.root_id = None
    _changed(db, known, now)
    if returned or alone:
        _place(home, db, known, now)
    else:
        _route(home, db, known, now)


def _end(db: Session, alert: Alert, state: str, now: datetime) -> None:
    alert.state, alert.ended_at, alert.snoozed_until = state, now, None
    _changed(db, alert, now)
    if alert.root_id is not None:
        _changed(db, alerts.get(db, alert.root_id), now)


def _changed(db: Session, alert: Alert, now: datetime) -> None:
    alert.revision += 1
    db.flush()
    notices.touch(db, alert, now)


# which is told for all


def _place(home: Home, db: Session, alert: Alert, now: datetime) -> None:
    """Finds where a new alert is told, itself or one upstream, and takes in those downstream of it."""
    if alert.spreads:
        ways = _ways(db)
        roots = [a for a in alerts.live(db) if a.spreads and a.root_id is None and a.id != alert.id]
        same = [a for a in roots if a.dataset == alert.dataset and _by_itself(alert) and not _by_itself(a)]
        up = same or [a for a in roots if alert.dataset in _below(ways, a.dataset) and _may_bring_about(a, alert)]
        root, below = up[0] if up else alert, _below(ways, alert.dataset)
        down = [a for a in roots if a.dataset in below and a is not root and _may_bring_about(root, a)]
        _attach(home, db, [alert, *down] if up else down, root, now)
    _route(home, db, alert, now)


def _may_bring_about(root: Alert, alert: Alert) -> bool:
    """That data are old makes what is built from them old. It makes no run fail."""
    return _by_itself(alert) or not _by_itself(root)


def _by_itself(alert: Alert) -> bool:
    """Whether its rule is asked by the clock: such alerts are consequences of failed runs, not causes."""
    rule = _rule(alert.rule)
    return rule is not None and bool(rule.BY_CLOCK)


def _attach(home: Home, db: Session, found: Iterable[Alert], root: Alert, now: datetime) -> None:
    for alert in found:
        alert.root_id = root.id
        followers = alerts.attached(db, [alert.id]).get(alert.id, [])
        for follower in followers:
            follower.root_id = root.id
        notices.withdraw(db, alert, now)
        _changed(db, alert, now)
        _changed(db, root, now)
        for told in (alert, *followers):
            _route(home, db, told, now)


def _ways(db: Session) -> dict[str, set[str]]:
    """What lies directly downstream of each dataset: by lineage, and by the references of pipelines."""
    below: dict[str, set[str]] = {}
    known = runs.newest_definitions(db)
    built = {name.removeprefix("navigate.") for _, name in lineage.ways(db) if name.startswith("navigate.")}
    for source, target in lineage.ways(db):
        plain, to = source.removeprefix("navigate."), target.removeprefix("navigate.")
        if (plain in known or plain in built) and to in built:  # not the sources, whose names may be the same
            below.setdefault(plain, set()).add(to)
    for name, definition in known.items():
        contract = pipeline_stored.read(name, definition).quality
        targets = [*(rule.references for rule in contract.consistency), *(rule.matches for rule in contract.accuracy)]
        for target in filter(None, targets):
            below.setdefault(target.partition(".")[0], set()).add(name)
    return below


def _below(ways: dict[str, set[str]], dataset: str) -> set[str]:
    found: set[str] = set()
    queue = [dataset]
    while queue:
        new = ways.get(queue.pop(), set()) - found
        found |= new
        queue += new
    return found - {dataset}


# who hears of it


def _route(home: Home, db: Session, alert: Alert, now: datetime) -> None:
    """Sees to it that there is a message wherever this dataset's alerts are heard of: of the root, if there is one."""
    told = alerts.get(db, alert.root_id) if alert.root_id is not None else alert
    due = now + timedelta(seconds=home.settings.alert_hold_seconds if alert.spreads else 0)
    if ways := home.settings.alert_ways(alert.owner):
        notices.ensure(db, told, ways[0], ways, None, due)
    for user in alerts.subscribers(db, alert.dataset):
        if ways := [str(identity) for identity in links.identities(db, user.id)]:
            notices.ensure(db, told, f"user {user.id}", ways, user.id, due)


# what people do about it


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
    """Somebody is to see to it. Raises NotFound, Refused if it has ended or they may no longer use Atlas."""
    alert = _held(db, number)
    if not user.active:
        raise Refused(f"`{user.name}` may no longer use Atlas.")
    alert.state, alert.snoozed_until, alert.assignee = "assigned", None, user.name
    _done(db, alert, by)
    return alert


def resolve(db: Session, number: int, by: str) -> Alert:
    """A person says that it is over; a run that shows it again opens it again. Raises NotFound, Refused."""
    alert = _held(db, number)
    alert.changed_by, alert.changed_at = by, clock.now(db)
    _end(db, alert, "resolved", alert.changed_at)
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
    _changed(db, alert, alert.changed_at)
