"""What a value must look like: the formats, held against independent judges."""

import datetime as dt
import string
import uuid

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban as stdnum_iban
from stdnum.dk import cvr as stdnum_cvr

from core.models import ColumnType
from core.pipeline import Quality
from engine.contract.dimensions import validity


class Columns:
    types = {"v": ColumnType()}  # noqa: RUF012

    def as_written(self, column: str) -> str:
        return column


def valid(rule: dict[str, object], values: list[str | None]) -> list[bool | None]:
    """Whether each value holds; None is not tested."""
    contract = Quality.model_validate({"validity": [{"column": "v", **rule}]})
    checks = list(validity.checks(contract, Columns()))  # type: ignore[arg-type]  # all that validity asks for
    wrong = " OR ".join(f"({check.failing})" for check in checks)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (i INT, v VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(values)))
        rows = connection.execute(f"SELECT v IS NULL, NOT ({wrong}) FROM t ORDER BY i").fetchall()
    return [None if empty else holds for empty, holds in rows]


FORMATS: list[tuple[str, str, str]] = [
    ("email", "a@b.dk", "a.b@c"),
    ("email", "jens.o'hara+x@mail.firma.co.uk", "a@@b.dk"),
    ("email", "søren@kjær.dk", "a b@c.dk"),
    ("phone", "+45 12 34 56 78", "1234567"),
    ("phone", "12345678", "12345678901234567890"),
    ("phone", "(020) 7946-0958", "12 34 56 7x"),
    ("phone", "0045 12345678", "+"),
    ("phone", "555-123-4567 x890", "12345678;"),
    ("cpr", "010190-1234", "010190-123"),
    ("cpr", "0101901234", "320190-1234"),
    ("cpr", "610190-1234", "011390-1234"),
    ("cpr", "290200-4000", "290200-0000"),  # 2000 was a leap year, 1900 was none
    ("cpr", "311299-9999", "310490-1234"),
    ("cvr", "DK13585628", "13585627"),
    ("cvr", "13585628", "1358562"),
    ("cvr", "13 58 56 28", "00000000"),
    ("url", "https://firma.dk/a?b=c", "firma.dk"),
    ("url", "http://a.dk", "https://a b.dk"),
    ("iban", "DK5000400440116243", "DK5000400440116244"),
    ("iban", "GB82 WEST 1234 5698 7654 32", "GB82"),
    ("postcode", "0800", "800"),
    ("postcode", "DK-2100", "21000"),
    ("date", "2026-02-28", "2026-02-29"),
    ("date", "31-12-2026", "31-11-2026"),
    ("date", "01.02.2026 10:00", "2026-13-01"),
    ("integer", "-42", "4.2"),
    ("integer", "007", ""),
    ("uuid", "7b0cf3d5-9c5e-4c4b-9d53-1a3b0c1f2e11", "7b0cf3d5-9c5e-4c4b-9d53"),
]


@pytest.mark.parametrize(("name", "good", "bad"), FORMATS)
def test_a_format_tells_good_from_bad(name: str, good: str, bad: str) -> None:
    assert valid({"format": name}, [good, bad, None]) == [True, False, None]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.dates(dt.date(1858, 1, 1), dt.date(2057, 12, 31)), st.integers(0, 999)), min_size=1))
def test_every_day_that_a_cpr_number_can_name_is_valid(born: list[tuple[dt.date, int]]) -> None:
    numbers = []
    for day, tail in born:
        if day.year < 1900:
            seventh = 5
        elif day.year < 2000:
            seventh = 0
        else:
            seventh = 4 if day.year <= 2036 else 5
        numbers.append(f"{day:%d%m}{day.year % 100:02}-{seventh}{tail:03}")
    assert valid({"format": "cpr"}, numbers) == [True] * len(numbers)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(10_000_000, 99_999_999), min_size=1, max_size=200))
def test_cvr_numbers_are_those_of_modulus_11(numbers: list[int]) -> None:
    texts = [str(number) for number in numbers]
    assert valid({"format": "cvr"}, texts) == [stdnum_cvr.is_valid(text) for text in texts]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.text("0123456789", min_size=14, max_size=14), st.integers(0, 99)), min_size=1))
def test_danish_ibans_are_those_of_modulus_97(numbers: list[tuple[str, int]]) -> None:
    texts = [f"DK{check:02}{account}" for account, check in numbers]
    texts += [f"DK{stdnum_iban.calc_check_digits(f'DK00{account}')}{account}" for account, _ in numbers]
    expected = [stdnum_iban.is_valid(text, check_country=False) for text in texts]
    assert valid({"format": "iban"}, texts) == expected


@settings(max_examples=10, deadline=None)
@given(st.lists(st.uuids().map(str), min_size=1))
def test_every_uuid_is_one(texts: list[str]) -> None:
    assert all(valid({"format": "uuid"}, texts))
    assert not any(valid({"format": "uuid"}, [text + string.digits for text in texts]))
    assert [str(uuid.UUID(text)) for text in texts] == texts


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1))
def test_no_format_breaks_on_any_text(texts: list[str]) -> None:
    for name in validity.FORMATS:
        assert len(valid({"format": name}, [*texts, None])) == len(texts) + 1


def test_values_are_compared_as_what_the_column_holds() -> None:
    assert valid({"values": ["NO", "yes", 1]}, ["NO", "no", "1", None]) == [True, False, True, None]


def test_a_number_with_a_comma_among_words_is_a_number() -> None:
    assert valid({"min": 1}, ["1,5", "1.000,25", "0,5", "2", "many", None]) == [True, True, False, True, False, None]
    assert valid({"min": 0, "max": 1}, ["0", "1", "1.01", "-0.1"]) == [True, True, False, False]
    assert valid({"max": 1}, ["0", "2"]) == [True, False]


def test_a_pattern_must_cover_the_whole_value() -> None:
    assert valid({"regex": "[A-Z]{2}-[0-9]+"}, ["AB-1", "AB-", "xAB-1", "AB-1x"]) == [True, False, False, False]
    assert valid({"regex": 'it\'s|"x"'}, ["it's", '"x"', "its"]) == [True, True, False]
