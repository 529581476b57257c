"""More than five percent of the rows of a run were rejected."""

from engine.alerts.rules._rule import Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "low", True, False, False
OVER = "a run rejected fewer rows"

SHARE = 0.05


def problems(facts: Facts) -> list[Problem] | None:
    if facts.rows_in is None or facts.rows_rejected is None:
        return None
    if facts.rows_rejected <= SHARE * facts.rows_in:
        return []
    share = 100 * facts.rows_rejected / facts.rows_in
    cause = f"Run #{facts.run} rejected {facts.rows_rejected:,} of {facts.rows_in:,} rows ({share:.1f} %)."
    title = f"Many rows of {facts.dataset} are rejected"
    return [
        Problem(
            title, cause, (f"dead {facts.dataset}", f"why {facts.run}"), comes_of=facts.remembered(facts.of_others())
        )
    ]
