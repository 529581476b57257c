"""A table as a file for a spreadsheet."""

import csv
import io
import re

from bot.reply import Cell, Table
from bot.words import one_line

# The rule of engine/navigate/export.py, letter by letter: tests/attack/test_formulas.py holds both against each other.
# Spreadsheets take such a cell for a formula; white space and invisible letters before the sign make no difference.
_IGNORED = (
    "[\\x00-\\x20\\x7f-\\xa0\\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_FORMULA = re.compile(f"{_IGNORED}*[=+\\-@＝＋－＠]|[\\t\\r]")
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]+)?|[.,][0-9]+)([eE][+-]?[0-9]+)?")


def as_csv(table: Table) -> bytes:
    """The whole table as a file that a spreadsheet opens; nothing in it is a formula."""
    out = io.StringIO()
    rows = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)  # a spreadsheet that splits at `;` must not see `a;=1` as two
    rows.writerow([_no_formula(one_line(name)) for name in table.columns])
    rows.writerows([_no_formula(value) for value in row] for row in table.rows)
    return out.getvalue().encode("utf-8-sig", "replace")


def _no_formula(value: Cell) -> Cell:
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
