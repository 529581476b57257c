"""Made-up people and what belongs to them, from a seed; personal pieces are marked `<p Ida Holm>`."""

import random
import re
from pathlib import Path

KINDS = {
    "p": "PERSON", "e": "EMAIL", "t": "PHONE", "c": "CPR", "n": "NATIONAL_ID", "a": "ADDRESS", "d": "DATE_OF_BIRTH",
    "i": "IBAN", "b": "BANK_ACCOUNT", "k": "CREDIT_CARD", "o": "IP", "m": "MAC", "s": "PASSPORT", "l": "LICENSE_PLATE",
    "r": "DRIVER_LICENSE", "u": "USERNAME", "w": "PROFILE_URL", "x": "?",
}  # fmt: skip
MARK = re.compile(rf"<([{''.join(KINDS)}]) ([^<>]+)>")
Span = tuple[int, int, str]
_ASCII = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "ö": "o", "ä": "a", "ü": "u", "þ": "th", "ð": "d", "é": "e"})
_WEIGHTS = {"danish": 62, "nordic": 8, "english": 9, "german": 4, "foreign": 17}


def read(marked: str) -> tuple[str, list[Span]]:
    """The plain text, and where which kind stands in it; `?` is what may stay or go."""
    text, spans, at = "", [], 0
    for m in MARK.finditer(marked):
        text += marked[at : m.start()]
        spans.append((len(text), len(text) + len(m[2]), KINDS[m[1]]))
        text, at = text + m[2], m.end()
    return text + marked[at:], spans


def lists(part: str) -> dict[str, list[str]]:
    lines = (Path(__file__).parent / f"names_{part}.txt").read_text("utf-8").splitlines()
    named = (line.split(": ", 1) for line in lines if not line.startswith("#"))
    split = {"streets": ", ", "companies": ", "}
    return {key: re.split(split.get(key, " "), words) for key, words in named}


def plain(text: str) -> str:
    """As people spell themselves in an address for mail: lower case, no accents."""
    import unicodedata

    bare = unicodedata.normalize("NFKD", text.lower().translate(_ASCII))
    return re.sub(r"[^a-z]", "", bare)


class Row:
    """One row: a person, another one, and everything that can be asked of them. Each call draws anew."""

    def __init__(self, rng: random.Random, words: dict[str, list[str]], n: int) -> None:
        self.rng, self.words, self.n = rng, words, n
        self.first, self.last = self._name()
        self.first2, self.last2 = self._name()
        self.day, self.month, self.year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1931, 2009)
        self.street = f"{rng.choice(words['streets'])} {rng.randint(1, 240)}{rng.choice(['', '', '', 'A', ' B', 'c'])}"
        self.town = rng.choice(words["towns"])

    def _name(self) -> tuple[str, str]:
        kind = self.rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        first, last = (self.rng.choice(self.words[f"{kind} {which}"]) for which in ("first", "last"))
        if kind == "danish" and self.rng.random() < 0.35:
            last = f"{self.rng.choice(self.words['danish last'])} {last}"
        return first, last

    def pick(self, *of: str) -> str:
        return self.rng.choice(of)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def digits(self, count: int) -> str:
        return str(self.rng.randint(1, 9)) + "".join(str(self.rng.randint(0, 9)) for _ in range(count - 1))

    @property
    def full(self) -> str:
        return f"{self.first} {self.last}"

    @property
    def full2(self) -> str:
        return f"{self.first2} {self.last2}"

    def mail(self, role: float = 0.0) -> str:
        if self.chance(role):
            return f"<x {self.pick('info', 'kontakt', 'salg', 'bogholderi', 'office')}@{self.domain()}>"
        first, last = plain(self.first), plain(self.last.split()[-1])
        local = self.pick(
            f"{first}.{last}",
            f"{first}{last[:1]}{self.year % 100:02d}",
            f"{first[0]}{last}",
            f"{last}_{first}",
            f"{first}-{last}",
            f"{first}{self.rng.randint(1, 999)}",
            f"{last}.{first[:2]}+nyhed",
        )
        return f"<e {local}@{self.domain()}>"

    def domain(self) -> str:
        return self.pick(
            "postkassen.example", "mail.example.dk", "hjemme.example", "firmanet.example.com", "uni.example.org"
        )

    def phone(self, *styles: str) -> str:
        """By picture: # is a digit, the first of a Danish number is 2 to 9."""
        style = self.pick(*(styles or DANISH_PHONES))
        return (
            "<t "
            + re.sub("#", lambda _: str(self.rng.randint(0, 9)), style.replace("N", str(self.rng.randint(2, 9))))
            + ">"
        )

    def cpr(self, *styles: str) -> str:
        style = self.pick(*(styles or ("-", "-", "")))
        day = self.day + (60 if self.chance(0.02) else 0)
        serial = f"{self.rng.randint(0, 9999):04d}"
        if self.chance(0.7):  # most numbers in use pass modulus 11
            serial = self._passing(f"{day:02d}{self.month:02d}{self.year % 100:02d}")
        number = f"{day:02d}{self.month:02d}{self.year % 100:02d}{style.replace('0', '')}{serial}"
        return f"<c {number[1:] if style == '0' and number[0] == '0' else number}>"

    def _passing(self, date: str) -> str:
        while True:
            serial = f"{self.rng.randint(0, 9999):04d}"
            if sum(int(d) * w for d, w in zip(date + serial, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11 == 0:
                return serial

    def born(self, style: str = "{d:02d}-{m:02d}-{y}") -> str:
        return "<d " + style.format(d=self.day, m=self.month, y=self.year, yy=self.year % 100) + ">"

    def date(self, style: str = "{d:02d}-{m:02d}-{y}") -> str:
        y = self.rng.randint(2015, 2026)
        return style.format(d=self.rng.randint(1, 28), m=self.rng.randint(1, 12), y=y, yy=y % 100)

    def address(self) -> str:
        floor = self.pick("", "", "", ", 1. tv.", ", 2. th", ", st. mf.", ", 3. sal", ", st tv", ", kl.", ", 4.th")
        return f"<a {self.street}{floor}>"

    def foreign_address(self) -> str:
        n = self.rng.randint(1, 190)
        streets = (
            "{} Orchard Rise",
            "Flat 3, {} Tanner Street",
            "Lindenweg {}",
            "Björkgatan {} B",
            "Storgata {}",
            "Rue des Lilas {}",
            "{} W Maple Ave Apt 4",
        )
        return f"<a {self.pick(*streets).format(n)}>"

    def company(self) -> str:
        name = self.rng.choice(self.words["companies"])
        return name if self.chance(0.2) else f"{name} {self.pick('ApS', 'A/S', 'I/S', 'Ltd', 'GmbH', 'AB')}"

    def iban(self) -> str:
        country, length = self.rng.choice([("DK", 14), ("SE", 20), ("DE", 18), ("NO", 11)])
        body = self.digits(length)
        check = 98 - int(body + str(ord(country[0]) - 55) + str(ord(country[1]) - 55) + "00") % 97
        number = f"{country}{check:02d}{body}"
        return (
            "<i "
            + (" ".join(number[k : k + 4] for k in range(0, len(number), 4)) if self.chance(0.5) else number)
            + ">"
        )

    def card(self, spaced: float = 0.5) -> str:
        body = self.pick("4", "51", "54", "4571") + self.digits(14)
        body = body[:15]
        total = sum(sum(divmod(int(d) * 2, 10)) if k % 2 == 0 else int(d) for k, d in enumerate(body))
        number = f"{body}{-total % 10}"
        return "<k " + (" ".join(number[k : k + 4] for k in range(0, 16, 4)) if self.chance(spaced) else number) + ">"

    def cvr(self) -> str:
        while True:
            number = self.digits(8)
            if sum(int(d) * w for d, w in zip(number, (2, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11 == 0:
                return number

    def ean(self) -> str:
        body = "57" + self.digits(10)
        return body + str(-sum(int(d) * (3 if k % 2 else 1) for k, d in enumerate(body)) % 10)

    def ip(self) -> str:
        return "<o " + ".".join(str(self.rng.randint(1, 254)) for _ in range(4)) + ">"

    def plate(self, spaced: bool = True) -> str:
        letters = "".join(self.rng.choice("ABCDEHJKLMNPRSTVXYZ") for _ in range(2))
        return f"<l {letters} {self.digits(2)} {self.digits(3)}>" if spaced else f"<l {letters}{self.digits(5)}>"

    def user(self) -> str:
        first, last = plain(self.first), plain(self.last.split()[-1])
        return (
            "<u "
            + self.pick(
                f"{first}.{last}", f"{first[:2]}{last[:2]}", f"{first}{self.rng.randint(1, 99)}", f"{first[0]}{last}"
            )
            + ">"
        )

    def amount(self) -> str:
        return self.pick(
            f"{self.rng.randint(1, 99999)},{self.digits(2)}", f"{self.rng.randint(1, 99)}.{self.digits(3)},00"
        )


DANISH_PHONES = (
    "N# ## ## ##",
    "N#######",
    "N### ####",
    "+45 N# ## ## ##",
    "+45N#######",
    "0045 N#######",
    "(+45) N# ## ## ##",
    "N#-##-##-##",
    "N#.##.##.##",
    "N## ## ###",
)
FOREIGN_PHONES = (
    "+46 70-### ## ##",
    "+47 4## ## ###",
    "+49 151 ########",
    "+44 7700 9#####",
    "07700 9#####",
    "(415) 555-####",
    "+48 5## ### ###",
    "+1-202-555-####",
)
