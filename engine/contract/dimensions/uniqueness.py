"""Uniqueness: no two rows share a value, or a combination of values."""

from collections.abc import Iterator

from core.pipeline import Quality
from engine.contract.check import Answer, Check, Data, filled


def checks(contract: Quality, data: Data) -> Iterator[Check]:
    for rule in contract.uniqueness:
        columns = tuple(rule.columns)
        verb = "is" if len(columns) == 1 else "together are"
        single = columns[0] if len(columns) == 1 else None
        # a combination of which a part is missing is no key, as in SQL
        body = {"duplicate": {} if single else {"columns": list(columns), "filter": filled(columns)}}
        yield Check(
            f"{', '.join(columns)} {verb} unique", "uniqueness", single, rule.weight, body, count, "duplicate key",
            duplicate_of=columns, soda_column=single,
        )  # fmt: skip


def count(answer: Answer, _: float) -> tuple[float, float, str | None]:
    """Rows too many, of those that have a value (DAMA-UK 2013: the first of each is right)."""
    return answer["duplicate_count"], answer["check_rows_tested"] - answer.get("missing_count", 0), None
