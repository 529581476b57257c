"""The score has fallen by five points or more, and has not come back."""

from engine.alerts.rules._rule import Facts, Problem
from engine.contract.score import text

SEVERITY, SPREADS, BY_CLOCK, MASKING = "low", True, False, False
OVER = "the score has come back"

POINTS = 5.0


def problems(facts: Facts) -> list[Problem] | None:
    if facts.state != "succeeded" or facts.score is None:
        return None
    before = facts.live[""]["before"] if facts.live else facts.score_before
    if before is None or before - facts.score < POINTS:
        return []
    cause = f"It was {text(before)} and is {text(facts.score)} in run #{facts.run}."
    next = (f"why {facts.run}", f"quality {facts.dataset} trend")
    title, comes_of = f"The score of {facts.dataset} has fallen", facts.remembered(facts.of_others() | facts.of_age())
    return [Problem(title, cause, next, detail={"before": before}, comes_of=comes_of)]
