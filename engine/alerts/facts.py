"""The facts that alert rules are asked about: those of a run that has ended, and those of the clock."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core import pipeline_stored
from engine.alerts.rules._rule import Facts
from engine.contract import compared
from engine.home import Home
from engine.personal import rulings
from engine.store import datasets, privacy, quality, runs
from engine.store import rulings as stored
from engine.store.tables import Check, Run


def facts_of_run(home: Home, db: Session, run: Run, now: datetime) -> Facts:
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


def facts_of_clock(home: Home, db: Session, name: str, definition: dict[str, Any], now: datetime) -> Facts:
    run, newest = quality.newest(db, name) or (0, None)
    rule = pipeline_stored.read(name, definition).quality.timeliness
    return Facts(
        dataset=name, run=run, now=now, zone=home.settings.timezone, newest=newest,
        max_age_hours=rule.max_age_hours if rule else None,
    )  # fmt: skip
