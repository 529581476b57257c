"""Text becomes the same value in polars and in DuckDB, and no other."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import ColumnType
from engine.explore import types

COPENHAGEN = "Europe/Copenhagen"
INTEGER, WIDE = ColumnType("integer"), ColumnType("integer", wide=True)
DATE, DANISH_DATE, DOTTED_DATE = (ColumnType("date", format=form) for form in types.DATE_FORMATS)
LOCAL, ZONED = (ColumnType("datetime", format="%Y-%m-%d", zoned=zoned) for zoned in (False, True))


def decimal(scale: int, form: str | None = None, **more: Any) -> ColumnType:
    return ColumnType("decimal", format=form, scale=scale, **more)


def at(form: str, **more: Any) -> ColumnType:
    return ColumnType("datetime", format=form, **more)


def day(form: str) -> ColumnType:
    return ColumnType("date", format=form)


def in_polars(values: list[str | None], type_: ColumnType, timezone: str = COPENHAGEN) -> pl.Series:
    frame = pl.DataFrame({"a": values}, {"a": pl.String})
    return frame.select(types.parse(pl.col("a"), type_, timezone).alias("a"))["a"]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    found = duckdb.connect()
    found.execute("SET TimeZone = 'UTC'")
    return found


def in_duckdb(
    connection: duckdb.DuckDBPyConnection, values: list[str | None], type_: ColumnType, timezone: str = COPENHAGEN
) -> list[Any]:
    texts = "(SELECT unnest(CAST(? AS VARCHAR[])) AS a)"
    column = types.sql('"a"', type_, timezone)
    found = [row[0] for row in connection.execute(f"SELECT {column} FROM {texts}", [values]).fetchall()]
    told = connection.execute(f"SELECT typeof(CAST(NULL AS {types.duckdb_type(type_)}))").fetchone()
    real = connection.execute(f"SELECT typeof({types.sql('NULL::VARCHAR', type_, timezone)})").fetchone()
    assert real == told
    return found


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (INTEGER, "0", 0),
        (INTEGER, "-17", -17),
        (INTEGER, "999999999999999999", 999999999999999999),
        (INTEGER, "1352171357891584011", 1352171357891584011),
        (INTEGER, "9223372036854775808", None),
        (WIDE, "9223372036854775808", 9223372036854775808),
        (WIDE, "-" + "9" * 38, -int("9" * 38)),
        (WIDE, "1" * 39, None),
        (ColumnType("integer", format=","), "1.234", 1234),
        (ColumnType("integer", format=","), "-12.345.678", -12345678),
        (ColumnType("integer", format=","), "950", 950),
        (ColumnType("integer", format=","), "1234", None),
        (ColumnType("integer", format=","), "1.23", None),
        (ColumnType("integer", format="."), "1,234", 1234),
        (ColumnType("integer", format=". "), "1'234'567", 1234567),
        (ColumnType("integer", format=",", unit="kr."), "1.234 kr.", 1234),
        (INTEGER, "017", None),
        (INTEGER, "+17", None),
        (INTEGER, "-0", None),
        (INTEGER, " 17", None),
        (INTEGER, "١٧", None),
        (INTEGER, "17\n", None),
        (decimal(2), "0.99", Decimal("0.99")),
        (decimal(2), "-1.5", Decimal("-1.50")),
        (decimal(2), "7", Decimal("7.00")),
        (decimal(2), "0.999", None),
        (decimal(2), "1e5", None),
        (decimal(2), ".5", None),
        (decimal(6), "123456789012.123456", Decimal("123456789012.123456")),
        (decimal(6), "1234567890123.1", None),
        (decimal(2, ","), "2.002,55", Decimal("2002.55")),
        (decimal(2, ","), "-2002,5", Decimal("-2002.50")),
        (decimal(2, ","), "1.234.567", Decimal("1234567.00")),
        (decimal(2, ","), "12.34,5", None),
        (decimal(2, ","), "1,234.50", None),
        (decimal(2, ", "), "1\u00a0234,50", Decimal("1234.50")),
        (decimal(2, ","), "1 234,50", None),
        (decimal(2, "."), "1,234.50", Decimal("1234.50")),
        (decimal(2, "."), "1234.5", Decimal("1234.50")),
        (decimal(2, ".", unit="$"), "-$1,234.50", Decimal("-1234.50")),
        (decimal(2, ",", unit="kr."), "1.234,00 kr.", Decimal(1234)),
        (decimal(1, ",", unit="%"), "12,5%", Decimal("12.5")),
        (decimal(1, ",", unit="%"), "12,5", None),
        (decimal(8), "55.67609680", Decimal("55.67609680")),
        (
            decimal(18, wide=True),
            "12345678901234567890.123456789012345678",
            Decimal("12345678901234567890.123456789012345678"),
        ),
        (decimal(18), "1.5", None),  # 19 digits
        (decimal(5, "e"), "1e-05", Decimal("0.00001")),
        (decimal(5, "e"), "1e-06", None),
        (decimal(2, "e"), "1.5E+10", Decimal("15000000000")),
        (DATE, "2024-02-29", date(2024, 2, 29)),
        (DATE, "2023-02-29", None),
        (DATE, "2024-2-9", None),
        (DATE, "0000-01-01", None),
        (DANISH_DATE, "31-12-1999", date(1999, 12, 31)),
        (DOTTED_DATE, "01.02.2024", date(2024, 2, 1)),
        (DOTTED_DATE, "2024.02.01", None),
        (day("%m-%d-%Y"), "12-31-1999", date(1999, 12, 31)),
        (day("%m/%d/%Y"), "31/12/1999", None),
        (day("%-d-%-m-%Y"), "1-2-2026", date(2026, 2, 1)),
        (day("%d-%m-%y"), "31-12-69", date(1969, 12, 31)),
        (day("%d-%m-%y"), "31-12-68", date(2068, 12, 31)),
        (day("%Y%m%d"), "20240229", date(2024, 2, 29)),
        (DATE, "9999-12-31", date(9999, 12, 31)),
        (DATE, "0001-01-01", date(1, 1, 1)),
        (ZONED, "2024-07-01T10:00:00.1234567Z", datetime(2024, 7, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        (ZONED, "9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (ZONED, "9999-12-31T23:59:59-05:00", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        (LOCAL, "2024-01-01T12:00:01.123456789", datetime(2024, 1, 1, 11, 0, 1, 123456, tzinfo=UTC)),
        (LOCAL, "0001-01-01T00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
        (at("%d-%m-%Y"), "01-02-2026 13.45", datetime(2026, 2, 1, 12, 45, tzinfo=UTC)),
        (at("%m/%d/%Y"), "07/04/2026 1:05:09 PM", datetime(2026, 7, 4, 11, 5, 9, tzinfo=UTC)),
        (at("%m/%d/%Y"), "07/04/2026 12:05 am", datetime(2026, 7, 3, 22, 5, tzinfo=UTC)),
        (at("%m/%d/%Y"), "07/04/2026 13:05 PM", None),
        (
            at("%Y-%m-%d %H:%M:%S", zoned=True),
            "2026-07-04 08:05:01.25 UTC",
            datetime(2026, 7, 4, 8, 5, 1, 250000, tzinfo=UTC),
        ),
        (at("%d-%m-%Y %H:%M", zoned=True), "04-07-2026 08:05:00 +02:00", datetime(2026, 7, 4, 6, 5, tzinfo=UTC)),
        (LOCAL, "2024-07-01 12:00:00", datetime(2024, 7, 1, 10, tzinfo=UTC)),
        (LOCAL, "2024-01-01T12:00", datetime(2024, 1, 1, 11, tzinfo=UTC)),
        (LOCAL, "2024-01-01T12:00:01.5", datetime(2024, 1, 1, 11, 0, 1, 500000, tzinfo=UTC)),
        (LOCAL, "2024-01-01T12:00:60", None),
        (LOCAL, "2024-01-01T24:00:00", None),
        (LOCAL, "2024-01-01T12:00:00Z", None),
        (LOCAL, "2024-01-01", None),
        (ZONED, "2024-01-01T12:00:00Z", datetime(2024, 1, 1, 12, tzinfo=UTC)),
        (ZONED, "2024-01-01 12:00:00.123456-05:30", datetime(2024, 1, 1, 17, 30, 0, 123456, tzinfo=UTC)),
        (ZONED, "2024-01-01T00:00+0200", datetime(2023, 12, 31, 22, tzinfo=UTC)),
        (ZONED, "2024-01-01T00:00:00+02", datetime(2023, 12, 31, 22, tzinfo=UTC)),
        (ZONED, "2024-01-01T12:00:00", None),
        (ColumnType("datetime", format="%d-%m-%Y"), "24-12-2024 20:15", datetime(2024, 12, 24, 19, 15, tzinfo=UTC)),
        (ColumnType(), " any text", " any text"),
    ],
)
def test_a_value_is_the_same_in_both(
    connection: duckdb.DuckDBPyConnection, type_: ColumnType, text: str, value: Any
) -> None:
    assert in_polars([text], type_).to_list() == [value]
    assert in_duckdb(connection, [text], type_) == [value]


def test_a_doubled_hour_is_the_first_and_a_skipped_one_keeps_the_offset_before(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    texts = ["2024-10-27 01:59:59", "2024-10-27 02:30:00", "2024-10-27 03:00:00", "2024-03-31 02:30:00"]
    expected = [
        datetime(2024, 10, 26, 23, 59, 59, tzinfo=UTC),
        datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
        datetime(2024, 10, 27, 2, tzinfo=UTC),
        datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
    ]
    assert in_polars([*texts], LOCAL).to_list() == expected
    assert in_duckdb(connection, [*texts], LOCAL) == expected


ALL = [
    INTEGER, WIDE, ColumnType("integer", format=","), ColumnType("integer", format=".", unit="kr."),
    decimal(4, "."), decimal(4, ", "), ColumnType("integer", format=". "), decimal(9, wide=True), decimal(3, "e"),
    decimal(2, ",", unit="%"),
    *map(day, ("%-d/%-m/%Y", "%m-%d-%Y", "%d.%m.%y", "%Y%m%d")),
    *(at(form, zoned=zoned) for form in ("%-m/%-d/%Y", "%Y-%m-%d %H:%M:%S") for zoned in (False, True)),
    decimal(1), decimal(2), decimal(6), decimal(1, ","), decimal(2, ","), decimal(6, ","),
    *(ColumnType(kind, format=form, zoned=zoned) for form in types.DATE_FORMATS
      for kind, zoned in (("date", False), ("datetime", False), ("datetime", True))),
]  # fmt: skip

numbers = (
    st.from_regex(r"\A[-+]?[0-9]{1,20}([.,][0-9]{1,7}){0,3}\Z")
    | st.from_regex(r"\A-?[0-9]{1,3}([., '][0-9]{3}){0,3}([.,][0-9]{1,4})?( ?(kr\.|%))?\Z")
    | st.from_regex(r"\A-?[0-9](\.[0-9]{1,3})?[eE][-+]?[0-9]{1,2}\Z")
    | st.integers().map(str)
)
moments = st.builds(
    lambda moment, form, rest: moment.strftime(form) + rest,
    st.datetimes(datetime.fromisoformat("1000-01-01"), datetime.fromisoformat("9999-12-31")),
    st.sampled_from(
        [
            day + time
            for day in (*types.DATE_FORMATS, "%d/%m/%Y", "%m-%d-%Y", "%d.%m.%y", "%Y%m%d")
            for time in ("", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S", " %H.%M", " %I:%M %p", " %H:%M:%S UTC")
        ]
    ),
    st.sampled_from(["", "", "Z", "+01:00", "-0330", "+14", "-00:15", "+15:00", " "]),
)
shifts = st.builds(
    "{}-{:02}-{:02} {:02}:{:02}:00".format,
    st.integers(1980, 2036), st.sampled_from([3, 4, 9, 10, 11]), st.integers(1, 31), st.integers(0, 3),
    st.integers(0, 59),
)  # fmt: skip
texts = numbers | moments | shifts | st.text(max_size=12) | st.none()


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(texts, min_size=1, max_size=30),
    type_=st.sampled_from(ALL),
    timezone=st.sampled_from([COPENHAGEN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_polars_and_duckdb_agree_on_any_text(
    connection: duckdb.DuckDBPyConnection, values: list[str | None], type_: ColumnType, timezone: str
) -> None:
    one, other = in_polars(values, type_, timezone), in_duckdb(connection, values, type_, timezone)
    assert one.to_list() == other
    fit = pl.DataFrame({"a": values}, {"a": pl.String}).select(types.fits(pl.col("a"), type_)).to_series()
    assert fit.to_list() == [
        None if text is None else value is not None for text, value in zip(values, one.to_list(), strict=True)
    ]
