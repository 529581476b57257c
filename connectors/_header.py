"""Whether a line names the columns, judged by the lines below it; and the names that come of it."""

import re
from collections import Counter
from dataclasses import dataclass

from connectors._columns import LONGEST, fit

_KINDS = (
    ("percent", re.compile(r"[-+]?\d[\d.,]*\s?%")),
    (
        "number",
        re.compile(
            r"(?i)(?:(?:kr\.?|dkk|sek|nok|eur|usd|gbp|[€$£]) ?)?[-+(]?"
            r"(?:\d{1,3}(?:[ .,'\u00a0]\d{3})+|[\d.,]*\d[\d.,]*)(?:e[-+]?\d+)?[-)]?"
            r"(?: ?(?:kr\.?|dkk|sek|nok|eur|usd|gbp|[€$£]))?"
        ),
    ),
    ("date", re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?|\d{4}-\d\d")),
    ("time", re.compile(r"\d{1,3}:\d\d(:\d\d([.,]\d+)?)?")),
    ("email", re.compile(r"[^@\s]+@[^@\s]+\.\w+")),
    ("id", re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d{6}[- ]\d{4}|\+\d[\d ()-]{6,}")),
    ("phone", re.compile(r"(\(?\+?[\d]{1,4}\)?[ -]){2,}\d{2,4}")),
    (
        "address",
        re.compile(
            r"(?i).*[^\W\d_]{2,}(gade|vej|vænge|vænget|stræde|torv|allé|alle|boulevard|plads|parken|stien|bakken|vangen)"
            r" \d{1,3} ?[a-z]?\b.*|\d{1,4} [^\W\d_].* (street|st|road|rd|avenue|ave|lane|drive|way)\b.*"
        ),
    ),
    ("truth", re.compile(r"(?i)true|false|ja|nej|yes|no")),
)
_PERSONAL = ("email", "id", "phone", "address")  # a cell of this kind is never a column name
_LONGEST = 200  # longer cells get no kind: the patterns would be slow on them
_YEAR = re.compile(r"(19|20)\d\d")
_NUMBERED = re.compile(r"\d{6,}")  # a phone or personal number, and no measure that names a column
_NONE = frozenset(("", "-", "–", "?", ".", "..", "...", "n/a", "na", "nan", "null", "none", "nil", "ukendt", "unknown"))

# usual names of columns whose values look like names, too
_WORDS = frozenset(
    """
    id nr no key code kode type art class klasse kategori category group gruppe status state tilstand title
    titel name navn fornavn efternavn mellemnavn fuldenavn firstname lastname surname givenname familyname
    fullname username brugernavn bruger user kunde customer client klient medlem member medarbejder employee
    person kontakt contact firma company virksomhed organisation organization afdeling department team leder
    manager ejer owner email mail epost telefon tlf phone mobil mobile fax adresse address vej gade street by
    city town postnr postnummer postby zip postcode region kommune municipality land country nation sprog
    language køn gender sex alder age fødselsdag fødselsdato birthday birthdate cpr cvr dato date day dag
    month måned year år uge week time tid timestamp created updated oprettet ændret rettet start slut end fra
    from til to periode period beskrivelse description tekst text note notes noter bemærkning bemærkninger
    kommentar comment comments besked message emne subject indhold content value værdi beløb amount pris price
    total sum saldo balance moms vat tax rabat discount valuta currency antal quantity qty count enhed unit
    vare varenr produkt product item sku model brand mærke farve color colour størrelse size vægt weight højde
    height længde length bredde width ordre order ordrenr faktura invoice bilag konto account kontonr iban
    bank kort card reference ref kilde source url link website web domain domæne ip host server version level
    niveau priority prioritet score rank point points resultat result svar answer question spørgsmål emoji
    label tag tags keyword sag case ticket sagsnr projekt project opgave task fase lat lon lng latitude
    longitude bredde længdegrad breddegrad station sensor måling temperatur temperature vind nedbør column
    kolonne field felt variable variabel parameter property attribute row række line linje
    """.split()
)
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-zæøå])(?=[A-ZÆØÅ])")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Judged:
    """`strong`: values of a kind stand below cells of none. `plain`: nothing speaks against what was decided."""

    header: bool
    strong: bool = False
    plain: bool = False


def judged(top: list[str], below: list[list[str]]) -> Judged:
    """Each column votes, by what its first cell has in common with those below.

    A line in which an address, a phone number or the like stands is no header: its values would be names for all to
    read. Numbers and dates are names only if the line has more against them, or if they go on from column to column.
    """
    kinds = [kind(cell) for cell in top]
    if any(found in _PERSONAL for found in kinds):
        return Judged(header=False, plain=True)
    going = _going_on(top, kinds)
    name = value = likely = unlikely = 0
    for column, cell in enumerate(top):
        others = [row[column] for row in below if row[column].strip().casefold() not in _NONE and row != top]
        if cell.strip().casefold() in _NONE:
            continue
        if column in going or _YEAR.fullmatch(cell.strip()):
            same = bool(others) and _mostly([kind(other) for other in others]) == kinds[column]
            likely += bool(others) and not same
            value += same and kinds[column] == "date"
            continue
        if _NUMBERED.search(cell) and kinds[column] == "number":
            value += 1
            continue
        if not others:
            value += kinds[column] not in (None, "truth")
            likely += _is_word(cell)
            continue
        most = _mostly([kind(other) for other in others])
        if kinds[column] is not None:
            if kinds[column] != most and most in ("number", "percent") and kinds[column] in ("date", "percent", "time"):
                likely += 1
            else:
                value += 1
        elif most is not None:
            name += 1
        else:
            for_name = _among_texts(cell, others)
            name, value = name + (for_name > 1), value + (for_name < -1)
            likely, unlikely = likely + (for_name == 1), unlikely + (for_name == -1)
    if name or value:
        return Judged(header=name > value, strong=name > value, plain=not (name and value))
    if likely:
        return Judged(header=True, plain=likely >= unlikely)
    return Judged(header=not unlikely, plain=False)


def kind(cell: str) -> str | None:
    """What the text of a cell looks like, None for words."""
    if len(cell) > _LONGEST:
        return None
    text = cell.strip()
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(text)), None)


def names_of(header: list[str]) -> tuple[list[str], list[str]]:
    """The columns' names, and what is said of those that are not as they stand there.

    They are compared as SQL does, without regard to capital letters; letters composed in two ways are the same.
    A missing one is `column_3`.
    """
    told = [fit(cell) or f"column_{number}" for number, cell in enumerate(header, 1)]
    taken, seen = {name.casefold() for name in told}, set[str]()
    names, renamed = [], []
    for name in told:
        if name.casefold() in seen:
            number = 2
            while (again := f"{name[: LONGEST - 5]}_{number}").casefold() in taken:
                number += 1
            name = again
            taken.add(name.casefold())
            renamed.append(name)
        seen.add(name.casefold())
        names.append(name)
    changed = [
        fitted for cell, fitted in zip(header, told, strict=True) if {*'"^'} & {*cell} and fitted != cell.strip()
    ]
    return names, [
        *_said(renamed, "a name that another has before"),
        *_said(changed, "a name with a sign that no name can have"),
    ]


def _said(names: list[str], why: str) -> list[str]:
    if not names:
        return []
    shown = ", ".join(f"`{name}`" for name in names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
    what = "a column has" if len(names) == 1 else f"{len(names)} columns have"
    return [f"{what} {why}, and {'is' if len(names) == 1 else 'are'} read as {shown}"]


def _mostly(kinds: list[str | None]) -> str | None:
    found, many = Counter(kinds).most_common(1)[0]
    return found if many >= 0.9 * len(kinds) else None


def _among_texts(cell: str, others: list[str]) -> int:
    """From 2, the cell is a name above texts, to -2, it is one of them; 0 if nothing can be said."""
    counts = Counter(others)
    shape, shapes = _shape(cell), Counter(map(_shape, others))
    alike = shapes[shape] >= 0.6 * len(others)
    if counts[cell] > 1 or (alike and "9" in shape and len(others) > 2):  # K001 above K002 and K003
        return -2
    if _is_word(cell):
        return 1
    if len(others) >= 6 and len(counts) <= len(others) / 3 and not counts[cell]:
        return 2
    if len(others) > 1 and not shapes[shape]:
        return 1
    return -1 if alike else 0


def _is_word(cell: str) -> bool:
    words = _WORD.findall(_CAMEL.sub(" ", cell).casefold())
    return bool(words) and sum(word in _WORDS for word in words) * 2 >= len(words)


def _shape(cell: str) -> str:
    """`Ida Holm` is `Aa Aa`, `K001` is `A9`."""
    return _WORD.sub(_cased, _NUMBER.sub("9", cell.strip()[:_LONGEST]))


def _cased(word: re.Match[str]) -> str:
    text = word[0]
    return "a" if text.islower() else "A" if text.isupper() else "Aa" if text.istitle() else "aA"


def _going_on(top: list[str], kinds: list[str | None]) -> set[int]:
    """The columns of three and more numbers or dates, side by side, that grow by equal steps: 10, 20, 30."""
    going: set[int] = set()
    values = [_place(cell, kind) for cell, kind in zip(top, kinds, strict=True)]
    start = 0
    while start < len(values):
        end = start + 1
        while end < len(values) and _goes_on(values[start : end + 1]):
            end += 1
        if end - start >= 3 or (end - start == 2 and kinds[start] == "date"):
            going |= set(range(start, end))
        start = end
    return going


def _goes_on(values: list[tuple[str, float] | None]) -> bool:
    """Whether the last value follows those before it."""
    before, last = values[-2], values[-1]
    if before is None or last is None or before[0] != last[0] or last[1] <= before[1]:
        return False
    first = values[-3] if len(values) > 2 else None
    return last[0] == "date" or first is None or abs(last[1] - 2 * before[1] + first[1]) < 1e-9


def _place(cell: str, found: str | None) -> tuple[str, float] | None:
    """The kind of a number or date and where it stands among others."""
    if found == "date":
        parts = [int(part) for part in re.findall(r"\d+", cell)[:3]]
        year = max(range(len(parts)), key=lambda at: (parts[at] > 31, at))
        rest = [part for at, part in enumerate(parts) if at != year]
        return "date", parts[year] * 10_000 + max(rest[0] * 100 + rest[-1], 0)
    if found in ("number", "percent", "time"):
        digits = re.sub(r"[^\d.,-]", "", cell).replace(",", ".")
        try:
            return found, float(digits)
        except ValueError:
            return None
    return None
