"""Timeliness: the newest row is young enough: 100 within the age allowed, 0 at twice that age.

After Ballou, Wang, Pazer, Tayi: Modeling Information Manufacturing Systems (1998), which lets currency fall linearly.
"""

from collections.abc import Iterator

from core.pipeline import Quality
from engine.contract.check import Answer, Check, Data, unmeasured

NOW = "NOW_TS"  # the variable in which Soda is told the time


def checks(contract: Quality, data: Data) -> Iterator[Check]:
    rule = contract.timeliness
    if rule is None:
        return
    name = f"{rule.column} is at most {rule.max_age_hours:g} h old"
    kind = data.types[rule.column].kind
    if kind not in ("date", "datetime"):
        yield unmeasured(name, "timeliness", rule.column, rule.weight, f"{rule.column} holds {kind}, no times")
        return

    threshold = {"unit": "hour", "must_be_less_than": rule.max_age_hours}
    body = {"freshness": {"column": data.timestamp(rule.column), "now_variable": NOW, "threshold": threshold}}
    yield Check(name, "timeliness", rule.column, rule.weight, body, count, allowed=rule.max_age_hours)


def count(answer: Answer, allowed: float) -> tuple[float, float, str | None]:
    """How late the newest row is, from 0 to 1, of one row."""
    seconds = answer.get("freshness_in_seconds")
    if seconds is None:
        return 0, 0, None
    age = seconds / 3600
    score = min(1.0, max(0.0, 2 - age / allowed))
    note = f"the newest row is {int(age):,} h old, {allowed:g} h allowed" if score < 1 else None
    return 1 - score, 1, note
