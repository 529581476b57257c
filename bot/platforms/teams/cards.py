"""A Reply as an Adaptive Card. Its limits hold by construction, and nothing that comes from data can act.

All text stands in RichTextBlocks, where no Markdown is read, so that it can be no link, list or mention; `{{` is split
between two runs, so that no date function is read either.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot import drawing
from bot.reply import Action, Attachment, Reply, Table
from bot.spreadsheet import as_csv
from bot.words import clean, one_line

VERSION = "1.5"
MESSAGE = 25_000  # bytes of a message, as it is sent; Teams takes about 28,000
# bytes of the parts of a message; the rest is left for a picture
ENVELOPE = 2_500  # sender and receiver
TITLE, STEPS, TEXT, TABLE, FILES, BUTTONS = 1_200, 2_000, 4_500, 10_000, 2_000, 2_500
LABEL, CELL = 75, 60  # characters on a button and in a cell
MOST = 6  # buttons a card
NOTICE = 200  # characters in a notification
_CODE = re.compile(r"`([^`\n]+)`")
_BRACES = re.compile(r"(?<=\{)(?=\{)")
_MARKUP = re.compile(r"[<>\[\]()*_`~|\\{}#&]+")

Element = dict[str, Any]


@dataclass(frozen=True)
class File:
    """A file of an answer; its link, or why there is none."""

    file: Attachment
    url: str | None
    why: str = ""


def message(reply: Reply, files: Sequence[File] = ()) -> dict[str, Any]:
    """A whole answer: the card, and what stands in the notification; `files` are those of `outside`."""
    body, _ = _body(reply)
    links: list[Element] = []
    room = FILES
    for file in files:
        shown = [_fitting(f"{one_line(file.file.title)}: {one_line(file.why)}", 400)]
        link = {"type": "Action.OpenUrl", "title": _label(file.file.title), "url": file.url}
        if file.url is not None:
            shown = [_picture(file.file, file.url)] if file.file.kind == "image" else []
        room -= _size([*shown, link])
        if room < 0:
            break
        body += shown
        links += [link] if file.url else []
    if links:
        body.append({"type": "ActionSet", "actions": links})
    card: Element = {"type": "AdaptiveCard", "version": VERSION, "body": body}
    if buttons := list(_buttons(reply.actions)):
        card["actions"] = buttons
    top = one_line(drawing.top(reply) or drawing.unmarked(reply.text.split("\n")[0]))
    return {"summary": " ".join(_MARKUP.sub(" ", top)[:NOTICE].split()) or "Atlas", "card": card}


def outside(reply: Reply) -> list[Attachment]:
    """The files that have no room in the card: a link leads to them."""
    return _body(reply)[1]


def _body(reply: Reply) -> tuple[list[Element], list[Attachment]]:
    """All but what people can press, and the files that have no room in it."""
    body: list[Element] = []
    files: list[Attachment] = []
    if reply.title:
        body.append(_fitting(one_line(drawing.top(reply)), TITLE, weight="Bolder", size="Medium"))
    steps = [f"{step.name}  {one_line(step.text)}".rstrip() for step in reply.steps]
    body += _lines(steps, STEPS)[0]
    if reply.text:
        shown, left = _lines(clean(reply.text).split("\n"), TEXT)
        body += shown
        if left:
            body.append(_line(f"… and {left:,} more lines"))
            files.append(Attachment("file", "The whole answer", reply.text.encode("utf-8", "replace"), "answer.txt"))
    if reply.table and reply.table.columns:
        shown, whole = _table(reply.table)
        body += shown
        if not whole:
            files.append(Attachment("file", "The whole table", as_csv(reply.table), "table.csv"))
    for file in reply.attachments:
        inside = base64.b64encode(file.content).decode() if file.kind == "image" else ""
        picture = _picture(file, f"data:image/png;base64,{inside}")
        if inside and _size([*body, picture]) <= MESSAGE - ENVELOPE - FILES - BUTTONS:
            body.append(picture)
        else:
            files.append(file)
    if not body:
        body.append(_line("Done." if reply.ok else "Atlas has no answer to that."))
    return body, files


def _lines(lines: Sequence[str], room: int) -> tuple[list[Element], int]:
    """As many lines as fit, and how many did not."""
    shown: list[Element] = []
    room -= 100  # for the line that says so
    for number, line in enumerate(lines):
        element = _fitting(line, TEXT // 3)
        room -= _size(element)
        if room < 0:
            return shown, len(lines) - number
        if line.strip():
            shown.append(element)
    return shown, 0


def _line(text: str, **style: str) -> Element:
    """One line, with the names in backticks as code."""
    inlines: list[Element] = []
    for number, piece in enumerate(_CODE.split(text)):
        marked = {**style, "fontType": "Monospace"} if number % 2 else style
        inlines += [{"type": "TextRun", "text": run, **marked} for run in _inert(piece)]
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": inlines or [{"type": "TextRun", "text": " "}]}


def _inert(text: str) -> list[str]:
    """The text in pieces none of which is a function."""
    return [piece for piece in _BRACES.split(text) if piece]


def _fitting(text: str, room: int, **style: str) -> Element:
    """As much of a line as fits."""
    element = _line(text, **style)
    while _size(element) > room:
        text = f"{text[: min(len(text) * 3 // 4, room)]}…"
        element = _line(text, **style)
    return element


def _table(of: Table) -> tuple[list[Element], bool]:
    """As much of a table as fits, and whether that is all of it."""
    room = TABLE - 200
    right = of.right_aligned()
    names = [_cell(one_line(name), bold=True) for name in of.columns]
    columns = [{"width": 1, "horizontalCellContentAlignment": "Right" if to_right else "Left"} for to_right in right]
    rows: list[Element] = [{"type": "TableRow", "cells": names}]
    room -= _size(rows) + _size(columns)
    whole = all(len(drawing.cell(value)) <= CELL for row in of.rows for value in row)
    for row in of.rows:
        drawn = {"type": "TableRow", "cells": [_cell(drawing.cell(value)) for value in row]}
        room -= _size(drawn)
        if room < 0:
            break
        rows.append(drawn)
    shown = len(rows) - 1
    if room < 0 and not shown:
        return [_line(f"… {len(of.rows):,} rows of {len(of.columns):,} columns")], False
    elements: list[Element] = [{"type": "Table", "columns": columns, "rows": rows}]
    if shown < len(of.rows):
        elements.append(_line(f"… and {len(of.rows) - shown:,} more"))
    return elements, whole and shown == len(of.rows)


def _cell(text: str, *, bold: bool = False) -> Element:
    style = {"weight": "Bolder"} if bold else {}
    runs = [{"type": "TextRun", "text": run, **style} for run in _inert(_cut(text, CELL)) or [" "]]
    return {"type": "TableCell", "items": [{"type": "RichTextBlock", "inlines": runs}]}


def _buttons(actions: Sequence[Action]) -> Iterator[Element]:
    """A command each; what is too long to stand behind a button has none."""
    room, left = BUTTONS, MOST
    for action in actions:
        button = {"type": "Action.Submit", "title": _label(action.label), "data": {"say": action.command}}
        if action.command and _size(button) <= room and left:
            room, left = room - _size(button), left - 1
            yield button


def _picture(file: Attachment, url: str) -> Element:
    return {"type": "Image", "altText": _label(file.title), "url": url}


def _label(text: str) -> str:
    return _fit(_cut(one_line(text), LABEL), 500).strip() or "…"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _fit(text: str, most: int) -> str:
    """Not longer than that when it is sent."""
    while (over := _size(text) - most) > 0:
        text = f"{text[: len(text) - max(2, over // 12)]}…"
    return text


def _size(value: Any) -> int:
    """Bytes, as the value is sent."""
    return len(json.dumps(value)) + 2
