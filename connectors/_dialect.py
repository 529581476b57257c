"""How a delimited file is written: its encoding, its delimiter, and whether its first line names the columns."""

import codecs
import re
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors._rows import BLOCK, Rows, scan, table
from core.errors import SourceUnreadable
from core.models import MOST_COLUMNS

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_SAMPLE = 256 << 10
_SAMPLE_ROWS = 200
_ENOUGH = 1000  # letters outside ASCII after which the encoding is clear

_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel or zip file", "Save it as CSV first."),
    (b"\xd0\xcf\x11\xe0", "an Excel file", "Save it as CSV first."),
    (b"\x1f\x8b", "a gzip file", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "Unpack it first."),
    (b"PAR1", "a Parquet file", "Only delimited text can be read here."),
    (b"%PDF", "a PDF", "Only delimited text can be read here."),
    (b"SQLite format 3\x00", "a SQLite database", "Only delimited text can be read here."),
)
_KINDS = (
    ("number", re.compile(r"[-+]?[\d.,]*\d[\d.,]*\s?%?")),
    ("date", re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?")),
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
)
_LONGEST = 200  # of what has a kind; the patterns take their time with more
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True)
class Dialect:
    """`bom` precedes the text, `skip` lines the header (Excel's `sep=;`); `returns`: rows end with \\r alone."""

    delimiter: str
    encoding: str
    header: bool
    bom: bytes = b""
    skip: int = 0
    returns: bool = False


class Text:
    """A file's text as UTF-8, whatever it is written in. What cannot be decoded becomes bytes that are no UTF-8.

    `start` is a byte of the file: where its letters begin, or any row of those that are cut.
    """

    def __init__(self, file: BinaryIO, encoding: str, start: int) -> None:
        file.seek(start)
        self._file = file
        self._decoder = None
        if encoding != "utf-8":
            errors = "surrogatepass" if encoding.startswith("utf") else "surrogateescape"
            self._decoder = codecs.getincrementaldecoder(encoding)(errors)

    def read(self, size: int) -> bytes:
        if self._decoder is None:
            return self._file.read(size)
        while block := self._file.read(size):
            if text := self._decoder.decode(block):
                return text.encode("utf-8", "surrogatepass")
        pending, _ = self._decoder.getstate()
        self._decoder.reset()
        return b"\xff" if pending else b""  # the file ends in the middle of a letter


def detect(
    file: BinaryIO, name: str, delimiter: str | None = None, encoding: str | None = None, header: bool | None = None
) -> Dialect:
    """How the file is written; what is given is taken as given. Raises SourceUnreadable if it is no text."""
    bom, encoding = _encoding(file, name, encoding)
    text = Text(file, encoding, len(bom))
    sample = b""
    while len(sample) < _SAMPLE and (block := text.read(_SAMPLE)):
        sample += block
    whole = len(sample) < _SAMPLE
    bare = re.sub(rb'"[^"]*"', b"", sample)
    returns = b"\r" in bare and b"\n" not in bare
    skip = 0
    if (told := re.match(rb'"?sep=([,;|\t])"?[ ]*(\r?\n|\r)', sample)) is not None:
        skip, sample = 1, sample[told.end() :]
        delimiter = delimiter or told[1].decode()
    if delimiter is None:
        delimiter = _delimiter(sample, returns, whole)
    if header is None:
        header = _has_header(_rows(sample, delimiter, returns, whole), delimiter)
    return Dialect(delimiter, encoding, header, bom, skip, returns)


def cells(rows: Rows, chosen: NDArray[np.bool_], delimiter: str) -> list[list[str]]:
    """The values of some rows with equally many, in Python: for the header and a sample."""
    names = [str(number) for number in range(int(rows.fields[chosen][0]))]
    columns = table(rows, chosen, names, delimiter, pa.binary()).to_pydict().values()
    return [[(cell or b"").decode("utf-8", "replace") for cell in row] for row in zip(*columns, strict=True)]


def _encoding(file: BinaryIO, name: str, given: str | None) -> tuple[bytes, str]:
    file.seek(0)
    head = file.read(4096)
    for magic, kind, hint in _NOT_TEXT:
        if head.startswith(magic):
            raise SourceUnreadable(f"`{name}` is {kind}, not CSV.", hint=hint)
    for bom, encoding in _BOMS:
        if head.startswith(bom) and (given is None or encoding.startswith(given)):
            return bom, encoding
    if given is not None:
        return b"", "utf-16-le" if given == "utf-16" else given
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.6 * len(head) / 2 and not even:
        return b"", "utf-16-le"
    if even > 0.6 * len(head) / 2 and not odd:
        return b"", "utf-16-be"
    return b"", _utf8_or_windows(file)


def _utf8_or_windows(file: BinaryIO) -> str:
    """UTF-8 unless the letters outside ASCII say otherwise; looks until they are clear, so at most once through."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    valid = invalid = plausible = 0
    block = b" "
    while block and valid + invalid < _ENOUGH:
        block = file.read(BLOCK)
        if block.isascii() and block and not decoder.getstate()[0]:
            continue
        text = decoder.decode(block, final=not block)
        strange = [ord(found[0]) for found in islice(re.finditer(r"[^\x00-\x7f]", text), _ENOUGH)]
        wrong = [letter - 0xDC00 for letter in strange if 0xDC80 <= letter <= 0xDCFF]
        valid += len(strange) - len(wrong)
        invalid += len(wrong)
        plausible += sum(byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D, 0xFF) for byte in wrong)
    return "windows-1252" if plausible and valid * 5 < invalid else "utf-8"


def _rows(sample: bytes, delimiter: str, returns: bool, whole: bool) -> Rows:
    rows, _, _ = scan(sample, delimiter, 1, returns, final=whole)
    return rows if len(rows) else scan(sample, delimiter, 1, returns, final=True)[0]


def _delimiter(sample: bytes, returns: bool, whole: bool) -> str:
    """The one that splits most rows into as many values as the first; where none splits it, one that splits no row."""
    many: list[tuple[float, int, str]] = []
    one: list[tuple[float, str]] = []
    for delimiter in DELIMITERS:
        rows = _rows(sample, delimiter, returns, whole)
        if not len(rows):
            continue
        first, others = int(rows.fields[0]), rows.fields[1:]
        agree = 1.0 if not len(others) else float(((others == first).sum() - len(rows.broken)) / len(others))
        if first == 1:
            one.append((agree, delimiter))
        elif agree > 0 or (others > 1).mean() > 0.5 or delimiter + " " not in rows.text(0):
            many.append((agree, first, delimiter))
    if many:
        return max(many, key=lambda found: found[:2])[2]
    return max(one, key=lambda found: found[0])[1] if one else ","


def _has_header(rows: Rows, delimiter: str) -> bool:
    """Whether the first line names the columns: each column votes by comparing it with the lines below.

    A line in which an address, a number or a date stands is no header: its values would be names for all to read.
    """
    if not len(rows):
        return True
    width = int(rows.fields[0])
    if width > MOST_COLUMNS:
        return True  # it will not be read
    chosen = rows.fields == width
    chosen[list(rows.broken)] = False
    chosen[_SAMPLE_ROWS:] = False
    if not chosen[0]:
        return True
    first, *others = cells(rows, chosen, delimiter)
    if any(_kind(cell) and not _YEAR.fullmatch(cell) for cell in first):
        return False
    if not others:
        return not all(_kind(cell) for cell in first)
    votes = 0
    for column, top in enumerate(first):
        below = [other[column] for other in others if other[column] and other != first]
        kinds = {_kind(cell) for cell in below}
        if not below or not top or _YEAR.fullmatch(top):
            continue
        if len(kinds) == 1 and None not in kinds:
            votes += 1
        elif below.count(top) > 1:
            votes -= 1
    return votes >= 0


def _kind(cell: str) -> str | None:
    if len(cell) > _LONGEST:
        return None
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(cell.strip())), None)
