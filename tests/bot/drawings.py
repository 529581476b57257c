"""Every way a Reply is drawn, each with what must not be in it: the mistakes, in words without the content."""

import io
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot import drawing
from bot.platforms.slack import blocks
from bot.platforms.teams import cards
from bot.reply import Reply
from bot.screen import Screen
from tests.mocks import blocks as slack
from tests.mocks import cards as teams

PUBLIC = "https://atlas.example.dk/api/v1/files/"
Drawing = Callable[[Reply], list[str]]
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SEEN_AS_NOTHING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _unclean(text: str) -> list[str]:
    found = ["a control character"] if _SEEN_AS_NOTHING.search(text) else []
    return found + (["a character that is not seen"] if slack.INVISIBLE.search(text) else [])


def plain(reply: Reply) -> list[str]:
    return _unclean(drawing.full(reply))


def as_json(reply: Reply) -> list[str]:
    shown: Any = drawing.as_json(reply, ["x"] * len(reply.attachments))
    json.dumps(shown)
    return _unclean(shown["text"])


def terminal(reply: Reply) -> list[str]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for live in (True, False):
            output = io.StringIO()
            screen = Screen(output, Path(folder), live=live)
            screen.show(reply, final=not reply.going)
            screen.close()
            found += _unclean(_ANSI.sub("", output.getvalue().replace("\r", "")))
    return found


def in_slack(reply: Reply) -> list[str]:
    drawn = blocks.message(reply)
    found = slack.mistakes(drawn.body)
    for file in drawn.files:
        assert file.content
    return found


def in_teams(reply: Reply) -> list[str]:
    files = [cards.File(file, f"{PUBLIC}{'x' * 43}") for file in cards.outside(reply)]
    said = cards.message(reply, files)
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": said["card"]}
    sent = {"summary": said["summary"], "attachments": [card]}
    return teams.mistakes(sent, len(json.dumps(sent)) + cards.ENVELOPE, (PUBLIC,))


DRAWINGS: dict[str, Drawing] = {"plain": plain, "json": as_json, "terminal": terminal, "slack": in_slack,
                                "teams": in_teams}  # fmt: skip
