"""Accuracy: values agree with a truth: master data, or what can be computed again."""

from collections.abc import Iterator

from core.pipeline import Quality
from engine.contract.check import Check, Data, found_in, holds


def checks(contract: Quality, data: Data) -> Iterator[Check]:
    for rule in contract.accuracy:
        if rule.expression:
            yield holds(rule.expression, "accuracy", rule.weight, data)
        elif rule.column and rule.matches:
            yield found_in(rule.column, rule.matches, "accuracy", rule.weight, data)
