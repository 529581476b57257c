"""The alert rules there are: one that cannot be loaded is left out, and named."""

import logging
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from core import parts
from engine.store.tables import Alert

log = logging.getLogger("atlas.alerts")

OF_MODELS = "unbuilt_model"  # the rule about what runs of several datasets build
CONSTANTS = ("SEVERITY", "SPREADS", "BY_CLOCK", "MASKING", "OVER")  # constants that every rule must have


def usable_rules() -> Iterator[tuple[str, ModuleType]]:
    """The rules that can be asked; one that cannot is left out and named by `broken_rules`."""
    for name in parts.names("alert rule"):
        if (rule := rule_named(name)) is not None:
            yield name, rule


def broken_rules() -> list[str]:
    """The files of alert rules that cannot be used."""
    return [name for name in parts.names("alert rule") if rule_named(name) is None]


@cache
def rule_named(name: str) -> ModuleType | None:
    """A rule, or None if its file is gone or is not a rule: an older alert may be of any rule there ever was."""
    if name not in parts.names("alert rule"):
        return None
    try:
        rule = parts.load("alert rule", name)
        missing = [it for it in (*CONSTANTS, "problems") if not hasattr(rule, it)]
    except Exception as error:  # noqa: BLE001 - whatever is in the file of one rule must keep no run from ending
        log.error("the alert rule %s cannot be loaded: %s", name, type(error).__name__)
        return None
    if missing:
        log.error("the alert rule %s is left out: it has no %s", name, ", ".join(missing))
    return None if missing else rule


def is_asked_by_clock(alert: Alert) -> bool:
    """Whether its rule is asked by the clock, too."""
    rule = rule_named(alert.rule)
    return rule is not None and bool(rule.BY_CLOCK)


def over(alert: Alert) -> str | None:
    """Why an alert has closed by itself: `customers runs again`. None if its rule is gone."""
    rule = rule_named(alert.rule)
    return rule.OVER.format(dataset=alert.dataset) if rule is not None and alert.state == "closed" else None
