"""Validity: a value has the form, the range or one of the values that are allowed. Empty ones are not tested."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from core.pipeline import Quality, ValidityRule
from engine.chart.check import Check, Data, failed_rows
from engine.sandbox import quoted, quoted_text

_DAY = r"(0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])"  # 60 more: a replacement number
FORMATS = {
    "email": ("an e-mail address", r"[^@\s,;]+@[^@\s,;.]+(\.[^@\s,;.]+)+"),
    "phone": ("a phone number", r"[\s(]*\+?[\s().-]*(\d[\s().-]*){8,15}"),
    # since 2007 numbers are issued that fail modulus 11, so only the date can be wrong (see _wrong)
    "cpr": ("a CPR number", rf"{_DAY}(0[1-9]|1[0-2])\d\d[- ]?\d{{4}}"),
    "cvr": ("a CVR number", r"(DK)?\s?[1-9]\d\s?\d{2}\s?\d{2}\s?\d{2}"),
    "url": ("a web address", r"https?://[^\s/]+\.[^\s]+"),
    "uuid": ("a UUID", r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
    "iban": ("an IBAN", r"[A-Z]{2}\d{2}(\s?[A-Z0-9]){11,30}"),
    "postcode": ("a Danish postcode", r"(DK-)?\d{4}"),
    "date": ("a date", r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ].*)?"),
    "integer": ("a whole number", r"[+-]?\d+"),
}
_CVR_WEIGHTS = (2, 7, 6, 5, 4, 3, 2, 1)  # virk.dk: the weighted sum of the digits is a multiple of 11


def checks(contract: Quality, data: Data) -> Iterator[Check]:
    for rule in contract.validity:
        column = quoted(rule.column)
        kind = data.types[rule.column].kind
        tested = f"{column} IS NOT NULL"
        for name, fault, failing in _failing(rule, column, kind, data.as_written(rule.column)):
            said = (f"{rule.column} {name}", f"{rule.column} {fault}")
            yield failed_rows(*said, "validity", rule.column, rule.weight, failing, tested)


def _failing(rule: ValidityRule, column: str, kind: str, written: str) -> Iterator[tuple[str, str, str]]:
    """The rule in words, what is wrong where it is broken, and the same in SQL."""
    numeric = kind in ("integer", "decimal")
    text = f"CAST({column} AS VARCHAR)"
    if rule.format:
        what, pattern = FORMATS[rule.format]
        whole = rule.format == "integer" and kind == "decimal"  # 3.00 is written so for its neighbour 3.50
        wrong = f"{column} <> trunc({column})" if whole else " OR ".join(_wrong(rule.format, text, pattern))
        yield f"looks like {what}", f"does not look like {what}", wrong
    if rule.values:
        count = len(rule.values)
        words = f"one of {count} values" if count > 1 else str(rule.values[0])
        yield f"is {words}", f"is not {words}", _none_of(rule.values, column, kind, text, written)
    number = column if numeric else f"TRY_CAST({text} AS DOUBLE)"
    low, high = ("" if limit is None else f"{limit:.12g}" for limit in (rule.min, rule.max))
    if rule.min is not None and rule.max is not None:
        wrong = f"{number} IS NULL OR {number} NOT BETWEEN {rule.min!r} AND {rule.max!r}"
        yield f"is from {low} to {high}", f"is not from {low} to {high}", wrong
    elif rule.min is not None:
        yield f"is at least {low}", f"is under {low}", f"{number} IS NULL OR {number} < {rule.min!r}"
    elif rule.max is not None:
        yield f"is at most {high}", f"is over {high}", f"{number} IS NULL OR {number} > {rule.max!r}"
    if rule.regex:
        yield (
            "has the form asked for",
            "does not have the form asked for",
            f"NOT regexp_full_match({written}, {quoted_text(rule.regex)})",
        )


def _none_of(values: list[str | int | float], column: str, kind: str, text: str, written: str) -> str:
    """Numbers are compared as numbers, dates as people or ISO 8601 write them."""
    if kind in ("integer", "decimal"):
        numbers = [number for number in map(_number, values) if number]
        return f"{column} NOT IN ({', '.join(numbers)})" if numbers else "true"
    allowed = ", ".join(quoted_text(str(value)) for value in values)
    return f"{text} NOT IN ({allowed})" + ("" if kind == "text" else f" AND {written} NOT IN ({allowed})")


def _number(value: str | int | float) -> str | None:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return f"{number:f}" if number.is_finite() else None


def _wrong(name: str, text: str, pattern: str) -> Iterator[str]:
    yield f"NOT regexp_full_match({text}, {quoted_text(pattern)})"
    if name == "cvr":
        digits = f"regexp_replace({text}, '[^0-9]', '', 'g')"
        total = " + ".join(f"{w} * coalesce(TRY_CAST({digits}[{n}] AS INT), 0)" for n, w in enumerate(_CVR_WEIGHTS, 1))
        yield f"({total}) % 11 <> 0"
    if name == "iban":
        # ISO 13616: the first four characters go last, letters become 10 to 35, the rest by 97 is 1
        tidy = f"regexp_replace({text}, '\\s', '', 'g')"
        moved = f"({tidy}[5:] || {tidy}[:4])"
        value = "CASE WHEN ascii(c) > 64 THEN ascii(c) - 55 ELSE ascii(c) - 48 END"
        digits = f"list_transform(string_split({moved}, ''), lambda c: {value})"
        step = "(CASE WHEN d > 9 THEN (r * 100 + d) % 97 ELSE (r * 10 + d) % 97 END)"
        yield f"list_reduce(list_prepend(0, {digits}), lambda r, d: {step}) <> 1"
    if name == "cpr":
        # no year ends in 00 and has a 29 February but 2000, so each century has the same days
        digits = f"regexp_replace({text}, '[^0-9]', '', 'g')"
        day = f"lpad(CAST(TRY_CAST({digits}[1:2] AS INT) % 60 AS VARCHAR), 2, '0')"
        yield f"TRY_CAST('20' || {digits}[5:6] || '-' || {digits}[3:4] || '-' || {day} AS DATE) IS NULL"
    if name == "date":
        yield f"TRY_CAST({text}[:10] AS DATE) IS NULL"
