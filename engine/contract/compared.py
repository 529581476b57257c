"""Compares the scores of two runs over the rules that both have: another contract makes no data better or worse."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core import pipeline_stored
from core.models import DIMENSIONS, CheckResult
from core.pipeline import Quality
from engine.contract import score
from engine.store import quality, runs
from engine.store.tables import Check

Rule = tuple[str, int]  # a check's name, and its number among checks of that name
# the parts of a validity rule; each is a check of its own
_PARTS = (("format",), ("values",), ("min", "max"), ("regex",))


@dataclass(frozen=True)
class Compared:
    """The scores of a run and of one before it, over the rules that were measured in both."""

    since: int  # the run before
    contract: bool  # whether the contract says something else by now
    now: score.Scores
    before: score.Scores
    earlier: dict[int, Check]  # the same rule's earlier result, by the number of the check now


def with_the_run_before(db: Session, dataset: str, run: int) -> Compared | None:
    """None if no run before this one has measured anything."""
    last = quality.score_before(db, dataset, run)
    if last is None:
        return None
    now, before = quality.checks(db, run), quality.checks(db, last.run_id)
    mine, theirs = _rules(db, run, now), _rules(db, last.run_id, before)
    by_rule = dict(zip(theirs, before, strict=True))
    pairs = [(check, by_rule[rule]) for rule, check in zip(mine, now, strict=True) if rule in by_rule]
    both = [(check, was) for check, was in pairs if check.tested and was.tested]
    weighed = [(rule, check.weight) for rule, check in zip(mine, now, strict=True)]
    return Compared(
        last.run_id,
        sorted(weighed) != sorted((rule, check.weight) for rule, check in by_rule.items()),
        score.scores([_as_result(check, check.weight) for check, _ in both]),
        score.scores([_as_result(was, check.weight) for check, was in both]),
        {check.ordinal: was for check, was in pairs},
    )


def _as_result(check: Check, weight: float) -> CheckResult:
    return CheckResult(check.name, check.dimension, check.column, check.failed, check.tested, weight)


def _rules(db: Session, run: int, checks: Sequence[Check]) -> list[Rule]:
    """What each check of a run says, by its contract; by its own name where the contract cannot be read any more."""
    row = runs.get(db, run)
    said = _said(pipeline_stored.read(row.pipeline, row.definition).quality)
    if len(said) != len(checks):
        said = [f"{check.dimension} {check.name}" for check in checks]
    seen: Counter[str] = Counter()
    rules = []
    for words in said:
        rules.append((words, seen[words]))
        seen[words] += 1
    return rules


def _said(contract: Quality) -> list[str]:
    found = []
    for dimension in DIMENSIONS:
        written = getattr(contract, dimension)
        for rule in written if isinstance(written, list) else [written] if written else []:
            words = rule.model_dump(exclude={"weight"}, exclude_none=True)
            for names in _PARTS if dimension == "validity" else [tuple(words)]:
                if any(name in words for name in names):
                    part = {name: words[name] for name in ("column", *names) if name in words}
                    found.append(json.dumps([dimension, part], sort_keys=True))
    return found
