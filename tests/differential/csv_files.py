"""Made CSV files: a table of known truth, written in one of the many ways in which CSV files come."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from tests.differential.csv_columns import KINDS, Locale, Made, decide, integers, spoil, texts, words
from tests.differential.csv_shape import Written, chance, pick, shape
from tests.differential.reading import Outcome, Reader
from tests.differential.truth import Column, Reading, Table, Verdict, judge

COUNT = 2000
DECLARED = range(1900, 2000)  # cases whose pipeline file says what the ambiguous columns are
NAMES = (
    "Antal,Beløb,Beløb (kr.),Pris/stk,Rabat,Status,Lager,Vægt kg,Ændret den,Oprettet dato,Måned,Enhed,Bemærk,Farve,Årstal,"
    "amount,quantity,unit_price,status,created,updated_at,weight,colour,batch,Order Date,Ship Mode,Size,Grade,Größe,Total kr,"
    "lat,lon,rate,Level,Kategori,Parti,Omsætning,Dækningsbidrag,worth,stock"
).split(",")
ODD_NAMES = (
    "Størrelse \"L\"", "% af total", "Pris; inkl. moms", "Antal, stk.", "Q1 2024", "Beløb\n(kr.)", "select", "a.b", "x'y", "#",
    "Omsætning [kr]", "æøå ÆØÅ", "2nd", "__v", "Værdi €",
)  # fmt: skip
KEYS = ("Linje", "Varenr", "SKU", "line", "item", "row_id", "Nr")
ENCODINGS = [
    ("utf-8", 60), ("utf-8 with BOM", 10), ("windows-1252", 12), ("iso-8859-1", 4), ("iso-8859-15", 1.5), ("cp850", 3),
    ("cp865", 2), ("macintosh", 0.7), ("utf-16", 2.5), ("utf-16-be with BOM", 1), ("utf-16-le without BOM", 0.7),
]  # fmt: skip


@dataclass
class Case:
    """A pipeline over made files, and their truth."""

    number: int
    table: Table
    files: dict[str, bytes]
    source: str
    more: str = ""  # of the pipeline file

    @property
    def name(self) -> str:
        return f"t{self.number}"

    def read(self, reader: Reader) -> tuple[Outcome, Verdict]:
        reader.write(self.name, self.source.replace("FOLDER", f"data/{self.name}"), self.files, self.more)
        try:
            outcome = reader.run(self.name)
        finally:
            reader.forget(self.name)
        return outcome, judge(self.table, outcome)

    def shape(self) -> str:
        """What the files look like."""
        told = [
            f"source: {self.source}",
            *([self.more] if self.more else []),
            f"quirks: {', '.join(self.table.quirks) or 'none'}",
        ]
        for name, content in self.files.items():
            lines = content.splitlines(keepends=True)
            shown = lines if len(lines) < 16 else [*lines[:10], b"...", *lines[-4:]]
            told += [f"{name}: {len(content)} bytes", *(f"  {line!r}"[:300] for line in shown)]
        return "\n".join(told)


def make(seed: int, number: int) -> Case:
    """The case of this number; the same for the same seed."""
    r = Random(f"csv {seed} {number}")
    where, how = _locale(r), Written()
    how.delimiter = pick(r, [(";", 80), ("\t", 9), ("|", 4), (",", 7)] if where.decimal == "," else
                            [(",", 75), ("\t", 12), (";", 8), ("|", 5)])  # fmt: skip
    how.encoding = pick(r, ENCODINGS)
    how.end = pick(r, [("\n", 52), ("\r\n", 44), ("\r", 3)])
    how.quoting = pick(r, [("minimal", 62), ("all", 18), ("texts", 10), ("none", 6), ("backslash", 1.5)])
    how.quote = "'" if chance(r, 0.015) else '"'
    if how.quoting == "none" and (how.delimiter == "," or where.thousands == how.delimiter):
        how.quoting = "minimal"
    how.quirks += [how.encoding] if not how.encoding.startswith("utf-8") else []
    how.quirks += [f"quoting {how.quoting}"] if how.quoting == "backslash" else []
    how.quirks += ["single quotes"] if how.quote == "'" else []
    how.quirks += ["line ends CR"] if how.end == "\r" else []
    columns = _columns(r, where, how)
    table = Table(columns, key=next(i for i, c in enumerate(columns) if c.kind == "key"), quirks=how.quirks)
    table.refusal = how.encoding in ("macintosh", "iso-8859-15", "utf-16-le without BOM")  # hardly to be decided
    case = _written(r, number, table, how)
    if number in DECLARED:
        case.more = _declared(table, where)
    return case


def _declared(table: Table, where: Locale) -> str:
    """What the pipeline file says of columns that nobody could decide, and of codes that look like numbers."""
    said = []
    for column in table.columns:
        if column.name is None or any(c is not column and c.file_name == column.name for c in table.columns):
            continue
        numbers = column.kind.startswith(("decimals", "whole numbers with thousands"))
        days = column.kind.startswith("dates") and where.date != "iso"
        if (numbers or days) and len(column.readings) > 1:
            parts = {"dmy": ("%d", "%m", "%Y"), "mdy": ("%m", "%d", "%Y")}
            how = (
                f'decimal, decimal: "{where.decimal}"'
                if numbers
                else f'date, format: "{where.mark.join(parts[where.date])}"'
            )
            said.append(f"{json.dumps(column.name, ensure_ascii=False)}: {{type: {how}}}")
            column.kind = f"declared {column.kind.removesuffix(' (ambiguous)')}"
            column.readings, column.text = [replace(column.readings[0], told=False)], False
        elif column.kind == "codes with leading zeros":
            said.append(f"{json.dumps(column.name, ensure_ascii=False)}: text")
    if not said:
        return ""
    table.quirks.append("declared")
    return f"columns: {{{', '.join(said)}}}\n"


def _locale(r: Random) -> Locale:
    return r.choices([
        Locale(",", ".", "dmy", "-"), Locale(",", ".", "dmy", "."), Locale(",", ".", "dmy", "/"), Locale(",", ".", "iso", "-"),
        Locale(",", "", "dmy", "-"), Locale(",", "", "iso", "-"), Locale(",", " ", "iso", "-"), Locale(",", "\xa0", "dmy", "."),
        Locale(".", "", "iso", "-"), Locale(".", ",", "iso", "-"), Locale(".", ",", "mdy", "/"), Locale(".", ",", "mdy", "-"),
        Locale(".", "", "dmy", "/"), Locale(".", "", "dmy", "-"),
    ], [16, 10, 5, 5, 8, 6, 2, 2, 20, 6, 8, 4, 4, 4])[0]  # fmt: skip


def _columns(r: Random, where: Locale, how: Written) -> list[Column]:
    n = r.choices((r.randint(3, 12), r.randint(13, 60), r.randint(100, 250), r.randint(1000, 1200)), (25, 55, 18, 2))[0]
    first, coded = r.choice((1, 1, 100, 5000)), chance(r, 0.5)
    keys = [f"{r.choice('KLM')}-{row:04}" if coded else str(first + row) for row in range(n)]
    mades: list[Made] = []
    wide = chance(r, 0.05)
    for _ in range(r.randint(4, 9) if wide else r.choices(range(2, 10), [8, 12, 14, 12, 8, 5, 3, 2])[0]):
        maker = r.choices([one for one, _ in KINDS], [weight for _, weight in KINDS])[0]
        mades.append(integers(r, n, where) if wide else maker(r, n, where))
    if how.quoting != "none" and chance(r, 0.3):
        mades.append(texts(r, n, how.delimiter, how.quote, slashes=how.quoting != "backslash"))
    if not how.encoding.startswith("utf-8") or wide:
        mades.insert(0, words(r, n, where, plain="utf-16" in how.encoding and chance(r, 0.5)))
    for made in mades:
        if made.kind != "sentences" and (done := spoil(r, made, where)):
            how.quirks.append(done)
    if how.encoding == "iso-8859-15":
        made = words(r, n, where)
        made.cells = [f"{c} {r.randint(1, 90)} €" for c in made.cells]
        mades.append(made)
    names = _headers(r, how, len(mades), wide)
    hints = (how.delimiter == ";") == (where.decimal == ",")
    columns = decide(mades, names, where, hints)
    place = 0 if chance(r, 0.8) else r.randint(0, len(columns))
    found = Column(r.choice(KEYS), "key", keys)
    if not coded:
        found.readings.append(Reading("the number", [Decimal(c) for c in keys]))
    columns.insert(place, found)
    return columns


def _headers(r: Random, how: Written, many: int, wide: bool) -> list[str]:
    names = r.sample(NAMES, many)
    unicode = how.encoding.startswith("utf")
    if wide:
        first = r.randint(2015, 2024)
        made = pick(r, [("years", 3), ("dates", 3), ("percent", 1), ("numbers", 1.5)])
        names = [names[0]] + [
            {"years": str(first + i), "dates": f"{1 + i % 12}/{22 + i % 6}/20" if first % 2 else f"2024-{1 + i % 12:02}-01",
             "percent": f"{5 * i + 5}%", "numbers": str(i + 1)}[made] for i in range(many - 1)
        ]  # fmt: skip
        how.quirks.append(f"header of {made}")
    elif chance(r, 0.07):
        odd = [name for name in ODD_NAMES if how.quoting != "none" or not set(name) & {how.delimiter, '"', "'", "\n"}]
        odd = [name for name in odd if unicode or "€" not in name]
        names[r.randrange(many)] = r.choice(odd)
        how.quirks.append("odd name")
    if not unicode and how.encoding not in ("windows-1252", "iso-8859-15"):
        names = [name.replace("€", "EUR") for name in names]
    return names


def _written(r: Random, number: int, table: Table, how: Written) -> Case:
    files, options = shape(r, table, how)
    source = ", ".join(
        ["connector: csv", f"path: 'FOLDER/{'*.csv' if len(files) > 1 else next(iter(files))}'", *options]
    )
    return Case(number, table, files, f"{{{source}}}")


@contextmanager
def beside() -> Iterator[dict[str, str]]:
    """What these cases need beside Atlas, as settings of it."""
    yield {}
