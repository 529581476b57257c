"""The score is below the minimum, so that the run was refused."""

from engine.alerts.rules._rule import Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "high", True, False, False
OVER = "the score is high enough again"


def problems(facts: Facts) -> list[Problem] | None:
    if facts.state == "succeeded":
        return []
    if facts.state != "refused" or facts.error.get("code") != "score_too_low":
        return None
    cause = f"{facts.error['message']} Run #{facts.run} was not published; the last good version stays."
    next = (f"why {facts.run}", f"quality {facts.dataset}")
    title = f"The score of {facts.dataset} is too low"
    return [Problem(title, cause, next, comes_of=facts.of_others() | facts.of_age())]
