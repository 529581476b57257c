"""A Reply as Block Kit. Its limits hold by construction, and nothing that comes from data can act.

Text is mrkdwn with `&`, `<` and `>` escaped, so that no mention, link or command of Slack's can be written, and
`verbatim`, so that nothing is made one; tables stand in code blocks, where nothing is formatted at all.
"""

import re
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from bot import drawing
from bot.reply import Action, Attachment, Reply, Step, Table
from bot.spreadsheet import as_csv
from bot.words import clean, one_line

BLOCKS, SECTION, MESSAGE = 50, 3_000, 13_000  # blocks a message, characters a section and a message
BUTTONS, LABEL, VALUE = 25, 75, 2_000  # buttons a row, characters on one and behind one
TITLE, NOTICE = 300, 300  # characters of a title, and of what stands in a notification
CELL, FOLDS = 48, 4  # characters of a cell's line, and its lines
TEXT, TABLE = 6_000, 5_400  # the most characters of a message's text, and of its table
_CODE = re.compile(r"`([^`\n]+)`")
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

Block = dict[str, Any]


@dataclass(frozen=True)
class Drawn:
    """What is sent as a message, and the files that hold what did not fit."""

    body: dict[str, Any]
    files: list[Attachment]


def message(reply: Reply) -> Drawn:
    """A whole answer."""
    blocks: list[Block] = []
    files: list[Attachment] = []
    if reply.title:
        blocks.append(_section(f"*{_fit(one_line(drawing.top(reply)), TITLE)}*"))
    if reply.steps:
        blocks += _sections([_step(step) for step in reply.steps], SECTION)[0]
    if reply.text:
        shown, left = _sections(clean(reply.text).split("\n"), TEXT)
        blocks += shown
        if left:
            blocks.append(_section(f"… and {left:,} more lines"))
            files.append(Attachment("file", "The whole answer", reply.text.encode("utf-8", "replace"), "answer.txt"))
    if reply.table and reply.table.columns:
        shown, whole = _table(reply.table)
        blocks += shown
        if not whole:
            files.append(Attachment("file", "The whole table", as_csv(reply.table), "table.csv"))
    if buttons := _buttons(reply.actions):
        blocks.append({"type": "actions", "elements": buttons})
    notice = _fit(one_line(drawing.top(reply) or drawing.unmarked(reply.text.split("\n")[0])), NOTICE)
    if not blocks:
        blocks.append(_section("Done." if reply.ok else "Atlas has no answer to that."))
    body = {"text": notice or "Atlas", "blocks": blocks, "unfurl_links": False, "unfurl_media": False,
            "parse": "none", "link_names": False}  # fmt: skip
    return Drawn(body, files)


def _section(mrkdwn: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}}


def _sections(lines: list[str], most: int) -> tuple[list[Block], int]:
    """Lines as sections, and how many of them did not fit."""
    blocks: list[Block] = []
    said, used = "", 0
    for number, line in enumerate(lines):
        marked = _marked(_cut(line, SECTION // 6))
        if used + len(marked) + 1 > most:
            return [*blocks, *([_section(said)] if said.strip() else [])], len(lines) - number
        used += len(marked) + 1
        if len(said) + len(marked) + 1 > SECTION:
            blocks.append(_section(said))
            said = marked
        else:
            said = f"{said}\n{marked}" if said else marked
    return [*blocks, *([_section(said)] if said.strip() else [])], 0


def _step(step: Step) -> str:
    return f"  {step.name}  {one_line(step.text)}".rstrip()


def _marked(line: str) -> str:
    """Escaped, with the names in backticks as code; a backtick that is alone is none."""
    pieces = []
    for number, piece in enumerate(_CODE.split(line)):
        safe = _escaped(piece.replace("`", "'"))
        pieces.append(f"`{safe}`" if number % 2 else safe)
    return "".join(pieces)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _fit(text: str, most: int) -> str:
    """Escaped, without code, and not longer than that."""
    text = text.replace("`", "'")
    escaped = _escaped(text)
    while len(escaped) > most:
        text = text[: len(text) - max(1, (len(escaped) - most) // 5 + 1)]
        escaped = f"{_escaped(text)}…"
    return escaped


def _table(of: Table) -> tuple[list[Block], bool]:
    """As much of a table as fits, and whether that is all of it."""
    rows = [[drawing.cell(value) for value in row] for row in of.rows]
    whole = all(len(cell) <= CELL * FOLDS for row in rows for cell in row)
    columns = [_cut(one_line(name), CELL) for name in of.columns]
    shown = len(rows)
    while True:
        folded = [line for row in rows[:shown] for line in _folded(row)]
        safe = [_escaped(line.replace("`", "'")) for line in drawing.table(Table(columns, folded)).split("\n")]
        if sum(len(line) + 1 for line in safe) <= TABLE and all(len(line) < SECTION - 10 for line in safe):
            break
        if shown == 0:
            return [_section(f"… {len(rows):,} rows of {len(columns):,} columns")], False
        shown = shown * 3 // 4
    blocks, said = [], ""
    for line in safe:
        if len(said) + len(line) + 8 > SECTION:
            blocks.append(_section(f"```{said}```"))
            said = line
        else:
            said = f"{said}\n{line}" if said else line
    blocks.append(_section(f"```{said or ' '}```"))
    if shown < len(rows):
        blocks.append(_section(f"… and {len(rows) - shown:,} more"))
    return blocks, shown == len(rows) and whole


def _folded(row: list[str]) -> list[list[str]]:
    """A row as lines: what is long goes on below, in its column."""
    cells = [wrap(cell, CELL) or [cell] for cell in row]
    lines = min(max(map(len, cells)), FOLDS)
    return [[cell[line] if line < len(cell) else "" for cell in cells] for line in range(lines)]


def _buttons(actions: list[Action]) -> list[Block]:
    """A command each; what is too long to stand behind a button has none."""
    fitting = [action for action in actions if 0 < len(action.command) <= VALUE][:BUTTONS]
    return [
        {
            "type": "button",
            "action_id": f"say-{number}",
            "text": {"type": "plain_text", "text": _fit(one_line(action.label), LABEL) or "…", "emoji": False},
            "value": action.command,
        }
        for number, action in enumerate(fitting)
    ]
