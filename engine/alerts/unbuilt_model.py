"""A model could not be built after a run; whoever looks at it sees the version before."""

from engine.alerts._rule import Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "high", False, False, True


def problems(facts: Facts) -> list[Problem] | None:
    if facts.state != "succeeded":
        return None
    cause = f"After run #{facts.run} of {facts.dataset} it shows what it showed before, if anything."
    next = (f"status {facts.run}", f"lineage {facts.dataset}")
    return [Problem(f"{name} could not be built", cause, next, what=name) for name in facts.unbuilt]
