"""Read JSON Lines: a line is an object, and its keys are the columns. What is nested stays JSON text.

Numbers stay as they are written, an empty text is null, and a key that a line lacks is null there. A line that is no
object is rejected with its number and the reason.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa

from connectors._files import FileSource
from connectors._json import Flat, Number, _no_number, _object, _Twice, written
from core.errors import SourceUnreadable
from core.models import Rejects, SourcePart

BATCH_ROWS = 1 << 14
BATCH_BYTES = 16 << 20
LONGEST_LINE = 16 << 20  # bytes
TYPED = True  # numbers are written as JSON has them
KEPT = 1 << 16  # bytes of a line that is rejected


class Source(FileSource):
    """`path` is relative to the pipeline file; a glob reads many files."""

    connector: Literal["jsonl"]


def parts(source: Source, base: Path) -> list[SourcePart]:
    """The files in the order of their names."""
    return source.files(base)


def read(source: Source, part: SourcePart) -> Iterator[pa.RecordBatch | Rejects]:
    """Batches of some ten thousand rows, every column text, and beside them the number of the line."""
    flat = Flat(part.name)
    wrong = Rejects([], [], [])
    good = 0
    with source.opened(part) as file:
        for number, line in lines(file, part.name):
            found, why = record(line)
            if found is not None:
                why = flat.add({key: written(v) if isinstance(v, dict) else v for key, v in found.items()}, number)
            if why is None:
                good += 1
            else:
                wrong.lines.append(number)
                wrong.reasons.append(why)
                wrong.raw.append(line[:KEPT].decode("utf-8", "replace").rstrip("\r\n"))
            if len(flat) + len(wrong.lines) >= BATCH_ROWS or flat.size >= BATCH_BYTES or len(wrong.lines) >= 1000:
                yield flat.batch()
                if wrong.lines:
                    yield wrong
                    wrong = Rejects([], [], [])
    if not good:
        raise SourceUnreadable(
            f"`{part.name}` has no line that is a JSON object.",
            hint='Each line must be one, like {"id": 1, "name": "x"}; a list in [ ] is no JSON Lines.',
        )
    yield flat.batch()
    if wrong.lines:
        yield wrong


def lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers. Of one that is too long its beginning comes, and no end."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line[:100]:
                raise SourceUnreadable(f"`{name}` is not written in UTF-8.", hint="JSON Lines always is.")
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) > LONGEST_LINE:
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = file.readline(1 << 20)
        if line.strip():
            yield number, line


def record(line: bytes) -> tuple[dict[str, Any] | None, str | None]:
    """The object of a line, or why there is none."""
    if len(line) > LONGEST_LINE:
        return None, f"is longer than {LONGEST_LINE >> 20} MB"
    try:
        value = json.loads(
            line.decode(), parse_int=Number, parse_float=Number, parse_constant=_no_number, object_pairs_hook=_object
        )
    except UnicodeDecodeError:
        return None, "has bytes that are not UTF-8"
    except _Twice:
        return None, "has the same key twice"
    except json.JSONDecodeError:
        return None, "is not JSON"
    except ValueError:
        return None, "has NaN or Infinity, which is not JSON"
    except RecursionError:
        return None, "is nested too deeply"
    return (value, None) if isinstance(value, dict) else (None, "is not an object")
