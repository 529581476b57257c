"""The judge sees what is wrong: what is right is equal, and every change of it is a difference or is told."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.differential import csv_files
from tests.differential.reading import Outcome
from tests.differential.truth import BAD, Table, judge

ALWAYS = "Done in 0.3 s: 9 in, 9 out, 0 rejected.\nPersonal data: none found."


def published(table: Table) -> Outcome:
    """What an Atlas without faults publishes."""
    columns = []
    for column in table.columns:
        ways = [way.values for way in column.readings if not way.told] + [column.cells]
        values = next(way for way in ways if not any(value is BAD for value in way))
        columns.append([next(iter(value)) if isinstance(value, frozenset | tuple) else value for value in values])
    names = [column.name or f"column_{at}" for at, column in enumerate(table.columns)]
    return Outcome("succeeded", ALWAYS, names=names, rows=list(zip(*columns, strict=True)))


def plain_cases() -> list[tuple[int, Table]]:
    made = [(number, csv_files.make(3, number).table) for number in range(120)]
    return [(n, t) for n, t in made if not t.quirks and not any("ambiguous" in column.kind for column in t.columns)]


PLAIN = plain_cases()


def lose_a_row(r: Random, table: Table, out: Outcome) -> None:
    del out.rows[r.randrange(len(out.rows))]


def double_a_row(r: Random, table: Table, out: Outcome) -> None:
    out.rows.append(r.choice(out.rows))


def publish_a_line_that_is_none(r: Random, table: Table, out: Outcome) -> None:
    out.rows.insert(0, ("Stock report", *[None] * (len(out.names) - 1)))


def change_a_cell(r: Random, table: Table, out: Outcome) -> None:
    at, row = r.randrange(len(out.names)), r.randrange(len(out.rows))
    changed = "something else" if out.rows[row][at] is None else None
    out.rows[row] = (*out.rows[row][:at], changed, *out.rows[row][at + 1 :])


def name_a_column_otherwise(r: Random, table: Table, out: Outcome) -> None:
    out.names[r.randrange(len(out.names))] = "something else"


def swap_two_columns(r: Random, table: Table, out: Outcome) -> None:
    out.names[0], out.names[-1] = out.names[-1], out.names[0]


def lose_a_column(r: Random, table: Table, out: Outcome) -> None:
    at = r.randrange(len(out.names))
    del out.names[at]
    out.rows = [(*row[:at], *row[at + 1 :]) for row in out.rows]


CHANGES = [
    lose_a_row, double_a_row, publish_a_line_that_is_none, change_a_cell, name_a_column_otherwise, swap_two_columns,
    lose_a_column,
]  # fmt: skip


def test_what_is_right_is_equal() -> None:
    assert len(PLAIN) > 10
    for number, table in PLAIN:
        verdict = judge(table, published(table))
        assert (verdict.status, verdict.noise) == ("equal", False), (number, verdict)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_it_is_a_difference(change: Callable[[Random, Table, Outcome], Any]) -> None:
    r = Random(change.__name__)
    for number, table in PLAIN:
        out = published(table)
        change(r, table, out)
        verdict = judge(table, out)
        assert verdict.status == "different", (number, verdict)


def test_rows_that_are_gone_are_told_by_a_cause_and_not_by_a_number() -> None:
    number, table = next((n, t) for n, t in PLAIN if t.size > 4)
    out = published(table)
    del out.rows[1]
    out.rejected = 1
    assert judge(table, out).status == "different", number
    out.answer = f"{ALWAYS}\nRejected: line 3 has 4 values, the header has 5 (1 row)."
    assert judge(table, out).status == "told", number


def test_no_word_makes_it_right_to_publish_less_than_half() -> None:
    _, table = next((n, t) for n, t in PLAIN if t.size > 4)
    out = published(table)
    del out.rows[: table.size - 1]
    out.answer = f"{ALWAYS}\nRejected: lines have 4 values, the header has 5."
    assert judge(table, out).status == "different"


def test_a_refusal_needs_a_reason_and_a_bug_is_none() -> None:
    _, table = PLAIN[0]
    assert judge(table, Outcome("failed", "Run #1 failed: the header is one field.")).status == "refused"
    assert judge(table, Outcome("failed", "A bug in Atlas stopped `chart`.")).status == "different"
