"""A table as a file for a spreadsheet."""

import csv
import io

from bot.reply import Cell, Table
from bot.words import one_line


def as_csv(table: Table) -> bytes:
    """The whole table as a file that a spreadsheet opens; nothing in it is a formula."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow([_no_formula(one_line(name)) for name in table.columns])
    rows.writerows([_no_formula(value) for value in row] for row in table.rows)
    return out.getvalue().encode("utf-8-sig", "replace")


def _no_formula(value: Cell) -> Cell:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        try:
            float(value)
        except ValueError:
            return f"'{value}"
    return value
