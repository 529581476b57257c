"""Delimited files made at random, each with the truth about what is in it: the same seed makes the same file."""

import csv
import io
import random
from dataclasses import dataclass, field

PERSONS = "Ida Bo Mette Søren Jørgen Åse Una Lærke Østen Kaj Dorthe Ægir".split()
FAMILIES = "Holm Lund Krog Friis Bæk Ørsted Ågård Møller Skov Dahl Kær".split()
CITIES = "Aarhus Odense Vejle Ribe Køge Ærøskøbing Hjørring Århus Næstved Tønder".split()
WORDS = "kop krus fad kande skål ske gaffel kniv tallerken glas bøtte æske".split()
NAMES = {
    "id": ("id", "Nr.", "Kundenr", "customer_id", "ORDRENR", "recordId"),
    "code": ("kode", "SKU", "Varenr.", "item_code", "CODE"),
    "person": ("navn", "Name", "Kunde", "full_name", "Medarbejder", "kontaktPerson"),
    "city": ("by", "City", "Kommune", "postdistrikt", "BYNAVN"),
    "word": ("vare", "Product", "Beskrivelse", "kategori", "Blimse", "zorv_type"),
    "email": ("email", "E-mail", "Mailadresse"),
    "phone": ("tlf", "Telefon", "Mobile phone"),
    "date": ("dato", "Created", "Bogføringsdato", "fra", "Fødselsdag"),
    "time": ("tidspunkt", "updated_at", "Starttid"),
    "amount": ("beløb", "Pris (kr.)", "Total", "amount", "Saldo", "Løn"),
    "percent": ("andel", "Rabat %", "share"),
    "flag": ("aktiv", "Paid?", "is_open"),
    "note": ("bemærkning", "Comment", "note", "Besked"),
}
DATES = ("%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%y", "%Y%m%d")
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "windows-1252", "windows-1252", "utf-16", "utf-16-le", "cp850", "cp865")


@dataclass
class Made:
    """`content` is the file; `names` and `rows` are the truth, `no_rows` how many lines below the header are none."""

    content: bytes
    names: list[str]
    rows: list[list[str | None]]
    no_rows: int
    how: dict[str, object] = field(default_factory=dict)


def made(seed: int) -> Made:
    pick = random.Random(seed)
    delimiter = pick.choice(",;;\t|")
    comma = delimiter != "," and pick.random() < 0.7
    encoding = pick.choice(ENCODINGS)
    end = pick.choice(["\n", "\r\n", "\r\n", "\r"])
    header = pick.random() < 0.88
    many = pick.choice([1, 2, 3, 5, 5, 20, 60])
    kinds = pick.choices(list(NAMES), k=pick.choice([2, 3, 4, 6, 9, 14]))
    wide = pick.random() < 0.1 and header
    date, digits = pick.choice(DATES), pick.randint(0, 3)
    names = [pick.choice(NAMES[kind]) for kind in kinds]
    if wide:
        extra = pick.choice([["10%", "25%", "50%", "75%"], ["2024", "2025", "2026"], ["1/22/20", "1/23/20", "1/24/20"],
                             ["0", "10", "20", "30"]])  # fmt: skip
        names, kinds = names + extra, kinds + ["count"] * len(extra)
    rows = [[_cell(pick, kind, number, date, digits, comma) for kind in kinds] for number in range(many)]
    trailing = pick.choice([0] * 8 + [1, 2])  # 1: rows only, 2: the header too
    lines = [*([names] if header else []), *rows]
    text = io.StringIO(newline="")
    out = csv.writer(text, delimiter=delimiter, lineterminator=end,
                     quoting=csv.QUOTE_ALL if pick.random() < 0.25 or end == "\r" else csv.QUOTE_MINIMAL)  # fmt: skip
    for number, line in enumerate(lines):
        add = trailing and (trailing == 2 or number or not header)
        out.writerow([*(cell or "" for cell in line), *([""] if add else [])])
    above = _above(pick, delimiter, len(kinds), end) if pick.random() < 0.45 else ("none", "")
    below, no_rows = _below(pick, delimiter, kinds, end) if header and many > 1 and pick.random() < 0.2 else ("", 0)
    content = f"{above[1]}{text.getvalue()}{below}".encode(encoding, "replace")
    if not header:
        names = [f"column_{number}" for number in range(1, len(kinds) + 1 + bool(trailing))]
        rows = [[*row, *([None] if trailing else [])] for row in rows]
    how = {"seed": seed, "delimiter": delimiter, "encoding": encoding, "end": end, "header": header, "above": above[0],
           "trailing": trailing, "rows": many, "kinds": kinds}  # fmt: skip
    return Made(content, _numbered(names), [[cell or None for cell in row] for row in rows], no_rows, how)


def _cell(pick: random.Random, kind: str, number: int, date: str, digits: int, comma: bool) -> str:
    day = f"{pick.randint(2020, 2026):04}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}"
    year, month, of_month = day.split("-")
    written = date.replace("%Y", year).replace("%y", year[2:]).replace("%m", month).replace("%d", of_month)
    amount = f"{pick.uniform(-500, 20000):.{digits}f}"
    person = f"{pick.choice(PERSONS)} {pick.choice(FAMILIES)}"
    value = {
        "id": str(1000 + number),
        "code": f"K{pick.randint(100, 999)}",
        "person": person,
        "city": pick.choice(CITIES),
        "word": pick.choice(WORDS),
        "email": f"{pick.choice(WORDS)}{pick.randint(1, 99)}@mail.example",
        "phone": " ".join(f"{pick.randint(20, 99)}" for _ in range(4)),
        "date": written,
        "time": f"{day} {pick.randint(0, 23):02}:{pick.randint(0, 59):02}",
        "amount": amount.replace(".", ",") if comma else amount,
        "percent": f"{pick.randint(0, 100)}%",
        "flag": pick.choice(["ja", "nej"]),
        "count": str(pick.randint(0, 900)),
        "note": pick.choice(["", "", "Ring til kunden, helst før frokost", 'Sagde "nej"; prøv igen', "a|b", "ok",
                             "første linje\nanden linje", "5\" rør", "Tak for køb"]),
    }[kind]  # fmt: skip
    return "" if kind not in ("id", "note", "count") and pick.random() < 0.06 else value


def _above(pick: random.Random, delimiter: str, width: int, end: str) -> tuple[str, str]:
    kind = pick.choice(["title", "title, blank", "titles", "comments", "facts", "facts in cells", "padded", "sep"])
    title = pick.choice(["Salgsrapport", "Udtræk pr. 01-03-2026", "Medlemsliste, afdeling Øst", "Report (all)"])
    lines = {
        "title": [title],
        "title, blank": [title, ""],
        "titles": [title, "Udskrevet af IH", "Periode: 01.01.2026 - 31.03.2026", ""],
        "comments": ["# " + title, "# " + "-" * 20, "#"],
        "facts": ["Kunde: Atlas", "Periode: 2026-03", "Antal: 12", ""],
        "facts in cells": [f"Kunde{delimiter}Atlas", f"Periode{delimiter}2026-03", ""],
        "padded": [title + delimiter * (width - 1), delimiter * (width - 1)],
        "sep": [f"sep={delimiter}"],
    }[kind]
    return kind, "".join(line + end for line in lines)


def _below(pick: random.Random, delimiter: str, kinds: list[str], end: str) -> tuple[str, int]:
    kind = pick.choice(["total", "count"])
    if kind == "total" and len(kinds) > 2:
        return delimiter.join(["I alt", *[""] * (len(kinds) - 2), "1234"]) + end, 1
    return f"{end}(12 rækker){end}", 1


def _numbered(names: list[str]) -> list[str]:
    """The names with a number where one stood there before, in the plainest way."""
    taken, seen, told = {name.casefold() for name in names}, set(), []
    for name in names:
        number, said = 2, name
        while said.casefold() in seen or (said != name and said.casefold() in taken):
            said, number = f"{name}_{number}", number + 1
        seen.add(said.casefold())
        told.append(said)
    return told
