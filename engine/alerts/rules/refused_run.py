"""A run was refused for another reason than its score."""

from engine.alerts.rules._rule import Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "high", True, False, False
OVER = "{dataset} is published again"


def problems(facts: Facts) -> list[Problem] | None:
    if facts.state == "succeeded":
        return []
    if facts.state != "refused":
        return None
    if facts.error.get("code") == "score_too_low":
        return []
    message = str(facts.error.get("message") or "no reason given").rstrip(".")
    cause = f"Run #{facts.run} was not published: {message}. The last good version stays."
    return [Problem(f"{facts.dataset} was refused", cause, (f"why {facts.run}", f"status {facts.run}"))]
