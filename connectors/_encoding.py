"""How the letters of a text file are encoded: by its mark, by its zero bytes, or by which letters they would be."""

import codecs
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from connectors._rows import BLOCK
from core.errors import SourceUnreadable

# each can be named; line ends and quotes stand in the bytes as in ASCII, so that such a file can be cut anywhere
BYTEWISE = (
    "utf-8", "windows-1250", "windows-1251", "windows-1252", "iso-8859-1", "iso-8859-2", "iso-8859-15", "cp850",
    "cp865", "mac-roman",
)  # fmt: skip

TURNED = bytes.maketrans(b"\"'", b"'\"")
_DOS_END = b"\x1a"  # the last byte of a text of DOS
_EURO = 0xA4  # in ISO-8859-15; elsewhere a sign of currencies that nobody writes
_ENOUGH = 1000  # letters outside ASCII after which the encoding is clear
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_NAMES = {"windows-1252": "Windows-1252", "cp850": "code page 850", "cp865": "code page 865"}
_GUESSED = tuple(_NAMES)  # if two fit equally, the first wins: 850 and 865 have the same Danish letters
_LETTERS = dict.fromkeys("æøåÆØÅäöüÄÖÜéÉáíóúëêßñçð", 1.0) | dict.fromkeys("àèôûîâšžŠŽÁÍÓÚ", 0.5)
# signs, and whether they usually follow a letter and stand before one
_SIGNS = dict.fromkeys("€£§°½²³µ–—•·©®¿¡ \u00a0", (False, False)) | {
    "’": (True, True), "‘": (False, True), "“": (False, True), "«": (False, True), "”": (True, False),
    "»": (True, False), "…": (True, False), "™": (True, False), "´": (True, True),
}  # fmt: skip


@dataclass(frozen=True)
class Encoding:
    """`bom` precedes the text; `assumed` says what was not plain."""

    name: str
    bom: bytes = b""
    assumed: str | None = None


class Text:
    """A file's text as UTF-8, whatever it is written in. What cannot be decoded becomes bytes that are no UTF-8.

    `start` is a byte of the file: where its letters begin, or any row of those that are cut. Of a file whose values
    stand in single quotes, single and double quotes are exchanged, so that whoever splits it knows one kind.
    """

    def __init__(self, file: BinaryIO, encoding: str, start: int, quote: str = '"') -> None:
        file.seek(start)
        self._file = file
        self._turned = TURNED if quote == "'" else None
        self._encoding = encoding
        self._decoder = None
        if encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding))

    def read(self, size: int) -> bytes:
        text = self._read(size)
        if text.endswith(_DOS_END) and self._is_at_end():
            text = text.removesuffix(_DOS_END)
        return text.translate(self._turned) if self._turned else text

    def _is_at_end(self) -> bool:
        at = self._file.tell()
        more = self._file.read(1)
        self._file.seek(at)
        return not more

    def _read(self, size: int) -> bytes:
        if self._decoder is None:
            return self._file.read(size)
        while block := self._file.read(size):
            if text := self._decoder.decode(block):
                return text.encode("utf-8", "surrogatepass")
        pending, _ = self._decoder.getstate()
        self._decoder.reset()
        return b"\xff" if pending else b""  # the file ends in the middle of a letter

    def end(self, size: int) -> bytes:
        """The last lines of the file, about so many bytes of them."""
        most = self._file.seek(0, 2)
        self._file.seek(max(0, most - size) // 4 * 4)
        data = self._file.read()
        text = data if self._decoder is None else data.decode(self._encoding, "replace").encode()
        text = text.partition(b"\n")[2]
        return text.translate(self._turned) if self._turned else text


def length(text: bytes, encoding: str) -> int:
    """How many bytes of the file the beginning of its `Text` takes."""
    if encoding == "utf-8":
        return len(text)
    return len(text.decode("utf-8", "surrogatepass").encode(encoding, _errors(encoding)))


def encoding_of(file: BinaryIO, name: str, given: str | None) -> Encoding:
    """Raises SourceUnreadable if what is given does not fit, or nothing does."""
    file.seek(0)
    head = file.read(4096)
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            if given is None or encoding.startswith(given):
                return Encoding(encoding, bom)
            _refuse(name, given, f"begins with the mark of {encoding.upper()}", encoding)
    even, odd = head[0::2].count(0), head[1::2].count(0)
    wide = next((
        encoding for encoding, many, few in (("utf-16-le", odd, even), ("utf-16-be", even, odd))
        if many > 0.6 * len(head) / 2 and not few
    ), None)  # fmt: skip
    if given is None or not given.startswith("utf-16"):
        if wide is not None and given is not None:
            _refuse(name, given, f"looks like {wide.upper()}", wide)
        return Encoding(wide) if wide else _bytewise(file, name, given)
    if given == "utf-16":
        given = wide or "utf-16-le"
    if head and not (even or odd):  # in UTF-16, every second byte of Latin letters is zero
        found = _bytewise(file, name, None)
        _refuse(name, given, f"looks like {_NAMES.get(found.name, found.name.upper())}", found.name)
    return Encoding(given)


def _errors(encoding: str) -> str:
    return "surrogatepass" if encoding.startswith("utf") else "surrogateescape"


def _refuse(name: str, given: str, looks: str, better: str) -> None:
    raise SourceUnreadable(
        f"`{name}` is not written in {given.upper()}: it {looks}.",
        hint=f"Write `encoding: {better}`, or leave it out.",
    )


def _bytewise(file: BinaryIO, name: str, given: str | None) -> Encoding:
    """The encoding by the letters outside ASCII; looks until they are clear, so at most once through the file."""
    seen = _strange(file)
    if seen.valid * 5 >= seen.invalid and (seen.valid or not seen.invalid):
        if given not in (None, "utf-8") and seen.valid and not seen.invalid:
            _refuse(name, str(given), "looks like UTF-8", "utf-8")
        return Encoding(given or "utf-8")  # some rows may be broken: they are rejected
    fits = {encoding: _fit(seen.around, encoding) for encoding in _GUESSED}
    best = max(_GUESSED, key=lambda encoding: fits[encoding])
    known = fits[best] > 0.4 and not seen.crowded
    if given is not None:
        if known and given != best and fits[best] - fits.get(given, -1.0) > 0.6 and given in ("utf-8", *_GUESSED):
            _refuse(name, given, f"looks like {_NAMES[best]}", best)
        return Encoding(given)
    if seen.crowded:
        raise SourceUnreadable(
            f"`{name}` is not written in UTF-8, and its letters make no words in {', '.join(_NAMES.values())} either.",
            hint=f"Write its encoding: {', '.join(BYTEWISE)}.",
        )
    if fits[best] < 0:  # hardly text at all: its rows are rejected one by one
        return Encoding("utf-8")
    if best == "windows-1252" and seen.around[_EURO].any() and not seen.around[0x80:0xA0].any():
        return Encoding("iso-8859-15", assumed=_assumed("ISO-8859-15, which has a € where Windows-1252 has a ¤"))
    if known and best == "windows-1252":
        return Encoding(best)
    dos = " (DOS)" if best != "windows-1252" else ""
    return Encoding(best, assumed=_assumed(f"{_NAMES[best]}{dos}"))


def _assumed(what: str) -> str:
    return f"its letters were taken for {what}; if they look wrong, write its `encoding`"


@dataclass
class _Strange:
    """The letters outside ASCII that are UTF-8, and the bytes that are not: how many, and how often each of them stands
    between which neighbours. `crowded`: most of them stand three and more in a row, as in no Western language.
    """

    valid: int
    invalid: int
    crowded: bool
    around: NDArray[np.int64]


_OTHER, _LOWER, _UPPER, _HIGH = range(4)
_CLASS = np.full(256, _OTHER)
_CLASS[ord("a") : ord("z") + 1], _CLASS[ord("A") : ord("Z") + 1], _CLASS[128:] = _LOWER, _UPPER, _HIGH


def _strange(file: BinaryIO) -> _Strange:
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    valid = invalid = crowd = 0
    around = np.zeros((256, 4, 4), np.int64)
    block = b" "
    while block and valid + invalid < _ENOUGH:
        block = file.read(BLOCK)
        if block.isascii() and block and not decoder.getstate()[0]:
            continue
        text = decoder.decode(block, final=not block)
        try:
            valid += int((np.frombuffer(text.encode(), np.uint8) >= 0xC0).sum())
            continue
        except UnicodeEncodeError:  # there are bytes that are no UTF-8
            points = np.frombuffer(f" {text} ".encode("utf-32-le", "surrogatepass"), np.uint32)
        at = np.flatnonzero((points >= 0xDC80) & (points <= 0xDCFF))
        invalid += len(at)
        valid += int((points > 0x7F).sum()) - len(at)
        at, classes = at[:_ENOUGH], _CLASS[np.minimum(points, 255)]
        np.add.at(around, (points[at] - 0xDC00, classes[at - 1], classes[at + 1]), 1)
        crowd += int(((classes[at - 1] == _HIGH) & (classes[at + 1] == _HIGH)).sum())
    return _Strange(valid, invalid, crowd > 0.3 * invalid, around)


def _fit(around: NDArray[np.int64], encoding: str) -> float:
    """From 1, all bytes would be letters as people write them here, to -1, all would be something else."""
    score = 0.0
    for byte, before, after in np.argwhere(around).tolist():
        letter = bytes([byte]).decode(encoding, "replace")
        score += _worth(letter, before, after) * int(around[byte, before, after])
    return score / int(around.sum())


def _worth(letter: str, before: int, after: int) -> float:
    if letter in _SIGNS:
        where = _SIGNS[letter]
        return 0.8 if where == (before != _OTHER, after != _OTHER) else 0.3
    if not letter.isalpha():
        return -1.0
    if before == after == _OTHER or (letter.isupper() and before == _LOWER):
        return -0.5
    return _LETTERS.get(letter, -0.2)
