"""Validity: a value has the form, the range or one of the values that are allowed. Empty ones are not tested."""

import re
import string
from collections.abc import Iterator

from core.pipeline import Quality, ValidityRule
from engine.contract.check import Check, Data, failed_rows
from engine.explore.types import DATE_FORMATS
from engine.sql.sandbox import quoted, quoted_text

_DAY = r"(0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])"  # 60 more: a replacement number
FORMATS = {
    "email": ("an e-mail address", r"[^@\s,;]+@[^@\s,;.]+(\.[^@\s,;.]+)+"),
    "phone": ("a phone number", r"(\+|00)?[\s().-]*(\d[\s()./-]*){8,15}((x|ext\.?)\s?\d{1,6})?"),
    # since 2007 numbers are issued that fail modulus 11, so only the date can be wrong
    "cpr": ("a CPR number", rf"{_DAY}(0[1-9]|1[0-2])\d\d[- ]?\d{{4}}"),
    "cvr": ("a CVR number", r"(DK)?\s?[1-9]\d\s?\d{2}\s?\d{2}\s?\d{2}"),
    "url": ("a web address", r"https?://[^\s/]+\.[^\s]+"),
    "uuid": ("a UUID", r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
    "iban": ("an IBAN", r"[A-Z]{2}\d{2}( ?[A-Z0-9]){11,30}"),
    "postcode": ("a Danish postcode", r"(DK-)?\d{4}"),
    "date": ("a date", r"(\d{4}-\d\d-\d\d|\d\d[-.]\d\d[-.]\d{4})([T ].*)?"),
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
        whole = rule.format == "integer" and kind == "decimal"  # 3.00 stands beside 3.50
        wrong = f"{column} <> trunc({column})" if whole else " OR ".join(_wrong(rule.format, text, pattern))
        yield f"looks like {what}", f"does not look like {what}", wrong
    if rule.values:
        numbers = numeric and all(re.fullmatch(r"-?\d+(\.\d+)?", str(value)) for value in rule.values)
        allowed = ", ".join(str(value) if numbers else quoted_text(str(value)) for value in rule.values)
        count = len(rule.values)
        words = f"one of {count} values" if count > 1 else str(rule.values[0])
        # a date may be written as in the source, or as in ISO 8601
        also = f" AND {written} NOT IN ({allowed})" if kind in ("date", "datetime") else ""
        yield f"is {words}", f"is not {words}", f"{column if numbers else text} NOT IN ({allowed}){also}"
    number = column if numeric else _number(text)
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


def _wrong(name: str, text: str, pattern: str) -> Iterator[str]:
    yield f"NOT regexp_full_match({text}, {quoted_text(pattern)})"
    if name == "cvr":
        digits = f"regexp_replace({text}, '[^0-9]', '', 'g')"
        total = " + ".join(f"{w} * coalesce(TRY_CAST({digits}[{n}] AS INT), 0)" for n, w in enumerate(_CVR_WEIGHTS, 1))
        yield f"({total}) % 11 <> 0"
    if name == "iban":
        yield f"{_rest_by_97(text)} <> 1"
    if name == "cpr":
        yield f"{_birth_date(text)} IS NULL"
    if name == "date":
        days = (f"try_strptime({text}[:10], '{form}')" for form in DATE_FORMATS)
        yield f"coalesce({', '.join(days)}) IS NULL"


def _birth_date(text: str) -> str:
    """The date in a CPR number, null if there is no such day; its seventh digit tells the century (cpr.dk)."""
    century = f"CASE WHEN {text}[7:] SIMILAR TO '[- ]?[0-3].*' THEN 1900"
    century += f" WHEN {text}[7:] SIMILAR TO '[- ]?[49].*' THEN CASE WHEN {text}[5:6] <= '36' THEN 2000 ELSE 1900 END"
    century += f" WHEN {text}[5:6] <= '57' THEN 2000 ELSE 1800 END"
    day = f"CAST({text}[1:2] AS INT) % 60"
    date = f"printf('%04d-%s-%02d', {century} + CAST({text}[5:6] AS INT), {text}[3:4], {day})"
    return f"CASE WHEN regexp_matches({text}, '^\\d{{6}}') THEN TRY_CAST({date} AS DATE) END"


def _rest_by_97(text: str) -> str:
    """ISO 13616: the first four characters go last, letters become 10 to 35, and the rest by 97 is 1."""
    tidy = f"replace({text}, ' ', '')"
    letters = f"{tidy}[5:] || {tidy}[:4]"
    for value, letter in enumerate(string.ascii_uppercase, 10):
        letters = f"replace({letters}, '{letter}', '{value}')"
    # nearly all have letters in front only, which is quick
    country = f"(ascii({tidy}) - 55) || (ascii({tidy}[2:]) - 55)"
    quick = f"{tidy}[5:] || {country} || {tidy}[3:4]"
    digits = f"CASE WHEN regexp_full_match({tidy}, '[A-Z]{{2}}\\d*') THEN {quick} ELSE {letters} END"
    rest = "''"
    for start in (1, 31, 61):  # up to 68 digits, of which a HUGEINT holds 38
        rest = f"(TRY_CAST({rest} || ({digits})[{start}:{start + 29}] AS HUGEINT) % 97)"
    return rest


def _number(text: str) -> str:
    """A number in a column that also holds other things; 1.234,5 is one too."""
    with_comma = f"replace(replace({text}, '.', ''), ',', '.')"
    return f"TRY_CAST(CASE WHEN contains({text}, ',') THEN {with_comma} ELSE {text} END AS DOUBLE)"
