"""A column holds personal data that it did not hold before, and nobody has decided on it."""

from engine.alerts.rules._rule import Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "high", False, False, True
OVER = "somebody has decided what it holds"


def problems(facts: Facts) -> list[Problem] | None:
    if facts.state != "succeeded" or facts.personal_before is None:
        return None
    found = []
    for column, types in facts.personal.items():
        new = set(types) - set(facts.personal_before.get(column, ()))
        if column in facts.settled or not (new or column in facts.live):
            continue
        held = " and ".join(sorted(new) or types)
        cause = f"Run #{facts.run} found {held} in `{column}`. Say what it holds, and it is settled."
        name = f'"{facts.dataset}.{column}"' if not column.isidentifier() else f"{facts.dataset}.{column}"
        title = f"New personal data in {facts.dataset}.{column}"
        found.append(Problem(title, cause, (f"pii {name}", f"impact {name}"), what=column))
    return found
