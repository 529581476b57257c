"""A version has less than half of the rows that the one before had, and has not got them back."""

from engine.alerts.rules._rule import Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "high", True, False, False
OVER = "the rows are back"

SHARE, LEAST = 0.5, 20  # share of the rows before that must be lost, and how many there must have been


def problems(facts: Facts) -> list[Problem] | None:
    if facts.state != "succeeded" or facts.rows is None:
        return None
    before = facts.live[""]["before"] if facts.live else facts.rows_before
    if before is None or before < LEAST or facts.rows >= SHARE * before:
        return []
    cause = f"It had {before:,} rows and has {facts.rows:,} after run #{facts.run}."
    next = (f"status {facts.run}", f"dead {facts.dataset}")
    return [Problem(f"{facts.dataset} has lost most of its rows", cause, next, detail={"before": before})]
