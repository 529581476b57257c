"""Compares masked text with what was marked in the original: what leaked, and what was lost.

leak: a marked value still stands in the output. strict: or an identifying piece of it does (one name of a full name,
the street, the local part, most of a number). over: a cell without marks was changed. lost: words outside of marks.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

from bench.pii.made import Span

NUMBERS = {
    "CPR",
    "NATIONAL_ID",
    "PHONE",
    "IBAN",
    "BANK_ACCOUNT",
    "CREDIT_CARD",
    "PASSPORT",
    "LICENSE_PLATE",
    "DRIVER_LICENSE",
    "MAC",
    "IP",
    "DATE_OF_BIRTH",
}
NOTHING = {"", "null", "none", "nan", "n/a", "na", "-", "?", "ukendt", "ingen"}
_SMALL = {
    "vej",
    "gade",
    "sal",
    "dør",
    "alle",
    "allé",
    "road",
    "street",
    "apt",
    "flat",
    "the",
    "and",
    "og",
    "de",
    "van",
    "der",
    "von",
    "al",
    "el",
    "la",
}


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def _code(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", flat(text))


def _count(needle: str, hay: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(needle)}(?!\w)", hay)) if needle else 0


def _without(text: str, spans: list[Span]) -> str:
    for start, end, _ in sorted(spans, reverse=True):
        text = f"{text[:start]} \0 {text[end:]}"
    return text


def _common(a: str, b: str) -> int:
    """The length of the longest piece that stands in both."""
    longest, before = 0, [0] * (len(b) + 1)
    for x in a:
        now = [0] * (len(b) + 1)
        for n, y in enumerate(b):
            if x == y:
                now[n + 1] = before[n] + 1
                longest = max(longest, now[n + 1])
        before = now
    return longest


def leaked(kind: str, value: str, text: str, spans: list[Span], masked: str) -> tuple[bool, bool]:
    """Whether the value survives, and whether an identifying piece of it does."""
    out, rest, value = flat(masked), flat(_without(text, spans)), flat(value)
    if _count(value, out) > _count(value, rest) or (value in out and not value[:1].isalnum()):
        return True, True
    if kind in NUMBERS:
        bare = _code(value)
        if len(bare) >= 4 and bare in _code(out) and bare not in _code(rest):
            return True, True
        if kind == "DATE_OF_BIRTH":
            return False, _common(bare, _code(out)) >= 6
        long = _common(bare, _code(out))
        return False, len(bare) >= 5 and long >= max(5, -(-len(bare) * 6 // 10)) and long > _common(bare, _code(rest))
    if kind == "ADDRESS":
        pieces = re.findall(r"[^\W\d_]{4,}", re.split(r"\b\d{4}\s", value)[0] or value)
    elif kind == "EMAIL":
        pieces = [p for p in [value.split("@")[0]] if len(p) >= 3]
    else:
        pieces = [p for p in re.findall(r"\w+(?:['’-]\w+)*", value) if len(p) > 1 and not p.isdigit()]
    return False, any(_count(p, out) > _count(p, rest) for p in pieces if p not in _SMALL)


@dataclass
class Score:
    """Counts over many cells."""

    marked: int = 0
    leaks: int = 0
    strict: int = 0
    plain: int = 0
    changed: int = 0
    words: int = 0
    lost: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    leaks_by_kind: Counter[str] = field(default_factory=Counter)
    misses: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, text: str, spans: list[Span], masked: str, where: str = "") -> None:
        personal = [s for s in spans if s[2] != "?"]
        leak = strict = False
        for start, end, kind in personal:
            full, part = leaked(kind, text[start:end], text, personal, masked)
            self.by_kind[kind] += 1
            self.leaks_by_kind[kind] += full
            leak, strict = leak or full, strict or part
            if part:
                self.misses.append(("leak" if full else "strict", where, kind, text[start:end], text, masked))
        if personal:
            self.marked, self.leaks, self.strict = self.marked + 1, self.leaks + leak, self.strict + strict
        elif not spans and flat(text) not in NOTHING:
            self.plain += 1
            self.changed += flat(text) != flat(masked)
            if flat(text) != flat(masked):
                self.misses.append(("over", where, "", "", text, masked))
        out = flat(masked)
        for word, times in Counter(re.findall(r"\w{2,}", flat(_without(text, spans)))).items():
            gone = max(0, times - _count(word, out))
            self.words, self.lost = self.words + times, self.lost + gone
            if gone and spans:
                self.misses.append(("lost", where, "", word, text, masked))

    def add_each(self, text: str, spans: list[Span], masked: str, where: str = "") -> None:
        """The same, but every marked piece counts for itself, as in sentences."""
        before = (
            self.marked,
            self.leaks,
            self.strict,
            sum(self.by_kind.values()),
            sum(self.leaks_by_kind.values()),
            len(self.misses),
        )
        self.add(text, spans, masked, where)
        self.marked = before[0] + sum(self.by_kind.values()) - before[3]
        self.leaks = before[1] + sum(self.leaks_by_kind.values()) - before[4]
        self.strict = before[2] + sum(m[0] in ("leak", "strict") for m in self.misses[before[5] :])

    def __iadd__(self, other: "Score") -> "Score":
        for name in ("marked", "leaks", "strict", "plain", "changed", "words", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.by_kind += other.by_kind
        self.leaks_by_kind += other.leaks_by_kind
        self.misses += other.misses
        return self

    @property
    def leak(self) -> float:
        return self.leaks / max(self.marked, 1)

    @property
    def over(self) -> float:
        return self.changed / max(self.plain, 1)

    @property
    def words_lost(self) -> float:
        return self.lost / max(self.words, 1)
