"""Read a sheet of an Excel workbook: dates are dates, times are times, and a number is what Excel holds.

Lines above the header are left out and said, as of a CSV. Of a formula the value is read that was computed last. Blank
rows are no rows; a row that says that it is the total, at the end, is rejected.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from connectors._apart import batches, still_at_work
from connectors._columns import LONGEST
from connectors._files import FileSource
from connectors._header import names_of
from connectors._layout import is_total, layout
from connectors._rows import scan
from core.errors import SourceUnreadable
from core.models import LINE, MOST_COLUMNS, Rejects, Remark, SourcePart

_SAMPLE_ROWS = 1000
TYPED = True  # numbers and dates of a cell are written in one way


class Source(FileSource):
    """`range` is like A3:F200 or A:F, or the name of a range or table; without it, all of the sheet is read."""

    connector: Literal["excel"]
    sheet: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    range: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    header: bool | Annotated[int, Field(ge=1, le=_SAMPLE_ROWS, strict=True)] | None = None  # or the row of the header


def parts(source: Source, base: Path) -> list[SourcePart]:
    """The files in the order of their names."""
    return source.files(base)


def read(source: Source, part: SourcePart) -> Iterator[pa.RecordBatch | Rejects | Remark]:
    """Batches of some ten thousand rows, every column text, and beside them the row of the sheet."""
    asked = {"sheet": source.sheet, "range": source.range}
    found: _Table | None = None
    waiting: pa.RecordBatch | None = None
    with source.opened(part) as file:
        for batch, about in batches("_workbook", file, part.name, asked):
            if batch is None:
                yield still_at_work()
                continue
            if found is None:
                found = _Table(batch, about, source, part.name)
                yield from map(Remark, found.assumed)
                yield found.rows(batch.slice(0, 0))
            if waiting is not None:
                yield waiting
            waiting = found.rows(batch)
    if found is None:
        raise SourceUnreadable(f"`{part.name}` has nothing in its sheet.", hint="Write another `sheet`.")
    if waiting is not None:
        yield from found.without_total(waiting)


class _Table:
    """Where the table begins in a sheet, and what its columns are called."""

    def __init__(self, first: pa.RecordBatch, about: dict[str, Any], source: Source, name: str) -> None:
        self._row = about["row"] + 1  # number of the first row of the next batch in the sheet
        sample = first.slice(0, _SAMPLE_ROWS)
        given, skip = True if about["table"] else source.header, 0
        if type(given) is int:
            skip = given - self._row
            if not 0 <= skip < sample.num_rows:
                raise SourceUnreadable(f"`{name}` has no row {given} near its beginning.", hint="Correct `header`.")
        else:
            filled = (row for row in range(sample.num_rows) if any(column[row].is_valid for column in sample.columns))
            skip = next(filled, 0)
        self._layout = layout(scan(_written(sample.slice(skip)), "\t", 1, False, final=True)[0], "\t", given)
        if self._layout is None:
            raise SourceUnreadable(f"`{name}` has nothing in its sheet.", hint="Write another `sheet`.")
        top = skip + self._layout.line - 1
        has_names = self._layout.top.header
        cells = [(column[top].as_py() or "") if has_names else "" for column in first.columns]
        self._skip, self._width = top + has_names, len(cells)
        self._kept = [n for n, end in enumerate(about["ends"]) if cells[n].strip() or end > self._skip]
        if len(self._kept) > MOST_COLUMNS:
            raise SourceUnreadable(
                f"`{name}` has {len(self._kept):,} columns; at most {MOST_COLUMNS:,} can be read.",
                hint="Write a `range`.",
            )
        self.names, said = names_of([cells[n] for n in self._kept])
        if any(len(column) > LONGEST for column in self.names):
            raise SourceUnreadable(
                f"The header of `{name}`, row {top + self._row}, has a name longer than 255 letters.",
                hint="Write the row of the header: `header: 3`.",
            )
        self.assumed = [*_assumed(self._layout, about, source, self._row + skip, self._row + top), *said]

    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch below the header, without those that are blank."""
        lines = np.arange(self._row, self._row + batch.num_rows)
        skip = min(self._skip, batch.num_rows)
        self._row, self._skip = self._row + batch.num_rows, self._skip - skip
        batch, lines = batch.slice(skip), lines[skip:]
        columns = [batch.column(n) for n in self._kept]
        filled = np.zeros(batch.num_rows, np.bool_)
        for column in columns:
            filled |= column.is_valid().to_numpy(zero_copy_only=False)
        made = pa.RecordBatch.from_arrays([*columns, pa.array(lines, pa.int64())], names=[*self.names, LINE])
        return made.filter(pa.array(filled))

    def without_total(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch | Rejects]:
        """The last batch; its last row is rejected if it is a line of totals."""
        if batch.num_rows and self._layout is not None and self._layout.top.header:
            values = [""] * self._width
            for n, column in zip(self._kept, batch.columns, strict=False):
                values[n] = column[-1].as_py() or ""
            if is_total(values, self._layout):
                reason = "looks like a line of totals"
                yield Rejects([batch.column(len(self.names))[-1].as_py()], [reason], ["\t".join(values)])
                batch = batch.slice(0, batch.num_rows - 1)
        yield batch


def _written(sample: pa.RecordBatch) -> bytes:
    """The rows of a sample as lines of text, a line each."""
    import polars as pl

    columns = [pc.replace_substring_regex(column, r'[\x00-\x1f"]+', " ") for column in sample.columns]
    frame = pl.DataFrame({str(n): pl.Series(column) for n, column in enumerate(columns)})
    return frame.write_csv(separator="\t", include_header=False, quote_style="never").encode()


def _assumed(found: Any, about: dict[str, Any], source: Source, first: int, at: int) -> list[str]:
    """What was not plain: of the sheet, of the header, and of cells with errors."""
    told = []
    if about["others"] and not source.sheet and not source.range:
        others = ", ".join(f"`{name}`" for name in about["others"][:5]) + (" …" if about["others"][5:] else "")
        told.append(f"the sheet `{about['sheet']}` was read; to read another, write `sheet`: {others}")
    if source.header is None and not about["table"]:
        if found.top.header and at > first:
            above = f"row {first} was" if at == first + 1 else f"rows {first} to {at - 1} were"
            told.append(f"{above} left out as a title, and row {at} taken for the header; if another row is the "
                        "header, write its number: `header: 1`")  # fmt: skip
        elif not found.top.header:
            told.append(f"no header was found: its columns are called column_1 and so on; if a row names them, write "
                        f"its number: `header: {at}`")  # fmt: skip
        elif not found.top.plain:
            told.append(f"row {at} was taken for the header; if it holds data, write `header: false`")
    if errors := about["errors"]:
        cells = "cell of the sheet holds" if errors == 1 else "cells of the sheet hold"
        told.append(f"{errors:,} {cells} an error such as #N/A and {'is' if errors == 1 else 'are'} read as empty")
    return told
