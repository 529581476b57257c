"""Made columns of text files: what stands in the file, and how people who look at the whole file read it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.differential.truth import BAD, Column, Reading

HOME = (ZoneInfo("Europe/Copenhagen"), ZoneInfo("Europe/Berlin"))
THINGS = (
    "rød kasse,blå æske,grøn plade,lille låg,stor møtrik,træbræt,stålskrue,sort slange,hvid hængsel,gul ventil,"
    "large bolt,small crate,grey pipe,blue valve,oak board,Ærter,Øjebolt,Årring,brass nut,cable drum"
).split(",")
ASCII_THINGS = "large bolt,small crate,grey pipe,blue valve,oak board,brass nut,cable drum,rubber seal".split(",")
STATES = "åben,lukket,under behandling,afvist,ny".split(",")
COLOURS = "red,green,blue,black,white".split(",")
NUMBER_ABOUT = r"decimal|thousand|comma"
DATE_ABOUT = r"\bday\b|month|dd-mm|mm-dd|dd/mm|mm/dd|dd\.mm|%d"
IMPOSSIBLE = {"-": "31-02-2021", ".": "31.02.2021", "/": "31/02/2021", "iso": "2021-02-31"}
NO_VALUES = ("n/a", "ukendt", "-", "#N/A", "?", "NULL", "nan", "none")


@dataclass(frozen=True)
class Locale:
    """How a file writes numbers and dates; all its columns do the same."""

    decimal: str
    thousands: str  # between groups of three digits; "" for none
    date: str  # dmy, mdy, iso
    mark: str  # between the parts of a date

    def written(self, number: Decimal, group: bool = True) -> str:
        whole, _, fraction = f"{abs(number):f}".partition(".")
        if group and self.thousands:
            whole = re.sub(r"(?<=\d)(?=(\d{3})+$)", self.thousands, whole)
        return ("-" if number < 0 else "") + whole + (self.decimal + fraction if fraction else "")

    def day(self, day: date) -> str:
        if self.date == "iso":
            return day.isoformat()
        first, second = (day.day, day.month) if self.date == "dmy" else (day.month, day.day)
        return f"{first:02}{self.mark}{second:02}{self.mark}{day.year:04}"


@dataclass
class Made:
    """A column on its way: the file's text, the value that each text means, and what may be said of it."""

    kind: str
    cells: list[str | None]
    values: list[Any] | None = None  # None: it is text and nothing else
    typed: bool = False  # text is not enough: the answer must say why it is not the type
    numbers: bool = False  # written as the locale does, so another locale may read something else
    dates: bool = False
    loose: bool = False  # an engine may take the text or the value
    bare: list[str] = field(default_factory=list)  # numbers among signs: as they are without them


def number(text: str | None, decimal: str, thousands: str) -> Any:
    """A number written in a locale; BAD if it is none."""
    if text is None or not text.strip():
        return None
    d, t = re.escape(decimal), re.escape(thousands) if thousands else "(?!)"
    if not re.fullmatch(rf"[+-]?(\d+|\d{{1,3}}({t}\d{{3}})+)({d}\d+)?", text):
        return BAD
    bare = text.replace(thousands, "") if thousands else text
    return Decimal(bare.replace(decimal, "."))


def day_of(text: str | None, order: str, mark: str) -> Any:
    """A date in an order; BAD if it is none."""
    if text is None or not text.strip():
        return None
    found = re.fullmatch(rf"(\d\d){re.escape(mark)}(\d\d){re.escape(mark)}(\d{{4}})(.*)", text, re.S)
    if not found:
        return BAD
    first, second, year, rest = int(found[1]), int(found[2]), int(found[3]), found[4]
    day, month = (first, second) if order == "dmy" else (second, first)
    try:
        made = date(year, month, day)
    except ValueError:
        return BAD
    return _at(made, rest) if rest else made


def _at(day: date, rest: str) -> Any:
    found = re.fullmatch(r" (\d\d)[:.](\d\d)(?:[:.](\d\d))?", rest)
    if not found:
        return BAD
    return local(datetime.combine(day, time(int(found[1]), int(found[2]), int(found[3] or 0))))


def local(moment: datetime) -> Any:
    """A time without an offset: of the settings' time zone, or as it stands.

    Berlin's is as right: some time zone databases know only its history, and none of Copenhagen before 1970.
    """
    return frozenset({moment, *(moment.replace(tzinfo=zone).astimezone(UTC) for zone in HOME)})


def integers(r: Random, n: int, where: Locale) -> Made:
    top = 10 ** r.randint(1, 6)
    cells = [str(r.randint(-top if r.random() < 0.1 else 0, top)) for _ in range(n)]
    return Made("whole numbers", [*cells], [Decimal(c) for c in cells], typed=True)


def big_integers(r: Random, n: int, where: Locale) -> Made:
    digits = r.choice((17, 18, 19, 19, 20, 25, 30, 38))
    cells = [str(r.randint(10 ** (digits - 1), 10**digits - 1)) for _ in range(n)]
    kind = "whole numbers of 17 or 18 digits" if digits < 19 else "whole numbers of 19 to 38 digits"
    return Made(kind, [*cells], [Decimal(c) for c in cells], typed=True)


def thousands(r: Random, n: int, where: Locale) -> Made:
    """Whole numbers of which the long ones are grouped: `1.234` and `950`."""
    top = 10 ** r.choice((4, 5, 5, 7))
    values = [Decimal(r.randint(1 if r.random() < 0.4 else 1000, top)) for _ in range(n)]
    cells = [where.written(v) for v in values]
    ok = where.thousands in (".", ",", "")
    return Made("whole numbers with thousands", [*cells], values, typed=ok, numbers=True)


def amounts(r: Random, n: int, where: Locale, places: int = 2) -> Made:
    top = 10 ** r.choice((3, 5, 6, 8))
    group = r.random() < 0.6
    values = [Decimal(r.randint(-top if r.random() < 0.1 else 0, top)).scaleb(-places) for _ in range(n)]
    cells = [where.written(v, group) for v in values]
    ok = where.thousands in (".", ",", "") or not group
    return Made(f"decimals of {places} places", [*cells], values, typed=ok, numbers=True)


def thousandths(r: Random, n: int, where: Locale) -> Made:
    """Weights and the like: each has three decimals, as if the mark stood between thousands."""
    values = [Decimal(r.randint(100, 999_999)).scaleb(-3) for _ in range(n)]
    return Made("decimals of 3 places", [where.written(v, False) for v in values], values, typed=True, numbers=True)


def fine(r: Random, n: int, where: Locale) -> Made:
    """Decimals of 7 to 18 places: places on earth, rates."""
    places = r.choice((7, 7, 8, 10, 15, 18))
    values = [Decimal(r.randint(10**places, 58 * 10**places)).scaleb(-places) for _ in range(n)]
    cells = [where.written(v, False) for v in values]
    return Made("decimals of 7 to 18 places", cells, values, typed=True, numbers=True)


def exponents(r: Random, n: int, where: Locale) -> Made:
    how = (lambda: f"{r.randint(10, 99) / 10}{r.choice('eE')}{r.choice(('-', '+', ''))}{r.randint(1, 6):02}",
           lambda: f"{r.randint(1, 9)}{r.choice('eE')}{r.choice(('-', '+'))}{r.randint(1, 6):02}")[r.random() < 0.2]  # fmt: skip
    bare = [f"{r.randint(1, 9999) / 1000}" if i and r.random() < 0.5 else how() for i in range(n)]
    typed = where.decimal == "."
    return Made(
        "numbers with exponents", [c.replace(".", where.decimal) for c in bare], [Decimal(c) for c in bare], typed
    )


def zeros(r: Random, n: int, where: Locale) -> Made:
    width = r.randint(3, 6)
    cells = [f"{r.randint(0, 10 ** (width - 1) - 1):0{width}}" for _ in range(n)]
    cells[r.randrange(n)] = "1" * width if n > 1 and r.random() < 0.5 else "0" * width
    if not any(c.startswith("0") for c in cells):
        cells[0] = "0" * width
    return Made("codes with leading zeros", [*cells])


def codes(r: Random, n: int, where: Locale) -> Made:
    how = r.choice((
        lambda: f"{r.choice('ABCX')}-{r.randint(1, 999)}", lambda: f"{r.randint(1, 99)}{r.choice('EDF')}{r.randint(1, 9)}",
        lambda: f"{r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}", lambda: f"0x{r.randint(0, 255):02X}",
        lambda: f"{r.randint(1, 9)}/{r.randint(1, 9)}", lambda: f"{r.randint(10, 60)}-{r.randint(70, 99)}",
    ))  # fmt: skip
    cells = [how() for _ in range(n)]
    if all(re.fullmatch(r"\d+[Ee]\d+", c) for c in cells):
        cells[0] = "B12"
    return Made("codes", [*cells])


def signs(r: Random, n: int, where: Locale) -> Made:
    """Numbers as people also write them; the text is as right as the number."""
    values = [Decimal(r.randint(1, 99_999)).scaleb(-2) for _ in range(n)]
    kind, how = r.choice((
        ("percentages", lambda v: f"{where.written(v)}%"), ("percentages", lambda v: f"{where.written(v)} %"),
        ("amounts in kroner", lambda v: f"{where.written(v)} kr."), ("amounts in dollars", lambda v: f"${where.written(v)}"),
        ("numbers with a plus", lambda v: f"+{where.written(v)}"), ("numbers with a minus behind", lambda v: f"{where.written(v)}-"),
        ("numbers in brackets", lambda v: f"({where.written(v)})"),
    ))  # fmt: skip
    negative = kind in ("numbers with a minus behind", "numbers in brackets")
    true = [frozenset({-v if negative else v, v / 100 if "%" in how(v) else v}) if not negative else -v for v in values]
    return Made(kind, [how(v) for v in values], true, loose=True, bare=[where.written(v) for v in values])


def booleans(r: Random, n: int, where: Locale) -> Made:
    yes, no = r.choice((("true", "false"), ("True", "False"), ("ja", "nej"), ("Ja", "Nej"), ("sand", "falsk"), ("TRUE", "FALSE"),
                        ("yes", "no"), ("Y", "N"), ("J", "N"), ("1", "0"), ("X", "")))  # fmt: skip
    truth = [r.random() < 0.5 for _ in range(n)]
    cells: list[str | None] = [(yes if t else no) or None for t in truth]
    values: list[Any] = [(t, Decimal(int(t))) if c == "1" or c == "0" else t for t, c in zip(truth, cells, strict=True)]
    return Made("yes and no", cells, [None if c is None else v for c, v in zip(cells, values, strict=True)], loose=True)


def words(r: Random, n: int, where: Locale, plain: bool = False) -> Made:
    return Made("words", [r.choice(ASCII_THINGS if plain else THINGS) for _ in range(n)])


def states(r: Random, n: int, where: Locale) -> Made:
    chosen = r.choice((STATES, COLOURS))
    return Made("words", [r.choice(chosen) for _ in range(n)])


def texts(r: Random, n: int, delimiter: str, quote: str, slashes: bool) -> Made:
    """Sentences with everything that has to be quoted."""
    bits = [delimiter, f" {quote}stor{quote} ", "\n", f"{delimiter} ", f"{quote}", " ", ", ", "; ", "'", "\t", " # "]
    bits += ["\\"] if slashes else []
    cells = [r.choice(THINGS) + r.choice(bits) + r.choice(THINGS) for _ in range(n)]
    if r.random() < 0.2:
        cells[r.randrange(n)] = f"{quote}{r.choice(THINGS)}{quote} "
    return Made("sentences", [*cells])


def dates(r: Random, n: int, where: Locale) -> Made:
    begin = date(r.choice((1890, 1960, 2015, 2024, 2024)), 1, 1)
    days = [begin + timedelta(days=r.randrange(800)) for _ in range(n)]
    if r.random() < 0.25:  # as in the first days of each month: which is the day, and which the month?
        days = [d.replace(day=1 + d.day % 12) for d in days]
    if where.date == "iso" and r.random() < 0.15:
        days[r.randrange(n)] = r.choice((date(9999, 12, 31), date(1753, 1, 1), date(1, 1, 1)))
    return Made(
        f"dates {where.date} {where.mark}",
        [where.day(d) for d in days],
        [*days],
        typed=where.date == "iso" or (where.date == "dmy" and where.mark != "/"),
        dates=True,
    )


def local_times(r: Random, n: int, where: Locale) -> Made:
    """Times as the locale writes its dates, without an offset."""
    moments = [datetime(2023, 1, 1) + timedelta(minutes=r.randrange(10**6)) for _ in range(n)]  # noqa: DTZ001
    seconds = r.random() < 0.4
    mark = "." if where.mark in ("-", ".") and where.date == "dmy" and r.random() < 0.2 else ":"
    form = f"%H{mark}%M" + (f"{mark}%S" if seconds else "")
    cells = [f"{where.day(m.date())} {m.strftime(form)}" for m in moments]
    made = Made(f"times {where.date} {where.mark}", [*cells], [local(m) for m in moments], dates=True)
    made.typed = where.date == "iso"
    return made


def iso_times(r: Random, n: int, where: Locale) -> Made:
    digits = r.choice((0, 0, 3, 6, 7, 7, 9))
    zone = r.choice(("Z", "Z", "", "+02:00", "+00:00", "-05:30"))
    gap = r.choice(("T", "T", " "))
    cells, values = [], []
    for _ in range(n):
        moment = datetime(2022, 1, 1) + timedelta(seconds=r.randrange(10**8))  # noqa: DTZ001
        fraction = "".join(r.choice("0123456789") for _ in range(digits))
        if digits > 6 and r.random() < 0.5:
            fraction = fraction[:3] + "0" * (digits - 3)
        whole = moment.replace(microsecond=int((fraction + "000000")[:6]))
        cells.append(f"{moment:%Y-%m-%d}{gap}{moment:%H:%M:%S}" + (f".{fraction}" if digits else "") + zone)
        if zone:
            sign = -1 if zone.startswith("-") else 1
            offset = timedelta(0) if zone == "Z" else sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            values.append((whole - offset).replace(tzinfo=UTC))
        else:
            values.append(local(whole))
    name = f"times of {digits} digits of a second" if digits > 6 else "times in ISO 8601"
    return Made(name, [*cells], values, typed=digits < 8)


def odd_times(r: Random, n: int, where: Locale) -> Made:
    """Dates and times in forms that an engine may leave as text."""
    moments = [datetime(2021, 1, 1) + timedelta(minutes=r.randrange(10**6)) for _ in range(n)]  # noqa: DTZ001
    day, clock = [m.date() for m in moments], [m.time() for m in moments]
    kind, form, values = r.choice((
        ("12-hour clock", "%m/%d/%Y %I:%M %p", [local(m) for m in moments]),
        ("two-digit years", "%d-%m-%y", day), ("two-digit years", "%d.%m.%y", day),
        ("dates with words", "%d %b %Y", day), ("dates without marks", "%Y%m%d", day), ("dates yyyy/mm/dd", "%Y/%m/%d", day),
        ("times of the day", "%H:%M", clock), ("times of the day", "%H:%M:00", clock), ("years", "%Y", None), ("months", "%Y-%m", None),
    ))  # fmt: skip
    cells = [m.strftime(form) for m in moments]
    if form == "%d-%m-%y":
        kind += " (dd-mm-yy)"
    if kind == "dates without marks":
        return Made(kind, [*cells], [frozenset({d, Decimal(c)}) for d, c in zip(day, cells, strict=True)], loose=True)
    if values is None:
        return Made(kind, [*cells], [Decimal(c) if c.isdigit() else BAD for c in cells], loose=True)
    return Made(kind, [*cells], [*values], loose=True)


def nothing(r: Random, n: int, where: Locale) -> Made:
    return Made("nothing", [None] * n)


KINDS: list[tuple[Callable[[Random, int, Locale], Made], float]] = [
    (integers, 10), (big_integers, 4), (thousands, 6), (amounts, 12), (thousandths, 4), (fine, 4), (exponents, 2),
    (zeros, 4), (codes, 4), (signs, 3), (booleans, 4), (words, 8), (states, 8), (dates, 12), (local_times, 4),
    (iso_times, 6), (odd_times, 5), (nothing, 1.5),
]  # fmt: skip


def spoil(r: Random, made: Made, where: Locale) -> str | None:
    """Empties some cells, or makes a few bad; what was done, in a word."""
    n, done = len(made.cells), r.random()
    if done < 0.15 and made.kind != "nothing":
        for row in r.sample(range(n), max(1, n // r.choice((3, 10)))):
            made.cells[row] = None
            if made.values is not None:
                made.values[row] = None
        return None
    if done < 0.23 and made.values is not None and made.typed:
        few = max(1, n // 100) if n >= 100 and r.random() < 0.7 else max(1, n // 20)
        word = r.choice(NO_VALUES)
        if made.kind.startswith("dates") and r.random() < 0.6:
            word = IMPOSSIBLE["iso" if where.date == "iso" else where.mark]
        for row in r.sample(range(n), few):
            made.cells[row] = word
            made.values[row] = BAD if word in IMPOSSIBLE.values() or word in ("ukendt", "?") else frozenset({None})
        made.typed &= few / n <= 0.01
        return "few bad cells" if few / n <= 0.01 else "bad cells"
    return None


def decide(mades: list[Made], names: list[str], where: Locale, hints: bool) -> list[Column]:
    """The columns with all ways in which they may be read. The evidence of all columns counts for each.

    `hints`: the file looks like one of its locale even where no value proves it.
    """
    other = (".", ",") if where.decimal == "," else (",", ".")
    turned = {"dmy": "mdy", "mdy": "dmy"}.get(where.date)
    numbers = {id(m): [number(c, *other) if v is not BAD else BAD for c, v in zip(m.cells, m.values or [], strict=True)]
               for m in mades if m.numbers}  # fmt: skip
    days = {id(m): [day_of(c, turned, where.mark) if v is not BAD else BAD for c, v in zip(m.cells, m.values or [], strict=True)]
            for m in mades if m.dates and turned}  # fmt: skip
    proven = any(_proves(m, numbers[id(m)]) for m in mades if m.numbers) or any(
        number(text, *other) is BAD for m in mades for text in m.bare
    )
    ordered = where.mark == "." or any(_proves(m, days[id(m)]) for m in mades if id(m) in days)
    columns = []
    for made, name in zip(mades, names, strict=True):
        column = Column(name, made.kind, made.cells, text=not made.typed)
        columns.append(column)
        if made.values is None:
            continue
        mine = Reading("the value", made.values)
        column.readings.append(mine)
        for others, is_proven, about, label in (
            (numbers, proven, NUMBER_ABOUT, "a number of another locale"), (days, ordered, DATE_ABOUT, "day and month turned round"),
        ):  # fmt: skip
            if id(made) not in others:
                continue
            column.about = about
            if _proves(made, others[id(made)]) or others[id(made)] == made.values:
                continue
            column.readings.append(Reading(label, others[id(made)], told=True))
            if not is_proven:
                mine.told = (not hints and about == NUMBER_ABOUT) or (
                    about == DATE_ABOUT and not (hints and where.date == "dmy")
                )
                column.text = True
                column.kind += " (ambiguous)"
    return columns


def _proves(made: Made, other: list[Any]) -> bool:
    """Whether a column cannot be of the other locale."""
    return any(o is BAD and v is not BAD and not (isinstance(v, frozenset) and None in v)
               for v, o in zip(made.values or [], other, strict=True))  # fmt: skip
