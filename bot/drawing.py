"""A Reply as plain text and as JSON, and its files on disk."""

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.reply import Attachment, Cell, Reply, Step, Table
from bot.words import clean, number, one_line

NOTHING = "–"  # in a cell without a value
NARROW = 24  # places that a sentence needs in a column
_HASH = re.compile("h_[a-z2-7]{26}")
_MARKED = re.compile(r"`([^`\n]+)`")


def text(reply: Reply) -> str:
    """The whole answer as plain text, without the files and what can be said next."""
    return "\n".join(part for part in [top(reply), *(line(step) for step in reply.steps), rest(reply)] if part)


def top(reply: Reply) -> str:
    return unmarked(clean(reply.title))


def line(step: Step) -> str:
    """`  Explore    10,214 rows from 3 files`"""
    return unmarked(f"  {step.name:<10} {one_line(step.text)}".rstrip())


def rest(reply: Reply) -> str:
    """What stands below the steps."""
    return "\n".join(part for part in [unmarked(clean(reply.text)), table(reply.table) if reply.table else ""] if part)


def unmarked(marked: str) -> str:
    """Without the backticks around names and commands."""
    return _MARKED.sub(r"\1", marked)


def cell(value: Cell) -> str:
    """A value as it stands in a table."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and _HASH.fullmatch(value):
        return f"{value[:10]}…"  # nobody types one; the file of a table and the facts have it whole
    return one_line(str(value))


def table(of: Table, most: int | None = None) -> str:
    """Columns apart by two spaces, numbers to the right; in at most so many places, as far as sentences can give way.

    Names and numbers are never cut, because they are copied. Where a sentence has too little room beside them, it
    stands below its row.
    """
    rows = [[one_line(name) for name in of.columns], *([cell(value) for value in row] for row in of.rows)]
    widths = [max(width(row[i]) for row in rows) for i in range(len(of.columns))]
    right = of.right_aligned()
    below: list[int] = []  # columns that stand below their rows
    if most is not None:
        prose = [i for i, w in enumerate(widths) if w > NARROW and any(" " in row[i] for row in rows[1:])]
        while prose and (over := _whole(widths, below) - most) > 0:
            widest = max(prose, key=lambda i: widths[i])
            prose.remove(widest)
            if prose or widths[widest] - over >= NARROW:
                widths[widest] = max(widths[widest] - over, NARROW)
            else:
                below.append(widest)
    shown = [i for i in range(len(widths)) if i not in below]
    lines = []
    for nth, row in enumerate(rows):
        cells = [_wrapped(row[i], widths[i]) for i in shown]
        for line in range(max(map(len, cells), default=0)):
            parts = (part[line] if line < len(part) else "" for part in cells)
            lines.append("  ".join(_padded(p, widths[i], right[i]) for p, i in zip(parts, shown, strict=True)).rstrip())
        for i in below if nth else ():
            if row[i] != NOTHING:
                lines += [f"    {line}" for line in _wrapped(row[i], (most or 80) - 4)]
    return "\n".join(lines)


def _whole(widths: Sequence[int], below: Sequence[int]) -> int:
    shown = [w for i, w in enumerate(widths) if i not in below]
    return sum(shown) + 2 * (len(shown) - 1)


def _wrapped(text: str, most: int) -> list[str]:
    """The text in lines of at most so many places, parted between words; a long word stays whole."""
    if width(text) <= most:
        return [text]
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width(longer) > most:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _padded(shown: str, to: int, right: bool) -> str:
    gap = " " * (to - width(shown))
    return gap + shown if right else shown + gap


def width(shown: str) -> int:
    """How many places a text takes on a terminal."""
    if shown.isascii():
        return len(shown)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown)


def following(reply: Reply) -> str:
    """What can be said next: a button's text beside a mistake, a list after an answer."""
    commands = [one_line(action.command) for action in reply.actions]
    if len(commands) == 1 and not reply.ok:
        return f"[{commands[0]}]"
    return f"Next: {' · '.join(commands)}" if commands else ""


def full(reply: Reply, paths: Sequence[Path | str] = ()) -> str:
    """The whole answer as it is printed into a pipe."""
    return _with_next([text(reply)], reply, paths)


def remainder(reply: Reply, paths: Sequence[Path | str] = ()) -> str:
    """What is left to print when the title and the steps have been."""
    return _with_next([rest(reply)], reply, paths)


def _with_next(parts: list[str], reply: Reply, paths: Sequence[Path | str]) -> str:
    files = [f"{clean(a.title)}: {place(path)}" for a, path in zip(reply.attachments, paths, strict=False)]
    told = following(reply)
    if told.startswith("[") and parts[0] and not files:
        return f"{parts[0]}  {told}"
    return "\n".join(part for part in [*parts, *files, told] if part)


def place(path: Path | str) -> str:
    """Where a file lies, as one would type it from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if isinstance(path, Path) and path.is_relative_to(here) else path)


def as_json(reply: Reply, paths: Sequence[Path | str]) -> dict[str, Any]:
    """The answer of `atlas say --json`."""
    return {
        "ok": reply.ok,
        "text": text(reply),
        "facts": reply.facts,
        "attachments": [
            {"kind": a.kind, "title": a.title, "path": str(path)}
            for a, path in zip(reply.attachments, paths, strict=True)
        ],
        "actions": [{"label": action.label, "command": action.command} for action in reply.actions],
    }


def save(attachment: Attachment, folder: Path) -> Path:
    """Writes a file under a name of its own in the folder, readable by its owner alone. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = unicodedata.normalize("NFC", attachment.name)
    # a letter has up to four bytes, a name of a file 255
    safe = Path(re.sub(r"[^\w.-]+", "-", plain)[-60:].strip(".-") or "file")
    number = 1
    while True:
        path = folder / (safe.name if number == 1 else f"{safe.stem}-{number}{safe.suffix}")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(attachment.content)
        return path.absolute()
