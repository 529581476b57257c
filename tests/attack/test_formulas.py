"""No cell of a file that Atlas hands out is a formula, and both places that write such files follow one rule."""

import csv
import io
import random
import sys
from pathlib import Path

import polars as pl
import pytest

from bot.reply import Table
from bot.spreadsheet import as_csv
from core import models
from engine.navigate import export
from tests.attack.attempts import Attempts, Guard

GUARDS = [
    Guard("bot/spreadsheet.py", "_FORMULA.match(value)", "value.startswith('=')",
          "test_formulas.py::test_no_sign_behind_anything_invisible_begins_a_formula"),
    Guard("bot/spreadsheet.py", "quoting=csv.QUOTE_NONNUMERIC", "quoting=csv.QUOTE_MINIMAL",
          "test_formulas.py::test_a_cell_stays_one_cell_whatever_separates_them"),
    Guard("engine/navigate/export.py", '_FORMULA = rf"^{_IGNORED}*[', '_FORMULA = rf"^[',
          "test_formulas.py::test_no_sign_behind_anything_invisible_begins_a_formula"),
]  # fmt: skip

SIGNS = "=+-@＝＋－＠"
INVISIBLE = {
    "space": " ", "tab": "\t", "line feed": "\n", "carriage return": "\r", "both": "\r\n", "zero": "\0",
    "escape": "\x1b", "next line": "\x85", "no-break space": "\xa0", "soft hyphen": "\xad", "ogham space": "\u1680",
    "em space": "\u2003", "zero-width space": "\u200b", "zero-width joiner": "\u200d", "right to left": "\u200f",
    "line separator": "\u2028", "override": "\u202e", "narrow space": "\u202f", "word joiner": "\u2060",
    "isolate": "\u2066", "ideographic space": "\u3000", "Hangul filler": "\u3164", "byte order mark": "\ufeff",
    "variation selector": "\ufe0f", "tag": "\U000e0041", "many": " \u200b\t\xa0\ufeff ", "a hundred": " " * 100,
}  # fmt: skip
HARMLESS = ["Denmark", "", "-12.50", "+4512345678", "-1e5", "-,5", "a=b", "1-2", "O'Neil", 'say "hi"', "Åse", "x@y.dk"]


def of_the_bot(values: list[str]) -> list[str]:
    text = as_csv(Table(["c"], [[value] for value in values])).decode("utf-8-sig")
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""), strict=True)][1:]


def of_the_api(values: list[str], folder: Path) -> list[str]:
    pl.DataFrame({"c": values}, {"c": pl.String}).write_parquet(folder / "t.parquet")
    table = models.Table("t", (folder / "t.parquet",), {"c": "VARCHAR"})
    text = b"".join(export.lines(table, len(values))).decode()
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""), strict=True)][1:]


def test_no_sign_behind_anything_invisible_begins_a_formula(attempts: Attempts, tmp_path: Path) -> None:
    names = [f"{what}, then {sign}" for what in ["nothing", *INVISIBLE] for sign in SIGNS]
    values = [f"{before}{sign}1+cmd|'x'!A0" for before in ["", *INVISIBLE.values()] for sign in SIGNS]
    for where, told in (("chat", of_the_bot(values)), ("API", of_the_api(values, tmp_path))):
        for name, value, written in zip(names, values, told, strict=True):
            attempts.tried("formula", f"{where}: {name}", held=written == f"'{value}")
    column = as_csv(Table(["=1+1"], [])).decode("utf-8-sig")
    attempts.tried("formula", "chat: the name of a column", held=column.startswith("\"'="))


def test_what_is_harmless_stays_as_it_is(tmp_path: Path) -> None:
    assert of_the_bot(HARMLESS) == of_the_api(HARMLESS, tmp_path) == HARMLESS


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_a_cell_stays_one_cell_whatever_separates_them(separator: str, attempts: Attempts) -> None:
    value = f"a{separator}=1+1"
    written = as_csv(Table(["c"], [[value]])).decode("utf-8-sig").splitlines()[1]
    attempts.tried("formula", f"chat: behind {separator!r}", held=written == f'"{value}"')


def test_both_follow_one_rule_for_every_letter_there_is(tmp_path: Path) -> None:
    letters = [chr(n) for n in range(sys.maxunicode + 1) if not 0xD800 <= n <= 0xDFFF]
    made = random.Random(11)
    some = [*SIGNS, *INVISIBLE.values(), "1", "2.5", "e5", "a", ";", '"', "'"]
    values = [f"{letter}=1" for letter in letters] + [letter for letter in letters if not letter.isalnum()]
    values += ["".join(made.choices(some, k=made.randrange(6))) for _ in range(20_000)]
    assert of_the_bot(values) == of_the_api(values, tmp_path)
