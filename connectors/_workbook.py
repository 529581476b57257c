"""A program that reads one sheet of a workbook as text: dates as dates, times as times, numbers as Excel holds them."""

import json
import re
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors._apart import ABOUT, Refused, main, slices

LONGEST_CELL = 100_000  # bytes; Excel's own limit are 32,767 letters
_PLACE = re.compile(r"(?i)\$?[a-z]{0,3}\$?\d{0,7}(:\$?[a-z]{0,3}\$?\d{0,7})?")
_DATETIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$"


def read(asked: dict[str, Any], out: Any) -> None:
    """Writes the batches, each row of the sheet one row, from its first; LINE is not in them."""
    import fastexcel

    try:
        book = fastexcel.read_excel(sys.stdin.buffer.read())
    except fastexcel.FastExcelError as error:
        locked = "password" in str(error).lower() or "encrypt" in str(error).lower()
        what = "is protected by a password" if locked else "is no workbook that can be read"
        raise Refused(what, "Save it without one." if locked else "Save it as .xlsx in Excel, or as CSV.") from error
    names = book.sheet_names
    if not names:
        raise Refused("has no sheets")
    place, sheet = asked["range"], asked["sheet"]
    table = next((one for one in book.table_names() if place and one.casefold() == place.casefold()), None)
    named = {one.name.casefold(): one.formula for one in book.defined_names()}
    if place and place.casefold() in named:
        place = named[place.casefold()].lstrip("=")
    if place and "!" in place:
        of, _, place = place.rpartition("!")
        sheet = of.strip("'").replace("''", "'")
    if place and not table and not _PLACE.fullmatch(place):
        known = ", ".join([*book.table_names(), *(one.name for one in book.defined_names())][:20])
        hint = f"Write one like A3:F200{f', or one of its names: {known}' if known else ''}."
        raise Refused(f"has no range or table `{asked['range']}`", hint)
    chosen = next((one for one in names if one.casefold() == (sheet or names[0]).casefold()), names[0])
    if sheet and chosen.casefold() != sheet.casefold():
        raise Refused(f"has no sheet `{sheet}`", f"It has: {', '.join(f'`{one}`' for one in names[:20])}.")
    try:
        header = None
        if table:
            header = book.load_table(table, dtypes="string")
            chosen = header.sheet_name
        loaded = book.load_sheet(chosen, header_row=None, skip_rows=0, dtypes="string")
        batch, errors = loaded.to_arrow_with_errors() if loaded.height else (None, None)
        first = loaded.available_columns()[0].absolute_index if loaded.height else 0
    except fastexcel.FastExcelError as error:
        raise Refused("has a sheet that cannot be read", "Save it again in Excel, or as CSV.") from error
    if batch is None:
        known = ", ".join(f"`{one}`" for one in names[:20])
        raise Refused(f"has nothing in the sheet `{chosen}`", f"Its sheets: {known}.")
    row, columns = 0, batch.columns
    if place:
        at = _of_table(header, batch, first) if header else _rectangle(place)
        row, left, end, right = at
        columns = [*([pa.nulls(batch.num_rows, pa.string())] * first), *columns][left:right]
        columns = [column.slice(row, end - row) for column in columns]
    if not columns or not len(columns[0]):
        raise Refused(f"has nothing in `{asked['range']}` of the sheet `{chosen}`")
    if any((pc.max(pc.binary_length(column)).as_py() or 0) > LONGEST_CELL for column in columns):
        raise Refused("has a cell with more letters than Excel allows", "Shorten that cell, or save the sheet as CSV.")
    columns = [_plain(column) for column in columns]
    ends = [_last(column) for column in columns]
    about = {"sheet": chosen, "others": [one for one in names if one != chosen], "table": bool(table), "row": row,
             "ends": ends, "errors": len(errors.errors) if errors else 0}  # fmt: skip
    schema = pa.schema([(str(n), pa.string()) for n in range(len(columns))], {ABOUT: json.dumps(about).encode()})
    whole = pa.RecordBatch.from_arrays(columns, schema=schema)
    with pa.ipc.new_stream(out, schema) as stream:
        for part in slices(whole):
            stream.write_batch(part)


def _rectangle(place: str) -> tuple[int, int, int, int]:
    """The first row and column and those after the last, from 0. A part that is not there has no limit."""
    start, _, end = place.replace("$", "").upper().partition(":")
    end = end or start
    top, left = "".join(filter(str.isdigit, start)), "".join(filter(str.isalpha, start))
    bottom, right = "".join(filter(str.isdigit, end)), "".join(filter(str.isalpha, end))
    return (int(top or 1) - 1, _column(left or "A") - 1, int(bottom or 1 << 20), _column(right or "XFD"))


def _of_table(table: Any, sheet: pa.RecordBatch, first: int) -> tuple[int, int, int, int]:
    """Where a table stands in its sheet: where its names stand in its columns."""
    columns = table.available_columns()
    left, right = columns[0].absolute_index, columns[-1].absolute_index + 1
    names = [column.name for column in columns]
    lines = zip(*(column.to_pylist() for column in sheet.columns[left - first : right - first]), strict=True)
    row = next((row for row, line in enumerate(lines) if list(line) == names), None)
    if row is None:
        raise Refused(f"has the table `{table.name}`, whose header cannot be found", "Write its range, like A3:F200.")
    return row, left, row + 1 + table.total_height, right


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _last(column: pa.Array) -> int:
    """The row after the last value."""
    filled = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    return int(filled[-1]) + 1 if len(filled) else 0


def _plain(column: pa.Array) -> pa.Array:
    """Dates without midnight; times and durations without the day that Excel counts from. Empty text is null."""
    column = pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), None, column)
    dated = pc.fill_null(pc.match_substring_regex(column, _DATETIME), False)
    values = column.filter(dated)
    if not len(values):
        return column
    old = pc.match_substring_regex(values, r"^(1899-12-3|1900-)")
    if pc.all(old).as_py():
        return pc.replace_with_mask(column, dated, _durations(values))
    if pc.any(old).as_py():
        return pc.replace_substring_regex(column, r"^1899-12-3[01] (\d\d:\d\d:\d\d)", r"\1")
    if pc.all(pc.ends_with(values, " 00:00:00")).as_py():
        return pc.replace_substring_regex(column, r"^(\d{4}-\d\d-\d\d) 00:00:00$", r"\1")
    return column


def _durations(values: pa.Array) -> pa.Array:
    """Hours, minutes and seconds since the day that Excel counts from; it takes 1900 for a leap year."""
    times = values.to_numpy(zero_copy_only=False).astype("datetime64[ms]")
    start = np.where(times < np.datetime64("1900-03-01"), np.datetime64("1899-12-31"), np.datetime64("1899-12-30"))
    seconds = np.maximum((times - start).astype("timedelta64[s]").astype(np.int64), 0)
    parts = [pa.array(part).cast(pa.string()) for part in (seconds // 3600, seconds // 60 % 60, seconds % 60)]
    return pc.binary_join_element_wise(*(pc.utf8_lpad(part, 2, "0") for part in parts), ":")


if __name__ == "__main__":
    main(read)
