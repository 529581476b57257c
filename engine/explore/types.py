"""How text becomes a value of a column's type: in polars and in DuckDB, with equal results.

Text that is no value of the type becomes null; a profile gives a column a type only if all of its text fits.
"""

import re
from datetime import UTC, datetime

import polars as pl

from core.models import ColumnType

DATE_FORMATS = ("%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y")  # formats looked for in every column
NARROW, WIDE = 18, 38  # digits of a decimal on both sides of the point
SCALE = 18  # decimals

# how people write that a number or a date is missing: read as null
MISSING = (
    r"(?i)[ \t\x{a0}]*(?:n/?a|n\.a\.|#n/a|#null!?|<na>|\(?null\)?|none|nil|nan|nat|\\n|-{1,3}|[\x{2013}\x{2014}]|\?+|\."
    r"|ingen|ukendt|unknown|ikke oplyst|ej oplyst|tbd)?[ \t\x{a0}]*"
)

_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"
_TAIL = r"[:.][0-5][0-9](?:[:.][0-5][0-9](?:[.,][0-9]{1,9})?)?"
_LOOSE_TIME = rf"(?:T| {{1,2}})(?:(?:[01]?[0-9]|2[0-3]){_TAIL}|(?:0?[1-9]|1[0-2])(?:{_TAIL})? ?[AaPp]\.?[Mm]\.?)"
_LOOSE_OFFSET = f"(?: ?{_OFFSET}| ?(?:UTC|GMT))"
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

# Clocks that jump forward skip local times; those are read with the offset before the jump, as PostgreSQL does.
_BEFORE_A_JUMP = 25  # hours: longer than any jump, shorter than the time between two


def parse(column: pl.Expr, type_: ColumnType, timezone: str) -> pl.Expr:
    """The text of a column as values. Datetimes are in UTC; those without an offset are of that time zone.

    A moment that UTC would put before the year 1 or after 9999 is the first or the last there is.
    """
    match type_.kind:
        case "text":
            return column
        case "integer":
            kind = pl.Decimal(WIDE, 0) if type_.wide else pl.Int64()
            return plain(_fitting(column, type_), type_).cast(kind, strict=False)
        case "decimal":
            return plain(_fitting(column, type_), type_).cast(
                pl.Decimal(_digits(type_), type_.scale or 0), strict=False
            )
        case "date":
            return _day(_fitting(column, type_), type_.format)
    text = _fitting(column, type_)
    if _is_loose(type_):
        local = _loosely(text, type_)
        tail = text.str.extract("[T ](.*)$")
    else:
        tail = text.str.slice(16)
        second = tail.str.extract("^:([0-9]{2})").fill_null("00")
        fraction = tail.str.extract(r"\.([0-9]{1,6})").fill_null("0").str.pad_end(6, "0").cast(pl.Int64)
        clock = pl.concat_str(text.str.slice(0, 10), pl.lit(" "), text.str.slice(11, 5), pl.lit(":"), second)
        local = clock.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
        local = local + pl.duration(microseconds=fraction, time_unit="us")
    if type_.zoned:
        hours = tail.str.extract("[+-]([0-9]{2}):?(?:[0-9]{2})?$").fill_null("0").cast(pl.Int64)
        minutes = tail.str.extract("[+-][0-9]{2}:?([0-9]{2})$").fill_null("0").cast(pl.Int64)
        west = pl.when(tail.str.contains("-", literal=True)).then(-1).otherwise(1)
        moment = (local - pl.duration(minutes=west * (hours * 60 + minutes), time_unit="us")).dt.replace_time_zone(
            "UTC"
        )
    else:
        before = pl.duration(hours=_BEFORE_A_JUMP, time_unit="us")
        moment = pl.coalesce(_utc(local, timezone), _utc(local - before, timezone) + before)
    edge = pl.Datetime("us", "UTC")
    return moment.clip(pl.lit(_FIRST, edge), pl.lit(_LAST, edge))


def text(column: pl.Expr, type_: ColumnType) -> pl.Expr:
    """Integers, dates and text as the text that they were read from. Other values may have had several."""
    if type_.kind == "date":
        return column.dt.strftime(str(type_.format))
    return column.cast(pl.String)


def text_is_known(type_: ColumnType) -> bool:
    """Whether each value of a type was read from one text only: 5 and 5.00 are one decimal."""
    if type_.kind == "date":
        return re.search("%[-y]", str(type_.format)) is None
    return type_.kind == "text" or (type_.kind == "integer" and type_.format is None and type_.unit is None)


def fits(column: pl.Expr, type_: ColumnType, *, whole: bool = False) -> pl.Expr:
    """Whether text is a value of the type; null where there is none. `whole`: nothing of it is cut off."""
    wanted = pattern(type_)
    if whole:
        wanted = wanted.replace("[0-9]{1,9}", "[0-9]{1,6}")  # at most a microsecond
    looks_right = column.str.contains(f"^(?:{wanted})$")
    if type_.kind in ("date", "datetime"):
        day = column
        if type_.kind == "datetime":
            day = column.str.extract("^([^T ]*)") if _is_loose(type_) else column.str.slice(0, 10)
        return looks_right & (_day(day, _day_format(type_)).is_not_null() | column.is_null())
    if type_.kind == "decimal" and type_.scale is None:
        return looks_right & ((needed(column) <= SCALE) if type_.format == "e" else True)
    if type_.kind in ("integer", "decimal"):
        return looks_right & (parse(column, type_, "UTC").is_not_null() | column.is_null())
    return looks_right


def sql(column: str, type_: ColumnType, timezone: str) -> str:
    """The same as `parse`, as a DuckDB expression over a text column written in SQL."""
    if type_.kind == "text":
        return column
    fitting = f"regexp_full_match({column}, {_quoted(pattern(type_))})"
    if type_.format == "e":
        fitting += f" AND {_needed_sql(column)} <= {type_.scale}"
    return f"CASE WHEN {fitting} THEN {_value_sql(column, type_, timezone)} END"


def misfit_sql(column: str, value: str) -> str:
    """SQL that is true for a text that is no value of its type, and says more than that nothing is there."""
    return f"({value} IS NULL AND NOT regexp_full_match({column}, {_quoted(MISSING)}))"


def is_missing(column: pl.Expr) -> pl.Expr:
    """Whether text says only that nothing is there; null where there is none."""
    return column.str.contains(f"^(?:{MISSING})$")


def duckdb_type(type_: ColumnType) -> str:
    match type_.kind:
        case "integer":
            return f"DECIMAL({WIDE},0)" if type_.wide else "BIGINT"
        case "decimal":
            return f"DECIMAL({_digits(type_)},{type_.scale})"
        case "date":
            return "DATE"
        case "datetime":
            return "TIMESTAMP WITH TIME ZONE"
    return "VARCHAR"


def pattern(type_: ColumnType) -> str:
    """What the text of a value looks like, for RE2 and Rust alike: no leading zero, no leading plus, no blanks."""
    match type_.kind:
        case "integer" | "decimal":
            return _with_unit(_number(type_), type_.unit)
        case "date":
            return _day_pattern(str(type_.format))
        case "datetime":
            time, offset = (_LOOSE_TIME, _LOOSE_OFFSET) if _is_loose(type_) else (_TIME, _OFFSET)
            return _day_pattern(_day_format(type_)) + time + (offset if type_.zoned else "")
    return "(?s).*"


def _number(type_: ColumnType) -> str:
    """`1.234,5` with the format `,` and `1,234.5` with `.`; a blank after it: blanks or apostrophes group digits."""
    scale = f"{{1,{type_.scale or SCALE}}}"
    digits = f"0|[1-9][0-9]{{0,{WIDE - 1}}}"
    match type_.format:
        case None:
            fraction = rf"(?:\.[0-9]{scale})?"
            return f"-?(?:{digits}){fraction}" if type_.kind == "decimal" else digits.replace("[1", "-?[1", 1)
        case "e":
            # 12E5 may be a code: programs that leave the sign out write a point, 1.0E5
            number, point = f"-?(?:{digits})", r"\.[0-9]{1,40}"
            return f"{number}(?:{point})?(?:[eE][+-][0-9]{{1,3}})?|{number}{point}[eE][0-9]{{1,3}}"
    group = {",": ".", ".": ","}.get(str(type_.format), r" '\x{2019}\x{a0}\x{202f}")
    grouped = rf"[1-9][0-9]{{0,2}}(?:[{group}][0-9]{{3}}){{1,12}}"
    if type_.kind == "integer":  # 1234 beside 1.234 was not grouped by anybody
        return f"-?{grouped}|0|-?[1-9][0-9]{{0,2}}"
    return f"-?(?:{digits}|{grouped})(?:[{str(type_.format)[0]}][0-9]{scale})?"


def _with_unit(number: str, unit: str | None) -> str:
    if not unit:
        return number
    escaped = re.sub(r"([.$])", r"\\\1", unit)
    blank = r"[ \x{a0}\x{202f}]?"
    return f"-?{escaped}{blank}(?:{number})|(?:{number}){blank}{escaped}"


def plain(text: pl.Expr, type_: ColumnType) -> pl.Expr:
    """The text of fitting numbers as a cast reads it."""
    if type_.format == "e":
        return pl.when(needed(text) <= (SCALE if type_.scale is None else type_.scale)).then(text)
    if type_.unit:
        text = text.str.replace(type_.unit, "", literal=True)
    if type_.unit or str(type_.format).endswith(" "):
        text = text.str.replace_all("[^0-9,.-]", "")
    mark = str(type_.format)[0]
    if mark in ",.":
        text = text.str.replace_all(_OTHER[mark], "", literal=True)
    return text.str.replace(",", ".", literal=True) if mark == "," else text


_OTHER = {",": ".", ".": ","}


def _plain_sql(column: str, type_: ColumnType) -> str:
    if type_.format == "e":
        return column
    text = f"replace({column}, {_quoted(type_.unit)}, '')" if type_.unit else column
    if type_.unit or str(type_.format).endswith(" "):
        text = f"regexp_replace({text}, '[^0-9,.-]', '', 'g')"
    mark = str(type_.format)[0]
    if mark in ",.":
        text = f"replace({text}, '{_OTHER[mark]}', '')"
    return f"replace({text}, ',', '.')" if mark == "," else text


def needed(text: pl.Expr) -> pl.Expr:
    """How many decimals a number with an exponent needs."""
    fraction = text.str.extract(r"\.([0-9]+)").str.len_bytes().fill_null(0).cast(pl.Int64)
    return fraction - text.str.extract("[eE]([+-]?[0-9]+)").cast(pl.Int64, strict=False).fill_null(0)


def _needed_sql(column: str) -> str:
    fraction = rf"length(regexp_extract({column}, '\.([0-9]+)', 1))"
    exponent = f"coalesce(TRY_CAST(regexp_extract({column}, '[eE]([+-]?[0-9]+)', 1) AS BIGINT), 0)"
    return f"({fraction} - {exponent})"


def _digits(type_: ColumnType) -> int:
    return WIDE if type_.wide else NARROW


def _day_format(type_: ColumnType) -> str:
    """The part of a format that says the day; the clock may be written in several ways."""
    return re.split("[T ]", str(type_.format))[0]


def _is_loose(type_: ColumnType) -> bool:
    return type_.format != "%Y-%m-%d"


def _day_pattern(format_: str) -> str:
    day = {"%Y": _YEAR, "%y": "[0-9]{2}", "%m": "[0-9]{2}", "%d": "[0-9]{2}", "%-m": "[0-9]{1,2}", "%-d": "[0-9]{1,2}"}
    return re.sub("%-?[a-zA-Z]|.", lambda found: day.get(found[0], f"[{found[0]}]"), format_)


def _day(text: pl.Expr, format_: str | None) -> pl.Expr:
    if "%y" not in str(format_):
        return text.str.to_date(format_, strict=False)
    year = text.str.extract(_capturing(str(format_), "%y"))
    century = pl.when(year >= _TURN).then(pl.lit("19")).otherwise(pl.lit("20"))
    rest = [text.str.extract(_capturing(str(format_), piece)).str.zfill(2) for piece in ("m", "d")]
    return pl.concat_str(century, year, *rest).str.to_date("%Y%m%d", strict=False)


_TURN = "69"  # two-digit years from here on are of the last century, as in POSIX


def _capturing(format_: str, piece: str) -> str:
    """The pattern of a day with one of its pieces captured."""
    return "^" + re.sub(
        "%-?[a-zA-Z]|.",
        lambda found: ("([0-9]{1,2})" if found[0].endswith(piece[-1]) else "[0-9]{1,2}")
        if found[0].startswith("%") else f"[{found[0]}]",
        format_,
    )  # fmt: skip


def _loosely(text: pl.Expr, type_: ColumnType) -> pl.Expr:
    """Local time whose clock may be written in several ways."""
    day = _day(text.str.extract("^([^T ]*)"), _day_format(type_)).cast(pl.Datetime("us"))
    hour, minute, second = (_int(text.str.extract(_CLOCK, group)) for group in (1, 2, 3))
    fraction = text.str.extract(_CLOCK, 4).fill_null("0").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64)
    half = text.str.extract(_HALF).str.to_lowercase()
    hour = pl.when(half.is_null()).then(hour).otherwise(hour % 12 + pl.when(half == "p").then(12).otherwise(0))
    return day + pl.duration(hours=hour, minutes=minute, seconds=second, microseconds=fraction, time_unit="us")


_CLOCK = r"[T ] ?([0-9]{1,2})(?:[:.]([0-9]{2}))?(?:[:.]([0-9]{2}))?(?:[.,]([0-9]{1,9}))?"
_HALF = r"([AaPp])\.?[Mm]\.?"


def _int(text: pl.Expr) -> pl.Expr:
    return text.fill_null("0").cast(pl.Int64, strict=False)


def _fitting(column: pl.Expr, type_: ColumnType) -> pl.Expr:
    return pl.when(column.str.contains(f"^(?:{pattern(type_)})$")).then(column)


def _utc(local: pl.Expr, timezone: str) -> pl.Expr:
    zoned = local.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _day_sql(text: str, format_: str) -> str:
    if "%y" not in format_:
        return f"try_strptime({text}, '{format_}')"
    year, month, day = (
        f"lpad(regexp_extract({text}, '{_capturing(format_, piece)}', 1), 2, '0')" for piece in ("%y", "%m", "%d")
    )
    return (
        f"try_strptime(CASE WHEN {year} >= '{_TURN}' THEN '19' ELSE '20' END || {year} || {month} || {day}, '%Y%m%d')"
    )


def _value_sql(column: str, type_: ColumnType, timezone: str) -> str:
    if type_.kind in ("integer", "decimal"):
        return f"TRY_CAST({_plain_sql(column, type_)} AS {duckdb_type(type_)})"
    if type_.kind == "date":
        return f"CAST({_day_sql(column, str(type_.format))} AS DATE)"
    tail = f"substr({column}, 17)"
    if _is_loose(type_):
        local = _loosely_sql(column, type_)
        tail = f"regexp_extract({column}, '[T ](.*)$', 1)"
    elif not type_.zoned:
        local = f"TRY_CAST(left({column}, 26) AS TIMESTAMP)"  # the same, three times as fast
    else:
        second = f"coalesce(nullif(regexp_extract({tail}, '^:([0-9]{{2}})', 1), ''), '00')"
        fraction = f"CAST(rpad(regexp_extract({tail}, '\\.([0-9]{{1,6}})', 1), 6, '0') AS BIGINT)"
        clock = f"substr({column}, 1, 10) || ' ' || substr({column}, 12, 5) || ':' || {second}"
        local = f"(try_strptime({clock}, '%Y-%m-%d %H:%M:%S') + to_microseconds({fraction}))"
    if type_.zoned:
        hours = f"coalesce(TRY_CAST(regexp_extract({tail}, '[+-]([0-9]{{2}}):?(?:[0-9]{{2}})?$', 1) AS BIGINT), 0)"
        minutes = f"coalesce(TRY_CAST(regexp_extract({tail}, '[+-][0-9]{{2}}:?([0-9]{{2}})$', 1) AS BIGINT), 0)"
        west = f"CASE WHEN contains({tail}, '-') THEN -1 ELSE 1 END"
        moment = f"timezone('UTC', {local} - to_minutes({west} * ({hours} * 60 + {minutes})))"
    else:
        zone = _quoted(timezone)
        before = f"INTERVAL {_BEFORE_A_JUMP} HOUR"
        first = f"(timezone({zone}, {local} - {before}) + {before})"  # DuckDB takes the later of a doubled hour
        moment = f"CASE WHEN timezone({zone}, {first}) = {local} THEN {first} ELSE timezone({zone}, {local}) END"
    first, last = (f"TIMESTAMPTZ '{edge.isoformat(' ')}'" for edge in (_FIRST, _LAST))
    edge = f"CASE WHEN {moment} < {first} THEN {first} WHEN {moment} > {last} THEN {last} ELSE {moment} END"
    return f"CASE WHEN regexp_matches({column}, '0001|9999') THEN {edge} ELSE {moment} END"


def _loosely_sql(column: str, type_: ColumnType) -> str:
    written = f"regexp_extract({column}, '^([^T ]*)', 1)"
    day = f"CAST({_day_sql(written, _day_format(type_))} AS TIMESTAMP)"
    parts = [f"regexp_extract({column}, '{_CLOCK}', {group})" for group in (1, 2, 3, 4)]
    hour, minute, second = (f"coalesce(TRY_CAST({part} AS BIGINT), 0)" for part in parts[:3])
    half = f"lower(regexp_extract({column}, '{_HALF}', 1))"
    hour = f"CASE {half} WHEN '' THEN {hour} WHEN 'p' THEN {hour} % 12 + 12 ELSE {hour} % 12 END"
    fraction = f"CAST(rpad({parts[3]}, 6, '0') AS BIGINT)"
    return f"({day} + to_microseconds((({hour}) * 3600 + {minute} * 60 + {second}) * 1000000 + {fraction}))"
