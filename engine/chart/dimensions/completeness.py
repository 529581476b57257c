"""Completeness: a column may be empty only so often."""

from collections.abc import Iterator

from core.pipeline import Quality
from engine.chart.check import Answer, Check, Data
from engine.sandbox import quoted


def checks(contract: Quality, data: Data) -> Iterator[Check]:
    for rule in contract.completeness:
        allowed = rule.max_missing_percent
        name = f"{rule.column} is filled in"
        if allowed:
            name = f"{rule.column} is empty in {allowed:g} % of rows at most"
        missing = f"{quoted(rule.column)} IS NULL"
        failing = None if allowed else missing  # where some may be missing, no single row is at fault
        body = {"missing": {"threshold": {"metric": "percent", "must_be_less_than_or_equal": allowed}}}
        fault = f"{rule.column} is empty{f' beyond the {allowed:g} % allowed' if allowed else ''}"
        yield Check(
            name, "completeness", rule.column, rule.weight, body, count, fault, failing, soda_column=rule.column,
            allowed=allowed, row=("true", missing),
        )  # fmt: skip


def count(answer: Answer, allowed: float) -> tuple[float, float, str | None]:
    """Rows with nothing in them beyond the allowed percentage, of all rows."""
    tested = answer["check_rows_tested"]
    return max(0.0, answer["missing_count"] - tested * allowed / 100), tested, None
