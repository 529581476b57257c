"""A check of a contract: what Soda is asked, how its answer counts, and which rows fail it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from core.models import ColumnType
from engine.sql.sandbox import quoted

Answer = Mapping[str, Any]  # Soda's measurements, under Soda's names
Count = Callable[[Answer, float], tuple[float, float, str | None]]  # with what is allowed: failed, tested, a note


@dataclass(frozen=True)
class Check:
    """One check. Its name and `fault` say nothing of the data.

    `soda` is its body in Soda's contract language, by its type there; below `column` if Soda asks for one.
    `failing` is SQL that is true for a row that fails, if single rows can: the same that Soda counts.
    Without `soda` the check cannot be measured, for the reason in `note`.
    `row` is SQL for which single rows are tested, and which of those are at fault, also where some may be.
    """

    name: str
    dimension: str
    column: str | None
    weight: float
    soda: dict[str, Any] | None
    count: Count
    fault: str = ""  # the fault of a row that fails: "email is not an e-mail address"
    failing: str | None = None
    holds: str | None = None  # the condition that people wrote
    duplicate_of: tuple[str, ...] = ()  # uniqueness: the columns that no two rows share
    soda_column: str | None = None
    note: str | None = None
    allowed: float = 0  # completeness: percent of rows that may be empty; timeliness: hours
    row: tuple[str, str] | None = None
    target: str | None = None  # `dataset.column`, if values are looked for there


class Data(Protocol):
    """What a dimension may know of the data it writes checks for."""

    types: Mapping[str, ColumnType]

    def timestamp(self, column: str) -> str:
        """The name of a column that holds the same moments as timestamps."""

    def as_written(self, column: str) -> str:
        """SQL for a column's text as it stands in the source."""

    def empty(self, column: str) -> str:
        """SQL that is true where nothing stands in a column; a value of the wrong type is not empty."""

    def missing_in(self, column: str, target: str) -> tuple[str | None, str | None]:
        """SQL for the values of a column that `dataset.column` lacks, or why they cannot be compared."""

    def expression(self, sql: str) -> str:
        """An expression that people wrote, checked. Raises BadPipeline."""


def failed_rows(
    name: str,
    fault: str,
    dimension: str,
    column: str | None,
    weight: float,
    failing: str,
    tested: str,
    holds: str | None = None,
) -> Check:
    """A check of single rows: those that fail, of those where it can be tested."""
    body = {"expression": f"({failing})", "filter": f"({tested})"}
    at_fault = f"({tested}) AND ({failing})"
    soda = {"failed_rows": body}
    return Check(name, dimension, column, weight, soda, count, fault, at_fault, holds, row=(tested, failing))


def filled(columns: Iterable[str]) -> str:
    """SQL that is true where all of these columns have a value."""
    return " AND ".join(f"{quoted(column)} IS NOT NULL" for column in columns)


def unmeasured(name: str, dimension: str, column: str | None, weight: float, note: str) -> Check:
    """A check that cannot be measured now."""
    return Check(name, dimension, column, weight, None, count, note=note)


def count(answer: Answer, _: float) -> tuple[float, float, str | None]:
    return answer["failed_rows_count"], answer["check_rows_tested"], None


def holds(expression: str, dimension: str, weight: float, data: Data) -> Check:
    """An expression that must hold; where it is null, the row is not tested."""
    sql = data.expression(expression)
    name = expression.strip()
    tested = f"({sql}) IS NOT NULL"
    return failed_rows(name, f"{name} does not hold", dimension, None, weight, f"NOT ({sql})", tested, sql)


def found_in(column: str, target: str, dimension: str, weight: float, data: Data) -> Check:
    """Every value of a column stands in another dataset's."""
    name = f"{column} is in {target}"
    missing, reason = data.missing_in(column, target)
    if missing is None:
        return unmeasured(name, dimension, column, weight, reason or "")
    tested = f"{quoted(column)} IS NOT NULL"
    check = failed_rows(name, f"{column} is not in {target}", dimension, column, weight, missing, tested)
    return replace(check, target=target)
