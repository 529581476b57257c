"""Completeness: a column may be empty only so often. An empty text, or one of white space, is as empty as null."""

from collections.abc import Iterator

from core.pipeline import Quality
from engine.contract.check import Answer, Check, Data


def checks(contract: Quality, data: Data) -> Iterator[Check]:
    for rule in contract.completeness:
        allowed = rule.max_missing_percent
        name = f"{rule.column} is filled in"
        if allowed:
            name = f"{rule.column} is empty in {allowed:g} % of rows at most"
        empty = f"{data.as_written(rule.column)} IS NULL" if rule.empty == "keep" else data.empty(rule.column)
        failing = None if allowed else empty  # where some may be missing, no single row is at fault
        body = {"failed_rows": {"expression": empty, "filter": "true"}}
        fault = f"{rule.column} is empty{f' beyond the {allowed:g} % allowed' if allowed else ''}"
        yield Check(
            name, "completeness", rule.column, rule.weight, body, count, fault, failing, allowed=allowed,
            row=("true", empty),
        )  # fmt: skip


def count(answer: Answer, allowed: float) -> tuple[float, float, str | None]:
    """Rows with nothing in them beyond the allowed percentage, of all rows."""
    tested = answer["check_rows_tested"]
    return max(0.0, answer["failed_rows_count"] - tested * allowed / 100), tested, None
