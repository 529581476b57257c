"""The shape of a made CSV file: quotes, lines above the header and below the rows, encodings, several files."""

import codecs
import unicodedata
from dataclasses import dataclass, field
from random import Random

from tests.differential.truth import Column, Table

Line = list[str | None]
PYTHON = {
    "windows-1252": "cp1252", "iso-8859-1": "latin-1", "iso-8859-15": "iso8859-15", "cp850": "cp850", "cp865": "cp865",
    "macintosh": "mac-roman", "utf-8": "utf-8", "utf-8 with BOM": "utf-8-sig", "utf-16": "utf-16",
    "utf-16-be with BOM": "utf-16-be", "utf-16-le without BOM": "utf-16-le",
}  # fmt: skip


@dataclass
class Written:
    """How a file is written: each is what the next step reads."""

    delimiter: str = ";"
    quote: str = '"'
    quoting: str = "minimal"  # minimal, all, texts, none, backslash
    end: str = "\n"
    encoding: str = "utf-8"
    quirks: list[str] = field(default_factory=list)


def chance(r: Random, share: float) -> bool:
    return r.random() < share


def pick(r: Random, weighted: list[tuple[str, float]]) -> str:
    return r.choices([one for one, _ in weighted], [weight for _, weight in weighted])[0]


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def shape(r: Random, table: Table, how: Written) -> tuple[dict[str, bytes], list[str]]:
    """The files of a table, and what the pipeline file says about them. Changes the table's truth where it must."""
    header = _header(r, table, how)
    rows: list[Line] = [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]
    lines = [_line(r, row, how, table) for row in rows]
    head = None if header is None else _line(r, header, how, table, header=True)
    plain = len(how.quirks)
    lines, head = _odd_lines(r, table, how, lines, head)
    plain = plain == len(how.quirks)
    above, below = _around(r, table, how)
    options = _options(r, table, how, header is not None)
    texts: dict[str, str] = {}
    if (
        plain
        and chance(r, 0.05)
        and len(lines) >= 6
        and head is not None
        and header is not None
        and not above
        and not below
    ):
        cut = r.randint(2, len(lines) - 2)
        second = _second(r, table, how, rows[cut:], header)
        if second is not None:
            texts = {"1.csv": _joined(how, [head, *lines[:cut]]), "2.csv": second}
    if not texts:
        whole = [*above, *([head] if head is not None else []), *lines, *below]
        texts = {"export.csv": _joined(how, whole)}
    end = "" if chance(r, 0.15) else how.end
    dos = "\x1a" if chance(r, 0.01) else ""
    if dos:
        how.quirks.append("DOS end of file")
    files = {}
    for name, text in texts.items():
        content = (text.removesuffix(how.end) + end + dos).encode(PYTHON[how.encoding])
        if how.encoding == "utf-16-be with BOM":
            content = codecs.BOM_UTF16_BE + content
        files[name] = content
    if how.encoding == "utf-8" and chance(r, 0.006):
        _one_line_in_another_encoding(table, how, files)
    return files, options


def _joined(how: Written, lines: list[str]) -> str:
    return "".join(line + how.end for line in lines)


def _header(r: Random, table: Table, how: Written) -> Line | None:
    """The names as the file writes them; None if it has none."""
    columns, unicode = table.columns, how.encoding.startswith("utf")
    others = [column for column in columns if column.kind != "key"]
    names = [column.name for column in columns]
    if chance(r, 0.05) and any(c.readings and "ambiguous" not in c.kind for c in others):
        how.quirks.append("no header")
        table.headless = True
        for column in columns:
            column.name = None
        return None
    if chance(r, 0.05) and len(others) > 1 and "header of" not in str(how.quirks):
        first, *rest = r.sample(others, r.randint(2, min(3, len(others))))
        twins = sorted([first, *rest], key=columns.index)
        for twin in twins[1:]:
            twin.name, twin.file_name = None, twins[0].name
        how.quirks.append("doubled names")
        return [column.file_name or column.name for column in columns]
    if chance(r, 0.03):
        one = r.randrange(len(columns))
        names[one] = f" {names[one]} "
        how.quirks.append("name with spaces around")
    if unicode and chance(r, 0.03) and any(nfd(str(n)) != n for n in names):
        names = [nfd(str(name)) for name in names]
        how.quirks.append("decomposed names")
    if chance(r, 0.03):
        one = r.choice(others)
        names[columns.index(one)] = None
        one.name = None
        how.quirks.append("a column without a name")
    elif chance(r, 0.01) and len(others) > 1:
        one, two = r.sample(others, 2)
        one.name, two.name, two.file_name = "status", None, "STATUS"
        names[columns.index(one)], names[columns.index(two)] = "status", "STATUS"
        how.quirks.append("names that differ in case only")
    return names


def _line(r: Random, cells: Line, how: Written, table: Table, header: bool = False) -> str:
    written = []
    for cell, column in zip(cells, table.columns, strict=True):
        text = "" if cell is None else cell
        special = any(c in text for c in (how.delimiter, how.quote, "\n", "\r")) or text != text.strip()
        texts = column.kind in ("words", "sentences", "codes", "key") or header
        if how.quoting == "backslash":
            text = text.replace(how.quote, f"\\{how.quote}")
        else:
            text = text.replace(how.quote, how.quote * 2)
        wrap = special or how.quoting == "all" or (how.quoting == "texts" and texts and cell is not None)
        written.append(f"{how.quote}{text}{how.quote}" if wrap else text)
    if len(written) == 1 and not written[0]:
        written = [how.quote * 2]
    return how.delimiter.join(written)


def _without(table: Table, row: int) -> None:
    """Takes a row out of the truth: nobody can say what it holds."""
    for column in table.columns:
        column.cells = [*column.cells[:row], *column.cells[row + 1 :]]
        for reading in column.readings:
            reading.values = [*reading.values[:row], *reading.values[row + 1 :]]


def _odd_lines(
    r: Random, table: Table, how: Written, lines: list[str], head: str | None
) -> tuple[list[str], str | None]:
    """Lines that are not as wide as the others, and what else is between them."""
    d = how.delimiter
    n = len(lines)
    if chance(r, 0.03):
        how.quirks.append("rows end with the delimiter")
        lines = [line + d for line in lines]
    elif chance(r, 0.03) and head is not None:
        how.quirks.append("all lines end with the delimiter")
        head, lines = head + d, [line + d for line in lines]
        table.columns.append(Column(None, "nothing", [None] * n, optional=True))
    elif chance(r, 0.03):
        last = table.columns[-1]
        if any(cell is None for cell in last.cells) and how.quoting == "minimal" and len(table.columns) > 2:
            how.quirks.append("empty cells at the end are left out")
            lines = [line[: -len(d)] if cell is None else line for line, cell in zip(lines, last.cells, strict=True)]
    elif chance(r, 0.03):
        how.quirks.append("a row with a cell too many")
        row = r.randrange(n)
        lines[row] += f"{d}x"
        _without(table, row)
    elif chance(r, 0.03):
        how.quirks.append("blank lines")
        for _ in range(r.randint(1, 4)):
            lines.insert(r.randint(1, len(lines)), "")
    elif chance(r, 0.01):
        how.quirks.append("a quote that is not closed")
        row = r.randrange(n)
        lines[row] = lines[row].replace(how.quote, "") + f"{d}{how.quote}x"  # as wide as no other line
        _without(table, row)
        table.refusal = True
    elif chance(r, 0.02):
        how.quirks.append("different line ends")
        other = "\r\n" if how.end == "\n" else "\n"
        for row in r.sample(range(n), n // 3):
            lines[row] += other.removesuffix(how.end) if how.end == "\n" else ""
    elif chance(r, 0.03) and how.quoting == "minimal":
        inch = [i for i, c in enumerate(table.columns) if c.kind == "words"]
        if inch:
            how.quirks.append("a quote within a cell")
            column, row = table.columns[inch[0]], r.randrange(len(lines))
            text = f"24{how.quote} skærm" if how.encoding.startswith("utf") else f"24{how.quote} beam"
            column.cells = [*column.cells[:row], text, *column.cells[row + 1 :]]
            cells: Line = [c.cells[row] for c in table.columns]
            cells[inch[0]] = "@@"
            lines[row] = _line(r, cells, how, table).replace("@@", text)
    elif chance(r, 0.01) and head is not None:
        how.quirks.append("the header again in the middle")
        lines.insert(r.randint(1, len(lines)), head)
    elif chance(r, 0.01) and d in ";," and how.quoting == "minimal" and not any(how.quote in line for line in lines):
        how.quirks.append("a space after the delimiter")
        lines = [line.replace(d, f"{d} ") for line in lines]
    return lines, head


def _around(r: Random, table: Table, how: Written) -> tuple[list[str], list[str]]:
    """Lines above the header, and below the last row."""
    d, wide = how.delimiter, len(table.columns)
    above: list[str] = []
    if chance(r, 0.12):
        kind = r.choice(("title", "title", "titles", "comment", "metadata", "padded title", "blank"))
        lines = {
            "title": ["Lagerliste pr. 01.11.2026", ""][: r.randint(1, 2)],
            "titles": ["Stock report", "Warehouse 12, week 45", ""][: r.randint(2, 3)],
            "comment": ["# exported 2026-11-01 10:00", "# unit: kg"][: r.randint(1, 2)],
            "metadata": [f"Rapport:{d}Lager", f"Periode:{d}01-10-2026 - 31-10-2026", f"Enhed:{d}kr.", ""][
                : r.choice((2, 3, 4))
            ],
            "padded title": [f"Lagerliste 2026{d * (wide - 1)}", d * (wide - 1)][: r.randint(1, 2)],
            "blank": ["", ""][: r.randint(1, 2)],
        }
        above = lines[kind]
        how.quirks.append(f"above the header: {kind}")
    if chance(r, 0.03) and how.encoding in ("utf-8", "windows-1252", "iso-8859-1") and d != "|":
        above.insert(0, f"sep={d}")
        how.quirks.append("sep=")
    below: list[str] = []
    if chance(r, 0.06):
        kind = r.choice(("totals", "count", "affected", "end"))
        sums = ["" for _ in range(wide)]
        sums[table.key] = r.choice(("I alt", "Total", "Sum"))
        below = {
            "totals": [d.join(sums)], "count": ["", f"Antal rækker: {table.size}"],
            "affected": ["", f"({table.size} rows affected)"], "end": ["-- end of report --"],
        }[kind]  # fmt: skip
        how.quirks.append(f"below the rows: {kind}")
    return above, below


def _options(r: Random, table: Table, how: Written, header: bool) -> list[str]:
    """What the pipeline file says; sometimes it is wrong, and then a refusal is right."""
    options = []
    written = {"\t": '"\\t"', "|": '"|"', ";": '";"', ",": '","'}
    known = ("utf-8", "windows-1252", "iso-8859-1")
    if chance(r, 0.1):
        options.append(f"delimiter: {written[how.delimiter]}")
    elif chance(r, 0.03):
        wrong = r.choice([d for d in written if d != how.delimiter])
        options.append(f"delimiter: {written[wrong]}")
        how.quirks.append("wrong delimiter given")
        table.refusal = True
    if chance(r, 0.1) and how.encoding in known:
        options.append(f"encoding: {how.encoding}")
    elif chance(r, 0.03) and how.encoding in known:
        wrong = "utf-8" if how.encoding != "utf-8" else r.choice(("windows-1252", "iso-8859-1", "utf-16"))
        options.append(f"encoding: {wrong}")
        how.quirks.append("wrong encoding given")
        table.refusal = True
    if chance(r, 0.1) or (not header and chance(r, 0.4)):
        options.append(f"header: {'true' if header else 'false'}")
        table.headless = False
    return options


def _second(r: Random, table: Table, how: Written, rows: list[Line], header: Line) -> str | None:
    """A second file with the rest of the rows: its names composed in another way, or its columns in another order."""
    if any(column.name is None for column in table.columns):
        return None
    order = list(range(len(header)))
    if how.encoding.startswith("utf") and any(nfd(str(name)) != name for name in header) and r.random() < 0.6:
        header = [nfd(str(name)) for name in header]
        how.quirks.append("two files, one with decomposed names")
    else:
        r.shuffle(order)
        how.quirks.append("two files, columns in another order")
    shown = Table([table.columns[at] for at in order])
    lines = [_line(r, [line[at] for at in order], how, shown, header=line is header) for line in (header, *rows)]
    return _joined(how, lines)


def _one_line_in_another_encoding(table: Table, how: Written, files: dict[str, bytes]) -> None:
    """As in files that two programs have written to."""
    (name, content), *_ = files.items()
    lines = content.split(how.end.encode())
    at = next(
        (i for i in range(len(lines) - 1, 1, -1) if any(c in lines[i] for c in ("ø".encode(), "æ".encode()))), None
    )
    if at is not None:
        lines[at] = lines[at].decode().encode("cp1252", "replace")
        files[name] = how.end.encode().join(lines)
        how.quirks.append("one line in another encoding")
        table.refusal = True
