"""Columns whose values are known, written as systems in several countries write them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

MISSING = ("n/a", "N/A", "NULL", "-", "nan", "", "None", "#N/A", "  ")
MISTAKES = ("31-02-2021", "fejl", "12,,5", "1.2.3.4", "2024-13-45", "x", "5O", "12:00")
ZONE = ZoneInfo("Europe/Copenhagen")


@dataclass(frozen=True)
class Country:
    """How one system writes: its decimal mark, what groups digits, and its days."""

    name: str
    mark: str
    group: str
    day: str

    def number(self, value: Decimal, *, grouped: bool) -> str:
        text = f"{value:,f}" if grouped else f"{value:f}"
        return text.replace(",", "\0").replace(".", self.mark).replace("\0", self.group)


COUNTRIES = (
    Country("danish", ",", ".", "%d-%m-%Y"),
    Country("german", ",", ".", "%d.%m.%Y"),
    Country("french", ",", "\u202f", "%d/%m/%Y"),
    Country("american", ".", ",", "%m/%d/%Y"),
    Country("american with dashes", ".", ",", "%m-%d-%Y"),
    Country("british", ".", ",", "%d/%m/%Y"),
    Country("swiss", ".", "'", "%d.%m.%Y"),
    Country("iso", ".", "", "%Y-%m-%d"),
    Country("chinese", ".", ",", "%Y/%m/%d"),
)


@dataclass
class Written:
    """One column: its cells, the value each has (none for one that is missing), and which are mistakes."""

    kind: str
    cells: list[str | None]
    values: list[Any]
    wrong: set[int]
    is_text: bool = False


def _whole(low: int, high: int, *, grouped: bool = False) -> Callable[[Random, Country], tuple[Any, str]]:
    def made(random: Random, country: Country) -> tuple[Any, str]:
        value = random.randint(low, high)
        return value, country.number(Decimal(value), grouped=grouped)

    return made


def _decimal(
    places: int, high: int, *, grouped: bool = False, unit: str = "{}", point: bool = False
) -> Callable[[Random, Country], tuple[Any, str]]:
    def made(random: Random, country: Country) -> tuple[Any, str]:
        value = Decimal(random.randint(-high * 10**places if high < 1000 else 0, high * 10**places)).scaleb(-places)
        text = f"{value:f}" if point else country.number(value, grouped=grouped)
        return value, unit.format(text)

    return made


def _exponent(random: Random, _: Country) -> tuple[Any, str]:
    value = random.choice([1e-05, 2.5e-07, 0.5, 12.25, 1.5e-06, 3.0, 100.0, 1e-09])
    return Decimal(repr(value)), repr(value)


def _date(short: bool = False, year: int = 1900) -> Callable[[Random, Country], tuple[Any, str]]:
    def made(random: Random, country: Country) -> tuple[Any, str]:
        value = date(year, 1, 1) + timedelta(days=random.randint(0, 50_000))
        text = value.strftime(country.day)
        if short and country.day != "%Y-%m-%d":
            separator = country.day[2]
            text = separator.join(piece.lstrip("0") for piece in text.split(separator))
        return value, text

    return made


def _early(random: Random, country: Country) -> tuple[Any, str]:
    """Days that could be months."""
    value = date(random.randint(1990, 2030), random.randint(1, 12), random.randint(1, 12))
    return value, value.strftime(country.day)


def _far(random: Random, country: Country) -> tuple[Any, str]:
    value = random.choice([date(9999, 12, 31), date(1, 1, 1), date(1899, 12, 30), date(2024, 5, 17), date(1753, 1, 1)])
    return value, f"{value.year:04}-{value:%m-%d}" if country.day == "%Y-%m-%d" else _padded(value, country.day)


def _padded(value: date, form: str) -> str:
    return value.replace(year=2000).strftime(form.replace("%Y", f"{value.year:04}"))


def _time(clock: str, digits: int = 0) -> Callable[[Random, Country], tuple[Any, str]]:
    """Local times; `digits` of a second, of which six are kept."""

    def made(random: Random, country: Country) -> tuple[Any, str]:
        value = datetime.fromisoformat("1985-01-01") + timedelta(seconds=random.randint(0, 10**9))
        second = random.randint(0, 10**digits - 1) if digits else 0
        if "%S" not in clock:
            value = value.replace(second=0)
        text = value.strftime(country.day + clock) + (f".{second:0{digits}}" if digits else "")
        kept = int(f"{second:0{digits}}"[:6].ljust(6, "0")) if digits else 0
        return value.replace(microsecond=kept, tzinfo=ZONE).astimezone(UTC), text

    return made


def _zoned(random: Random, _: Country) -> tuple[Any, str]:
    zone = timezone(timedelta(minutes=random.choice([0, 60, 120, -300, 330])))
    value = datetime(1970, 1, 1, tzinfo=zone) + timedelta(seconds=random.randint(0, 2 * 10**9))
    text = value.isoformat(random.choice("T ")).replace("+00:00", random.choice(["Z", "+00:00"]))
    return value.astimezone(UTC), text


def _text(make: Callable[[Random], str]) -> Callable[[Random, Country], tuple[Any, str]]:
    def made(random: Random, _: Country) -> tuple[Any, str]:
        text = make(random)
        return text, text

    return made


KINDS: dict[str, Callable[[Random, Country], tuple[Any, str]]] = {
    "whole": _whole(0, 5000), "whole, signed": _whole(-(10**6), 10**6),
    "thousands": _whole(1000, 999_999, grouped=True),
    "thousands and less": _whole(0, 9_999_999, grouped=True), "snowflake": _whole(10**17, 2 * 10**18),
    "38 digits": _whole(10**20, 10**38 - 1), "money": _decimal(2, 100_000, grouped=True), "price": _decimal(2, 500),
    "thousandths": _decimal(3, 9), "gps": _decimal(7, 90, point=True), "18 places": _decimal(18, 10**9, point=True),
    "kroner": _decimal(2, 10_000, grouped=True, unit="{} kr."),
    "dollars": _decimal(2, 10_000, grouped=True, unit="${}"),
    "percent": _decimal(1, 100, unit="{}%"), "percent and blank": _decimal(1, 100, unit="{} %"), "exponent": _exponent,
    "date": _date(), "short date": _date(short=True), "early date": _early, "far date": _far,
    "minute": _time(" %H:%M"), "second": _time(" %H:%M:%S"), "dotted": _time(" %H.%M"), "T": _time("T%H:%M:%S"),
    "am or pm": _time(" %I:%M:%S %p"), "7 digits": _time(" %H:%M:%S", 7), "9 digits": _time("T%H:%M:%S", 9),
    "millisecond": _time(" %H:%M:%S", 3), "zoned": _zoned,
}  # fmt: skip
TEXTS: dict[str, Callable[[Random, Country], tuple[Any, str]]] = {
    "postcode": _text(lambda random: f"{random.randint(0, 9999):04}"),
    "phone": _text(lambda random: f"{random.randint(2, 9)}{random.randint(0, 9)} " + " ".join(
        f"{random.randint(0, 99):02}" for _ in range(3))),
    "phone abroad": _text(lambda random: f"+45{random.randint(10**7, 10**8 - 1)}"),
    "code": _text(lambda random: f"{random.randint(1, 99)}{random.choice('ABE')}{random.randint(1, 99)}"),
    "name": _text(lambda random: random.choice(["Anna Holm", "Bo Skov", "Åse-Marie Ø", "IT", "E5"])),
    "version": _text(lambda random: ".".join(str(random.randint(0, 20)) for _ in range(3))),
    "leading zeros": _text(lambda random: f"{random.randint(0, 10**6):08}"),
    "cvr": _text(lambda random: "{:02} {:02} {:02} {:02}".format(*(random.randint(10, 99) for _ in range(4)))),
}  # fmt: skip


def column(random: Random, country: Country, rows: int, *, kind: str | None = None) -> Written:
    """A column of one kind, some of it missing or mistaken."""
    every = KINDS | TEXTS
    kind = kind or random.choice([*KINDS, *KINDS, *TEXTS])
    missing = random.choice([0, 0, 0, 0.05, 0.5])
    wrong = random.choice([0, 0, 0, 0.005, 0.01, 0.05]) if kind in KINDS else 0
    made = Written(kind, [], [], set(), kind in TEXTS)
    for number in range(rows):
        value, cell = every[kind](random, country)
        if random.random() < missing:
            cell, value = random.choice(MISSING) or None, None
            if made.is_text:
                value = cell
        elif random.random() < wrong:
            cell, value = random.choice(MISTAKES), None
            made.wrong.add(number)
        made.cells.append(cell)
        made.values.append(value)
    return made
