"""Why a run failed or a score fell, as sentences made of facts, and what could not be checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from core.models import DIMENSIONS, NO_ROWS
from engine.contract import score, segments
from engine.contract.compared import Compared, with_the_run_before
from engine.store import privacy, quality, runs
from engine.store.tables import Check, Run

MOST_SEGMENTS = 3  # checks of which it is looked for what the rows that fail have in common


@dataclass
class Why:
    """An explanation: the headline, the causes in order of weight, and what was not checked."""

    headline: str
    sentences: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)


def explain(db: Session, run: Run, *, values: bool = False) -> Why:
    """What happened in a run: its error first, then the checks that took the points.

    `values`: whether whoever asks may see a value that many rows share.
    """
    name, measured = run.pipeline, quality.score(db, run.id)
    why = Why(_headline(db, run))
    if run.error:
        tries = run.error.get("tries", "")
        why.sentences.append(f"{run.error['message'].rstrip('.')}{tries}.")
    if measured:
        checks, compared = quality.checks(db, run.id), with_the_run_before(db, name, run.id)
        if compared and compared.contract:
            why.sentences.append(_other_contract(compared))
        for number, (points, check) in enumerate(score.points(checks)):
            said = _sentence(check, points, compared.earlier.get(check.ordinal) if compared else None)
            shared = segments.of_empty(db, run, check) if number < MOST_SEGMENTS else None
            why.sentences.append(f"{said} {shared.told(value=values)}." if shared else said)
        rejected = sum(group.rows for group in privacy.dead_letters(db, run.id))
        if rejected and (read := runs.rows_read(run, rejected)):
            were = "was" if rejected == 1 else "were"
            why.sentences.append(f"{rejected:,} of {read:,} rows {were} rejected.")
        why.not_checked = [
            f"{dimension} ({no_measure(dimension, checks)})"
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
    if run.state == "failed":
        return f"Run #{run.id} of {name} failed."
    if run.state == "cancelled":
        return f"Run #{run.id} of {name} was cancelled; nothing was published."
    if run.state == "refused":
        return f"Run #{run.id} of {name} was refused; the last good version stays."
    if run.state in runs.ACTIVE:
        return f"Run #{run.id} of {name} is still {run.state}."
    if measured is None or measured.overall is None:
        return f"Nothing in {name} was measured: {nothing_measured(name, quality.checks(db, run.id))}."
    compared = with_the_run_before(db, name, run.id)
    said = score.text(measured.overall)
    if compared and not compared.contract and (moved := _moved(compared)):
        return f"{name} {moved} in run #{run.id}."
    if measured.overall >= 100:
        return f"{name} has 100.0 in run #{run.id}: no check found a fault."
    same = compared and not compared.contract and compared.now.overall is not None
    return f"{name} has {said} in run #{run.id}" + (", as before." if same else ".")


def _moved(compared: Compared) -> str:
    """`fell from 96.4 to 94.1`; nothing if it did not move."""
    now, before = compared.now.overall, compared.before.overall
    if now is None or before is None or abs(before - now) < 0.05:
        return ""
    return f"{'fell' if now < before else 'rose'} from {score.text(before)} to {score.text(now)}"


def _other_contract(compared: Compared) -> str:
    if compared.now.overall is None:
        return f"The contract has changed since run #{compared.since}; no rule was measured in both."
    moved = _moved(compared) or f"stayed at {score.text(compared.now.overall)}"
    return f"The contract has changed since run #{compared.since}. By the rules that both runs have the score {moved}."


def nothing_measured(dataset: str, checks: Sequence[Check]) -> str:
    """Why no rule was measured."""
    if not checks:
        return f"{dataset}.yml has no quality rules"
    if any(check.note == NO_ROWS for check in checks):
        return "there were no rows to test"
    return next((f"{check.name}: {check.note}" for check in checks if check.note), "no rule could be tested")


def _sentence(check: Check, points: float, before: Check | None) -> str:
    share = 100 * check.failed / check.tested
    took = f"{points:.1f} points" if points >= 0.05 else "under 0.1 points"
    if check.note:
        return f"{check.note[0].upper()}{check.note[1:]}: {took}."
    was = ""
    if before and before.tested:
        earlier = 100 * before.failed / before.tested
        was = f", was {_percent(earlier)}" if abs(earlier - share) >= 0.05 else ", as before"
    rows = f"{int(check.tested):,} row{'' if check.tested == 1 else 's'}"
    return f"{check.fault} in {_percent(share)} of {rows}{was}: {took}."


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value >= 0.1 else "under 0.1 %" if value else "0 %"


def no_measure(dimension: str, checks: Sequence[Check]) -> str:
    """Why a dimension has no score: the rules that could not be measured, each with its reason."""
    mine = [check for check in checks if check.dimension == dimension]
    broken = [f"{check.name}: {check.note}" for check in mine if score.could_not(check)]
    notes = [check.note for check in mine if check.note]
    return "; ".join(broken) if broken else notes[0] if notes else "no rule"
