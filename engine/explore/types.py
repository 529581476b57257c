"""How text becomes a value of a column's type: in polars and in DuckDB, with equal results.

Text that is no value of the type becomes null; a profile gives a column a type only if all of its text fits.
"""

import polars as pl

from core.models import ColumnType

DATE_FORMATS = ("%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y")
DIGITS = 18  # of an integer, and of a decimal on both sides of the point
SCALE = 6

_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_LATER_YEAR = "[1-9][0-9]{3}"  # in UTC, an hour of the year 1 may be of none
_TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"

# Clocks that jump forward skip local times; those are read with the offset before the jump, as PostgreSQL does.
_BEFORE_A_JUMP = 25  # hours: longer than any jump, shorter than the time between two


def parse(column: pl.Expr, type_: ColumnType, timezone: str) -> pl.Expr:
    """The text of a column as values. Datetimes are in UTC; those without an offset are of that time zone."""
    match type_.kind:
        case "text":
            return column
        case "integer":
            return _fitting(column, type_).cast(pl.Int64, strict=False)
        case "decimal":
            text = _fitting(column, type_)
            if type_.format == ",":
                text = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
            return text.cast(pl.Decimal(DIGITS, type_.scale or 0), strict=False)
        case "date":
            return _fitting(column, type_).str.to_date(type_.format, strict=False)
    text = _fitting(column, type_)
    tail = text.str.slice(16)
    second = tail.str.extract("^:([0-9]{2})").fill_null("00")
    fraction = tail.str.extract(r"\.([0-9]+)").fill_null("0").str.pad_end(6, "0").cast(pl.Int64)
    clock = pl.concat_str(text.str.slice(0, 10), pl.lit(" "), text.str.slice(11, 5), pl.lit(":"), second)
    local = clock.str.to_datetime(f"{type_.format} %H:%M:%S", time_unit="us", strict=False)
    local = local + pl.duration(microseconds=fraction, time_unit="us")
    if type_.zoned:
        hours = tail.str.extract("[+-]([0-9]{2}):?(?:[0-9]{2})?$").fill_null("0").cast(pl.Int64)
        minutes = tail.str.extract("[+-][0-9]{2}:?([0-9]{2})$").fill_null("0").cast(pl.Int64)
        west = pl.when(tail.str.contains("-", literal=True)).then(-1).otherwise(1)
        return (local - pl.duration(minutes=west * (hours * 60 + minutes), time_unit="us")).dt.replace_time_zone("UTC")
    before = pl.duration(hours=_BEFORE_A_JUMP, time_unit="us")
    return pl.coalesce(_utc(local, timezone), _utc(local - before, timezone) + before)


def text(column: pl.Expr, type_: ColumnType) -> pl.Expr:
    """Integers, dates and text as the text that they were read from. Other values may have had several."""
    if type_.kind == "date":
        return column.dt.strftime(str(type_.format))
    return column.cast(pl.String)


def fits(column: pl.Expr, type_: ColumnType) -> pl.Expr:
    """Whether text is a value of the type; null where there is none."""
    looks_right = column.str.contains(f"^(?:{pattern(type_)})$")
    if type_.kind in ("date", "datetime"):
        day = column.str.slice(0, 10) if type_.kind == "datetime" else column
        return looks_right & (day.str.to_date(type_.format, strict=False).is_not_null() | column.is_null())
    return looks_right


def sql(column: str, type_: ColumnType, timezone: str) -> str:
    """The same as `parse`, as a DuckDB expression over a text column written in SQL."""
    if type_.kind == "text":
        return column
    return f"CASE WHEN regexp_full_match({column}, '{pattern(type_)}') THEN {_value_sql(column, type_, timezone)} END"


def duckdb_type(type_: ColumnType) -> str:
    match type_.kind:
        case "integer":
            return "BIGINT"
        case "decimal":
            return f"DECIMAL({DIGITS},{type_.scale})"
        case "date":
            return "DATE"
        case "datetime":
            return "TIMESTAMP WITH TIME ZONE"
    return "VARCHAR"


def pattern(type_: ColumnType) -> str:
    """What the text of a value looks like, for RE2 and Rust alike: no leading zero, no leading plus, no blanks."""
    match type_.kind:
        case "integer":
            return f"0|-?[1-9][0-9]{{0,{DIGITS - 1}}}"
        case "decimal":
            scale = type_.scale or 0
            return decimal_pattern(DIGITS - scale, scale, comma=type_.format == ",")
        case "date":
            return _day(type_.format, _YEAR)
        case "datetime":
            return _day(type_.format, _LATER_YEAR) + _TIME + (_OFFSET if type_.zoned else "")
    return "(?s).*"


def decimal_pattern(whole: int, scale: int, *, comma: bool) -> str:
    """Up to `whole` digits before and `scale` after the point; with `comma`, 2.002,55 and 2002,55."""
    digits = f"0|[1-9][0-9]{{0,{whole - 1}}}"
    if not comma:
        return rf"-?(?:{digits})(?:\.[0-9]{{1,{scale}}})?"
    groups, loose = divmod(whole - 1, 3)
    grouped = f"|[1-9][0-9]{{0,2}}(?:\\.[0-9]{{3}}){{1,{groups}}}" if groups else ""
    if loose < 2 and groups:  # the longest number may begin with fewer digits
        grouped = f"|[1-9][0-9]{{0,{loose}}}(?:\\.[0-9]{{3}}){{{groups}}}"
        grouped += f"|[1-9][0-9]{{0,2}}(?:\\.[0-9]{{3}}){{1,{groups - 1}}}" if groups > 1 else ""
    return f"-?(?:{digits}{grouped})(?:,[0-9]{{1,{scale}}})?"


def _day(format_: str | None, year: str) -> str:
    day = {"%Y": year, "%m": "[0-9]{2}", "%d": "[0-9]{2}"}
    separator = "-" if format_ != "%d.%m.%Y" else "."
    return f"[{separator}]".join(day[piece] for piece in str(format_).split(separator))


def _fitting(column: pl.Expr, type_: ColumnType) -> pl.Expr:
    return pl.when(column.str.contains(f"^(?:{pattern(type_)})$")).then(column)


def _utc(local: pl.Expr, timezone: str) -> pl.Expr:
    zoned = local.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _value_sql(column: str, type_: ColumnType, timezone: str) -> str:
    target = duckdb_type(type_)
    if type_.kind == "decimal" and type_.format == ",":
        return f"TRY_CAST(replace(replace({column}, '.', ''), ',', '.') AS {target})"
    if type_.kind == "date":
        return f"CAST(try_strptime({column}, '{type_.format}') AS DATE)"
    if type_.kind != "datetime":
        return f"TRY_CAST({column} AS {target})"
    tail = f"substr({column}, 17)"
    second = f"coalesce(nullif(regexp_extract({tail}, '^:([0-9]{{2}})', 1), ''), '00')"
    fraction = f"CAST(rpad(regexp_extract({tail}, '\\.([0-9]+)', 1), 6, '0') AS BIGINT)"
    clock = f"substr({column}, 1, 10) || ' ' || substr({column}, 12, 5) || ':' || {second}"
    local = f"(try_strptime({clock}, '{type_.format} %H:%M:%S') + to_microseconds({fraction}))"
    if type_.format == "%Y-%m-%d" and not type_.zoned:
        local = f"TRY_CAST({column} AS TIMESTAMP)"  # the same, three times as fast
    if type_.zoned:
        hours = f"coalesce(TRY_CAST(regexp_extract({tail}, '[+-]([0-9]{{2}}):?(?:[0-9]{{2}})?$', 1) AS BIGINT), 0)"
        minutes = f"coalesce(TRY_CAST(regexp_extract({tail}, '[+-][0-9]{{2}}:?([0-9]{{2}})$', 1) AS BIGINT), 0)"
        west = f"CASE WHEN contains({tail}, '-') THEN -1 ELSE 1 END"
        return f"timezone('UTC', {local} - to_minutes({west} * ({hours} * 60 + {minutes})))"
    zone = "'" + timezone.replace("'", "''") + "'"
    before = f"INTERVAL {_BEFORE_A_JUMP} HOUR"
    first = f"(timezone({zone}, {local} - {before}) + {before})"  # DuckDB itself takes the later of a doubled hour
    return f"CASE WHEN timezone({zone}, {first}) = {local} THEN {first} ELSE timezone({zone}, {local}) END"
