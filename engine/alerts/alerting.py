"""Alerts: the rules are asked when a run ends and by the clock; one alert a problem, grouped under what caused it.

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
from engine import catalog
from engine.alerts.rules._rule import AT_ONCE, Facts, Problem
from engine.contract import compared
from engine.duties import Apart
from engine.home import Home
from engine.personal import rulings
from engine.store import access, alerts, clock, datasets, links, notices, privacy, quality, runs
from engine.store import rulings as stored
from engine.store.tables import Alert, Check, Run, User

log = logging.getLogger("atlas.alerts")

OF_MODELS = "unbuilt_model"  # the rule about what runs of several datasets build
RETURNS = timedelta(days=1)  # a problem that comes back within this is the same alert
LEFT = timedelta(hours=1)  # how long an alert stays grouped under a root that has ended
LOOK_SECONDS = 30.0
LONGEST_SNOOZE = timedelta(days=30)
_CONSTANTS = ("SEVERITY", "SPREADS", "BY_CLOCK", "MASKING", "OVER")  # of every rule


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
    before = runs.last_good(db, name, run.id)
    blamed, late = _blamed(db, run, before)
    told = replace(told, blamed=blamed, late=late, unbuilt=_unbuilt(run))
    if run.state != "succeeded":
        return told
    score = quality.score(db, run.id)
    found = {row.column: tuple(row.types) for row in privacy.verdicts(db, run.id)}
    privacy_rules = pipeline_stored.read(name, run.definition).privacy
    return replace(
        told,
        rows=datasets.rows_of(db, name, run.id), rows_before=datasets.rows_of(db, name, before) if before else None,
        score=score.overall if score else None, score_before=_score_before(db, run, before),
        kinds=_kinds(db, run.id), kinds_before=_kinds(db, before) if before else {},
        personal={column: types for column, types in found.items() if types},
        personal_before={row.column: tuple(row.types) for row in privacy.verdicts(db, before)} if before else None,
        settled=frozenset({*privacy_rules.columns, *stored.in_force(db, name)}),
    )  # fmt: skip


def _score_before(db: Session, run: Run, before: int | None) -> float | None:
    """What the score was before. After a change of the contract, what the rules of both say is added to today's."""
    was, now = quality.score(db, before) if before else None, quality.score(db, run.id)
    if was is None or now is None:
        return None
    like = compared.with_the_run_before(db, run.pipeline, run.id)
    if like is None or not like.contract or like.since != before:
        return was.overall
    if now.overall is None or like.now.overall is None or like.before.overall is None:
        return None
    return now.overall + like.before.overall - like.now.overall


def _unbuilt(run: Run) -> dict[str, str]:
    """The models that a run could not build, and why."""
    if run.rebuilds and run.state == "failed":
        return {run.pipeline: str((run.error or {}).get("message") or "no reason given")}
    return {table["name"]: str(table["note"]) for table in run.tables or () if table["state"] == "failed"}


def _blamed(db: Session, run: Run, before: int | None) -> tuple[frozenset[str], bool]:
    """The datasets that rules name which fail in a larger share of the rows than in a run before; whether time did."""
    earlier = {check.name: check for check in quality.checks(db, before)} if before else {}
    worse = [check for check in quality.checks(db, run.id) if _share(check) > _share(earlier.get(check.name))]
    contract = pipeline_stored.read(run.pipeline, run.definition).quality
    targets = [*(rule.references for rule in contract.consistency), *(rule.matches for rule in contract.accuracy)]
    blamed = {t.partition(".")[0] for t in targets if t and any(check.name.endswith(f" is in {t}") for check in worse)}
    return frozenset(blamed - {run.pipeline}), any(check.dimension == "timeliness" for check in worse)


def _share(check: Check | None) -> float:
    """The share of the rows that fail; 0 for what was not tested."""
    return check.failed / check.tested if check is not None and check.tested else 0.0


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


def _by_itself(alert: Alert) -> bool:
    """Whether its rule is asked by the clock, too."""
    rule = _rule(alert.rule)
    return rule is not None and bool(rule.BY_CLOCK)


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
        _place(home, db, alert, now)
        return
    for key, value in told.items():
        setattr(known, key, value)
    known.count += 1
    if known.ended_at is not None:
        known.state, known.ended_at, known.snoozed_until, known.root_id = "open", None, None, None
        known.assignee = None
    _changed(db, known, now)
    _place(home, db, known, now)


def over(alert: Alert) -> str | None:
    """Why an alert has closed by itself: `customers runs again`. None if its rule is gone."""
    rule = _rule(alert.rule)
    return rule.OVER.format(dataset=alert.dataset) if rule is not None and alert.state == "closed" else None


def _end(db: Session, alert: Alert, state: str, now: datetime) -> None:
    alert.state, alert.ended_at, alert.snoozed_until = state, now, None
    _changed(db, alert, now)
    if alert.root_id is not None:
        _changed(db, alerts.get(db, alert.root_id), now)


def _changed(db: Session, alert: Alert, now: datetime) -> None:
    alert.revision += 1
    db.flush()
    notices.touch(db, alert, now)


# what caused it


def _place(home: Home, db: Session, alert: Alert, now: datetime) -> None:
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
    if effect.rule == "freshness":  # what was old before runs failed is not old because they fail
        return cause.opened_at <= effect.opened_at
    if cause.opened_at <= effect.last_at:
        return True
    # what keeps a dataset from being published may have done so for some time before it was seen
    current = datasets.current_version(db, cause.dataset)
    return cause.rule not in AT_ONCE and (current is None or current.published_at < effect.last_at)


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
