"""The source has other columns, or other kinds of values in them, than in the last good run."""

from engine.alerts.rules._rule import Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "low", True, False, False
OVER = "the columns have stayed the same since"
KINDS = "*"  # touched where any column holds another kind of values

MOST = 8  # columns that are named


def problems(facts: Facts) -> list[Problem] | None:
    if facts.state != "succeeded" or not facts.kinds or not facts.kinds_before:
        return None
    now, before = facts.kinds, facts.kinds_before
    told = [f"`{column}` is new" for column in now if column not in before]
    told += [f"`{column}` is gone" for column in before if column not in now]
    told += [
        f"`{column}` was {before[column]} and is {kind}"
        for column, kind in now.items()
        if column in before and before[column] != kind
    ]
    if not told:
        return []
    more = f" and {len(told) - MOST} more" if len(told) > MOST else ""
    cause = f"In run #{facts.run} {', '.join(told[:MOST])}{more}."
    next = (f"impact {facts.dataset}", f"status {facts.run}")
    gone = tuple(column for column in before if column not in now)
    changed = (KINDS,) if any(before[column] != kind for column, kind in now.items() if column in before) else ()
    return [Problem(f"The columns of {facts.dataset} have changed", cause, next, touches=(*gone, *changed))]
