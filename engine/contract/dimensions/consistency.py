"""Consistency: the columns of a row agree with each other, and references lead somewhere."""

from collections.abc import Iterator

from core.pipeline import Quality
from engine.contract.check import Check, Data, found_in, holds


def checks(contract: Quality, data: Data) -> Iterator[Check]:
    for rule in contract.consistency:
        if rule.expression:
            yield holds(rule.expression, "consistency", rule.weight, data)
        elif rule.column and rule.references:
            yield found_in(rule.column, rule.references, "consistency", rule.weight, data)
