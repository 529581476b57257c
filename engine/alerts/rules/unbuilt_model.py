"""A model could not be built after a run; people go on seeing the version before, if there is one."""

import re

from engine.alerts.rules._rule import Facts, Problem
from engine.alerts.rules.schema_drift import KINDS

SEVERITY, SPREADS, BY_CLOCK, MASKING = "high", True, False, True
OVER = "it was built"
# as engine/sql/mistakes.py says it, whose libraries are too heavy to be loaded for two sentences
_LACKING = re.compile("`([^`]+)` has no column `([^`]+)`")
_OF_TYPES = re.compile(" does not take | are mixed| cannot be converted")


def problems(facts: Facts) -> list[Problem] | None:
    return [
        Problem(f"{name} could not be built", why, (f"why {name}", f"run {name}"), what=name,
                comes_of=_comes_of(facts.dataset, why))
        for name, why in facts.unbuilt.items()
    ]  # fmt: skip


def _comes_of(dataset: str, why: str) -> dict[str, dict[str, str | None]]:
    """Other columns of a dataset that the model reads, if what keeps it from being built is a column of it."""
    if lacking := _LACKING.search(why):
        return {lacking[1]: {"schema_drift": lacking[2]}}
    return {dataset: {"schema_drift": KINDS}} if _OF_TYPES.search(why) else {}
