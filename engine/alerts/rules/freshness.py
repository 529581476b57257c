"""The newest row is older than the pipeline's `timeliness` allows, whether runs bring no newer ones or none happens."""

from datetime import timedelta

from engine.alerts.rules._rule import NOT_PUBLISHED, Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "high", True, True, False
OVER = "newer rows are published"


def problems(facts: Facts) -> list[Problem]:
    if (
        facts.newest is None
        or facts.max_age_hours is None
        or facts.now - facts.newest <= timedelta(hours=facts.max_age_hours)
    ):
        return []
    cause = (
        f"Its newest row is of {facts.time(facts.newest)}, published by run #{facts.run}; "
        f"{facts.max_age_hours:g} h are allowed."
    )
    next = (f"why {facts.dataset}", f"run {facts.dataset}")
    comes_of = {facts.dataset: NOT_PUBLISHED}
    return [Problem(f"{facts.dataset} is out of date", cause, next, comes_of=comes_of)]
