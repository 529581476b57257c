"""JSON whose numbers stay as they are written, the records in it, and each record as flat text."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from connectors._columns import LONGEST, fit
from core.errors import SourceUnreadable
from core.models import LINE, MOST_COLUMNS

PATH = r"^\$(?:\.[^.\[\]*$\"'\s]+)*(?:\[\*\])?$"


class Number(str):
    """A number as it stands in the text: 1.10 stays 1.10."""

    __slots__ = ()


def parse(body: bytes, name: str) -> Any:
    """The JSON of a page. Raises SourceUnreadable, which quotes nothing of it."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceUnreadable(
            f"The answer of `{name}` is not UTF-8: look at byte {error.start + 1}.", hint="Ask its owner for UTF-8."
        ) from None
    start = text.lstrip()[:1]
    if start == "<":
        raise SourceUnreadable(
            f"`{name}` answers with HTML or XML, not with JSON.",
            hint="Is it the address of the API, and not of a page?",
        )
    try:
        return json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_no_number, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        where = "ends in the middle" if error.pos >= len(text.rstrip()) else f"is broken at letter {error.pos + 1}"
        what = "is empty" if not start else f"is no JSON: it {where}"
        raise SourceUnreadable(f"The answer of `{name}` {what}.", hint="Ask its owner; try again later.") from None
    except _Twice:
        raise SourceUnreadable(
            f"`{name}` answers with an object that has the same key twice.",
            hint="Ask its owner: one value would be lost.",
        ) from None
    except ValueError:
        raise SourceUnreadable(f"The answer of `{name}` is no JSON: NaN or Infinity.", hint="Ask its owner.") from None
    except RecursionError:
        raise SourceUnreadable(f"The answer of `{name}` is nested too deeply.", hint="Ask its owner.") from None


def found(document: Any, path: str) -> tuple[bool, Any]:
    """Whether there is something at a path like `$.a.b`, and what."""
    for key in path.removesuffix("[*]").split(".")[1:]:
        if not isinstance(document, dict) or key not in document:
            return False, None
        document = document[key]
    return True, document


def written(value: Any) -> str:
    """A value as JSON text again, its numbers as they were, however deeply it is nested."""
    pieces: list[str] = []
    waiting: list[Any] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Piece):
            pieces.append(one.text)
        elif isinstance(one, dict):
            inner = [x for k, v in one.items() for x in (_Piece(f", {json.dumps(k, ensure_ascii=False)}: "), v)]
            first = [_Piece(inner[0].text[2:])] if inner else []
            waiting += reversed([_Piece("{"), *first, *inner[1:], _Piece("}")])
        elif isinstance(one, list):
            inner = [x for v in one for x in (_Piece(", "), v)]
            waiting += reversed([_Piece("["), *inner[1:], _Piece("]")])
        else:
            pieces.append(str(one) if isinstance(one, Number) else json.dumps(one, ensure_ascii=False))
    return "".join(pieces)


class _Piece:
    """Text that stands between values."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Flat:
    """Records as rows of text, and all columns seen so far, in the order of their first appearance."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._paths: dict[tuple[str, ...], str] = {}  # the column of each path
        self._columns: dict[str, tuple[str, ...]] = {}  # the path of each column, by its name in small letters
        self._open: set[str] = set()  # seen as null only: a column if it is never an object
        self._objects: set[str] = set()
        self._rows: list[dict[str, str | None]] = []
        self._lines: list[int] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, record: dict[str, Any], line: int) -> str | None:
        """Takes a record; what is wrong with it if it cannot be a row."""
        try:
            row = dict(self._cells(record, ()))
        except RecursionError:
            return "is nested too deeply"
        size = 0
        for value in row.values():
            if value is not None:
                if "\0" in value:
                    return "has a NUL byte"
                if not value.isascii() and _SURROGATE.search(value):
                    return "has half a letter (a lone surrogate)"
                size += len(value)
        self.size += size + 8 * len(row)
        self._rows.append(row)
        self._lines.append(line)
        return None

    def batch(self) -> pa.RecordBatch:
        """The rows that wait, with every column known by now."""
        names = [column for column in self._paths.values() if not (column in self._open and column in self._objects)]
        columns = [pa.array([row.get(column) for row in self._rows], pa.string()) for column in names]
        lines = pa.array(self._lines, pa.int64())
        self._rows, self._lines, self.size = [], [], 0
        return pa.RecordBatch.from_arrays([*columns, lines], names=[*names, LINE])

    def _cells(self, record: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
        for key, value in record.items():
            path = (*above, key)
            if isinstance(value, dict):
                self._objects.add("_".join(path))
                yield from self._cells(value, path)
                continue
            column = self._paths.get(path) or self._named(path)
            if value is None:
                yield column, None
                continue
            if column in self._open:
                self._open.discard(column)
            if isinstance(value, bool):
                yield column, "true" if value else "false"
            elif isinstance(value, list):
                yield column, written(value)
            else:
                yield column, str(value) or None

    def _named(self, path: tuple[str, ...]) -> str:
        column = fit(_SURROGATE.sub("?", "_".join(path))) or f"column_{len(self._paths) + 1}"
        other = self._columns.setdefault(column.casefold(), path)
        if other != path:
            raise SourceUnreadable(
                f"`{self._name}` has `{_shown(other)}` and `{_shown(path)}`, and both would be the column `{column}`.",
                hint="Ask its owner to rename one; nested keys are joined by _, and capital letters are as small ones.",
            )
        if len(column) > LONGEST:
            raise SourceUnreadable(f"`{self._name}` has a key longer than {LONGEST} letters.", hint="Is it a value?")
        if len(self._paths) == MOST_COLUMNS:
            raise SourceUnreadable(
                f"The records of `{self._name}` have more than {MOST_COLUMNS} different keys.",
                hint="Are they keyed by a value? `records` must lead to a list of objects.",
            )
        self._paths[path] = column
        self._open.add(column)
        return column


class _Twice(ValueError):
    """A key stands twice in one object."""


_SURROGATE = re.compile("[\ud800-\udfff]")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Twice
    return made


def _no_number(_: str) -> Any:
    raise ValueError


def _shown(path: tuple[str, ...]) -> str:
    return fit(_SURROGATE.sub("?", ".".join(path)))[:LONGEST]
