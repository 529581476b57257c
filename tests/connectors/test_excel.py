"""What is read of workbooks, and what is said and refused."""

import datetime as dt
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from connectors import excel
from connectors._workbook import _rectangle
from core.errors import SourceUnreadable
from tests.connectors.reading import reading

Write = Callable[[Any, Any], None]


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    def make(*sheets: Write, names: tuple[str, ...] = ("Kunder", "Andet", "Tom")) -> Path:
        path = tmp_path / "book.xlsx"
        with xlsxwriter.Workbook(str(path)) as workbook:
            for write, name in zip(sheets, names, strict=False):
                write(workbook, workbook.add_worksheet(name))
        return path

    return make


def rows(*lines: list[Any], at: int = 0) -> Write:
    def write(_: Any, sheet: Any) -> None:
        for number, line in enumerate(lines, at):
            sheet.write_row(number, 0, line)

    return write


TABLE = (["nr", "navn", "beløb"], [1, "Ida Holm", 12.5], [2, "Bo Lund", 7])


def test_dates_are_dates_and_numbers_are_what_excel_holds(book: Any) -> None:
    def write(workbook: Any, sheet: Any) -> None:
        kind = {
            name: workbook.add_format({"num_format": shown})
            for name, shown in {
                "date": "dd-mm-yyyy",
                "moment": "dd-mm-yyyy hh:mm:ss",
                "time": "hh:mm",
                "hours": "[h]:mm",
            }.items()
        }
        sheet.write_row(0, 0, ["dato", "oprettet", "kl", "timer", "tal", "stor", "lille", "aktiv", "cpr", "formel"])
        for row in (1, 2):
            sheet.write_datetime(row, 0, dt.date(2026, 3, row), kind["date"])
            sheet.write_datetime(row, 1, dt.datetime(2026, 3, 1, 12, 30, 15, 250000), kind["moment"])  # noqa: DTZ001
            sheet.write_datetime(row, 2, dt.time(8, 5), kind["time"])
            sheet.write_number(row, 3, [0.5, 68.75][row - 1], kind["hours"])
            sheet.write_row(row, 4, [row + 0.5, 12345678901234, 1e-7, row == 1, "0102031234"])
            sheet.write_formula(row, 9, "=E2*2", None, 3 * row)

    found = reading(excel, book(write))
    assert found.rows == [
        ["2026-03-01", "2026-03-01 12:30:15.250", "08:05:00", "12:00:00", "1.5", "12345678901234", "0.0000001", "true",
         "0102031234", "3"],
        ["2026-03-02", "2026-03-01 12:30:15.250", "08:05:00", "1650:00:00", "2.5", "12345678901234", "0.0000001",
         "false", "0102031234", "6"],
    ]  # fmt: skip
    assert (found.lines, found.said) == ([2, 3], [])


def test_lines_above_the_header_blank_rows_and_totals_are_no_rows(book: Any) -> None:
    found = reading(excel, book(rows(["Kunder hos Bo Lund"], [], *TABLE, [], [3, "Una Krog", 5], ["I alt", "", 24.5])))
    assert found.names == ["nr", "navn", "beløb"]
    assert (found.lines, found.rejected) == ([4, 5, 7], [(8, "looks like a line of totals")])
    assert found.said == [
        "rows 1 to 2 were left out as a title, and row 3 taken for the header; if another row is the header, write its "
        "number: `header: 1`"
    ]


def test_a_table_may_stand_anywhere_in_a_sheet(book: Any) -> None:
    def write(_: Any, sheet: Any) -> None:
        for number, line in enumerate(TABLE):
            sheet.write_row(4 + number, 2, line)

    found = reading(excel, book(write))
    assert (found.names, found.lines, found.said) == (["nr", "navn", "beløb"], [6, 7], [])


def test_sheets_and_ranges_are_chosen_by_name(book: Any) -> None:
    def write(workbook: Any, sheet: Any) -> None:
        for number, line in enumerate(TABLE):
            sheet.write_row(1 + number, 1, line)
        sheet.add_table("H3:I5", {"name": "Byer", "columns": [{"header": "by"}, {"header": "land"}]})
        sheet.write_row("H4", ["Ribe", "DK"])
        sheet.write_row("H5", ["Lund", "SE"])
        workbook.define_name("Udsnit", "=Andet!$B$2:$C$3")

    path = book(rows(["x", "y"], [1, 2]), write, rows())
    assert reading(excel, path).names == ["x", "y"]
    assert reading(excel, path).said == ["the sheet `Kunder` was read; to read another, write `sheet`: `Andet`, `Tom`"]
    assert reading(excel, path, sheet="andet", range="B:D").rows == [["1", "Ida Holm", "12.5"], ["2", "Bo Lund", "7"]]
    assert reading(excel, path, range="udsnit").rows == [["1", "Ida Holm"]]
    found = reading(excel, path, range="Byer")
    assert (found.names, found.rows, found.lines) == (["by", "land"], [["Ribe", "DK"], ["Lund", "SE"]], [4, 5])
    assert reading(excel, path, range="Andet!B2:C4", header=2).lines == [3, 4]
    for given, said in (
        ({"sheet": "Nord"}, "has no sheet `Nord`. It has: `Kunder`, `Andet`, `Tom`."),
        (
            {"range": "Syd 1"},
            "has no range or table `Syd 1`. Write one like A3:F200, or one of its names: Byer, Udsnit.",
        ),
        ({"sheet": "Tom"}, "has nothing in the sheet `Tom`"),
        ({"range": "ZZ90:ZZ99"}, "has nothing in `ZZ90:ZZ99` of the sheet `Kunder`"),
    ):
        with pytest.raises(SourceUnreadable) as refused:
            reading(excel, path, **given)
        assert said in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    ("place", "edges"),
    [("A3:F200", (2, 0, 200, 6)), ("b:d", (0, 1, 1 << 20, 4)), ("$C$5", (4, 2, 5, 3)), ("2:4", (1, 0, 4, 16384)),
     ("AA1:XFD9", (0, 26, 9, 16384))],
)  # fmt: skip
def test_a_range_is_read_as_excel_reads_it(place: str, edges: tuple[int, ...]) -> None:
    assert _rectangle(place) == edges


def test_errors_in_cells_are_counted_and_said(book: Any) -> None:
    def write(workbook: Any, sheet: Any) -> None:
        rows(*TABLE)(workbook, sheet)
        sheet.write_formula("C2", "=1/0", None, "#DIV/0!")

    found = reading(excel, book(write))
    assert (found.rows[0][2], found.said) == (
        None, ["1 cell of the sheet holds an error such as #N/A and is read as empty"],
    )  # fmt: skip


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04junk", b"a;b\n1;2\n", b"\xd0\xcf\x11\xe0" + b"x" * 600):
        path = tmp_path / "book.xlsx"
        path.write_bytes(content)
        with pytest.raises(SourceUnreadable, match=r"book.xlsx` is no workbook that can be read"):
            reading(excel, path)


def test_two_cells_far_apart_take_no_memory_of_ours(tmp_path: Path, book: Any) -> None:
    path = book(lambda _, sheet: (sheet.write("A1", 1), sheet.write("XFD1048576", 1)))
    with pytest.raises(SourceUnreadable, match="needs more memory than a source may take"):
        reading(excel, path)


def test_a_cell_longer_than_excel_allows_is_refused(tmp_path: Path, book: Any) -> None:
    made, hostile = book(rows(["a", "b"], ["SHORT", 1])), tmp_path / "hostile.xlsx"
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(hostile, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"SHORT", b"x" * 5_000_000))
    with pytest.raises(SourceUnreadable, match="has a cell with more letters than Excel allows"):
        reading(excel, hostile)
