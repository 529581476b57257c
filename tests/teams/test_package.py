"""The app package that is uploaded to Teams."""

import json
import struct
from pathlib import Path

import pytest

from bot import grammar
from bot.grammar import Command
from bot.skill import skills

PACKAGE = Path(__file__).parent.parent.parent / "deploy" / "teams"


def test_the_manifest_offers_what_one_can_say() -> None:
    manifest = json.loads((PACKAGE / "manifest.json").read_text(encoding="utf-8"))
    (bot,) = manifest["bots"]
    assert bot["botId"] == manifest["id"] == "${APP_ID}"
    commands = bot["commandLists"][0]["commands"]
    assert all(isinstance(grammar.parse(command["title"], skills()), Command) for command in commands)
    assert all(len(command["title"]) <= 32 and len(command["description"]) <= 128 for command in commands)
    assert len(manifest["name"]["short"]) <= 30
    assert len(manifest["description"]["short"]) <= 80


@pytest.mark.parametrize(("name", "size"), [("color.png", 192), ("outline.png", 32)])
def test_the_icons_have_the_sizes_that_teams_wants(name: str, size: int) -> None:
    picture = (PACKAGE / name).read_bytes()
    assert (picture[:4], struct.unpack(">II", picture[16:24])) == (b"\x89PNG", (size, size))
