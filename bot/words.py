"""How Atlas puts numbers, times and names into words, and keeps what is not meant for the eye out of them."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


# printable by Unicode's word, and yet nothing is seen of them: fillers, joiners, selectors of variants
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]"
)


def clean(text: str) -> str:
    """The text with control, bidirectional, zero-width and other unprintable characters written out; lines stay."""
    if not text.isascii():
        text = _UNSEEN.sub(lambda found: _written_out(found[0]), text)
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or c.isprintable() else _written_out(c) for c in text)


def _written_out(character: str) -> str:
    code = ord(character)
    if character.isspace() and code not in (0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029):
        return " "
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """Text from data, fit to stand inside a sentence."""
    return clean(" ".join(str(text).split("\n")))


def sentence(text: str) -> str:
    """The text with an end, so that another sentence can follow."""
    return text if not text or text.rstrip("`\"')")[-1:] in ".:!?…" else f"{text}."


def count(number: int | float | None) -> str:
    if number is None:
        return "–"
    return f"{number:,}" if isinstance(number, int) or number == int(number) else f"{number:,.1f}"


def number(value: float) -> str:
    """`35.32`, `0.001235`: two decimals, or four figures of what is smaller; what it is exactly, the facts say."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1 or value == 0:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.3e}"


def many(number: int, noun: str, plural: str | None = None) -> str:
    """`1 row`, `37 rows`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def spelled(number: int) -> str:
    """Small numbers as words, as they stand at the start of a sentence."""
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    return words[number] if number < len(words) else f"{number:,}"


def listing(names: Iterable[str], most: int = 8, last: str = " and ") -> str:
    """`a, b and c`; more than `most` end in `and 4 more`."""
    all_names = [one_line(name) for name in names]
    shown = all_names[:most]
    if len(all_names) > most:
        return f"{', '.join(shown)} and {len(all_names) - most:,} more"
    return last.join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def percent(part: float, whole: float) -> str:
    """`9.0 %`; a part that is neither nothing nor all never rounds to either."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.05:
        return "less than 0.1 %"
    if 99.95 <= share < 100:
        return "more than 99.9 %"
    return f"{share:.1f} %"


def change(moved: str | None) -> str:
    """`2.3 down`, `0.4 up`, `unchanged`; nothing if it was not measured in both runs."""
    if moved is None:
        return ""
    difference = Decimal(moved)
    if difference == 0:
        return "unchanged"
    return f"{abs(difference):.1f} {'up' if difference > 0 else 'down'}"


def took(seconds: str | float | None) -> str:
    """`2.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return "–"
    value = float(seconds)
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def when(moment: str | None, zone: ZoneInfo, now: datetime | None = None) -> str:
    """A time of the API in the person's zone: `today 06:00`, `yesterday 06:00`, `Monday 06:00`, `12 March 06:00`."""
    if moment is None:
        return "never"
    there = datetime.fromisoformat(moment).astimezone(zone)
    today = (now or datetime.now(UTC)).astimezone(zone).date()
    clock = f"{there:%H:%M}"
    days = (today - there.date()).days
    if days == 0:
        return f"today {clock}"
    if days == 1:
        return f"yesterday {clock}"
    if days == -1:
        return f"tomorrow {clock}"
    if timedelta(days=1) < timedelta(days=days) < timedelta(days=7):
        return f"{DAYS[there.weekday()]} {clock}"
    year = "" if there.year == today.year else f" {there.year}"
    return f"{there.day} {MONTHS[there.month - 1]}{year} {clock}"
