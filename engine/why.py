"""Why a run failed or a score fell, as sentences made of facts, and what could not be checked."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from core.models import DIMENSIONS
from engine.chart.score import text
from engine.store import privacy, quality, runs
from engine.store.tables import Check, Run


@dataclass
class Why:
    """An explanation: the headline, the causes in order of weight, and what was not checked."""

    headline: str
    sentences: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)


def explain(db: Session, run: Run) -> Why:
    """What happened in a run: its error first, then the checks that took the points."""
    name, measured = run.pipeline, quality.score(db, run.id)
    why = Why(_headline(db, run))
    if run.error:
        tries = run.error.get("tries", "")
        why.sentences.append(f"{run.error['message'].rstrip('.')}{tries}.")
    if measured:
        before = quality.score_before(db, name, run.id)
        earlier = {c.name: c for c in quality.checks(db, before.run_id)} if before else {}
        checks = quality.checks(db, run.id)
        for points, check in _points(checks, measured.measured):
            why.sentences.append(_sentence(check, points, earlier.get(check.name)))
        rejected = sum(group.rows for group in privacy.dead_letters(db, run.id))
        if rejected and (read := runs.rows_read(run, rejected)):
            why.sentences.append(f"{rejected:,} of {read:,} rows were rejected.")
        why.not_checked = [
            f"{dimension} ({_no_measure(dimension, checks)})"
            for dimension in DIMENSIONS
            if measured.dimensions.get(dimension) is None
        ]
    return why


def dependents(ways: set[tuple[str, str]], dataset: str) -> list[str]:
    """Every table that is built on a dataset, directly or through another, by the ways from dataset to dataset."""
    found: list[str] = []
    queue = [dataset]
    while queue:
        node = queue.pop()
        for target in sorted(to for source, to in ways if source == node and to not in found and to != dataset):
            found.append(target)
            queue.append(target)
    return sorted(name.removeprefix("navigate.") for name in found)


def _headline(db: Session, run: Run) -> str:
    name, measured = run.pipeline, quality.score(db, run.id)
    before = quality.score_before(db, name, run.id) if measured else None
    if run.state == "failed":
        return f"Run #{run.id} of {name} failed."
    if run.state == "cancelled":
        return f"Run #{run.id} of {name} was cancelled; nothing was published."
    if run.state == "refused":
        return f"Run #{run.id} of {name} was refused; the last good version stays."
    if run.state in runs.ACTIVE:
        return f"Run #{run.id} of {name} is still {run.state}."
    if measured is None or measured.overall is None:
        reason = "no rule could be tested" if quality.checks(db, run.id) else f"{name}.yml has no quality rules"
        return f"Nothing in {name} was measured: {reason}."
    score = text(measured.overall)
    if before and before.overall is not None and abs(before.overall - measured.overall) >= 0.05:
        verb = "fell" if measured.overall < before.overall else "rose"
        return f"{name} {verb} from {text(before.overall)} to {score} in run #{run.id}."
    if measured.overall >= 100:
        return f"{name} has 100.0 in run #{run.id}: no check found a fault."
    return f"{name} has {score} in run #{run.id}" + (", as before." if before else ".")


def _points(checks: list[Check], measured: int) -> list[tuple[float, Check]]:
    """What each check took from the overall score, most first: its part of its dimension, of those measured."""
    weights: dict[str, float] = {}
    for check in checks:
        if check.tested:
            weights[check.dimension] = weights.get(check.dimension, 0) + check.weight
    taken = [
        (100 * check.failed / check.tested * check.weight / weights[check.dimension] / measured, check)
        for check in checks
        if check.tested and check.failed
    ]
    return sorted(taken, key=lambda pair: -pair[0])


def _sentence(check: Check, points: float, before: Check | None) -> str:
    share = 100 * check.failed / check.tested
    took = f"{points:.1f} points" if points >= 0.05 else "under 0.1 points"
    if check.note:
        return f"{check.note[0].upper()}{check.note[1:]}: {took}."
    was = ""
    if before and before.tested:
        earlier = 100 * before.failed / before.tested
        was = f", was {_percent(earlier)}" if abs(earlier - share) >= 0.05 else ", as before"
    return f"{check.fault} in {_percent(share)} of {int(check.tested):,} rows{was}: {took}."


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value >= 0.1 else "under 0.1 %"


def _no_measure(dimension: str, checks: list[Check]) -> str:
    notes = [c.note for c in checks if c.dimension == dimension and c.note]
    return notes[0] if notes else "no rule"
