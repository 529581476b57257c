"""Somebody in a chat becomes known: `link` gives a code, the command line confirms it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.embedded import Embedded
from bot.client import Atlas, AtlasProblem
from bot.skills.link import link
from bot.skills.whoami import MAY, whoami
from core.settings import load
from engine.store import access, links
from engine.store.links import Identity
from tests.homes import prepare

ANNA = "slack:T024BE7LD:U2147483697"


@pytest.fixture
def atlas(tmp_path: Path) -> Iterator[Embedded]:
    (tmp_path / "pipelines").mkdir()
    prepare(tmp_path / "home")
    opened = Embedded(load({"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(tmp_path / "pipelines")}))
    with opened.home.database.write() as db:
        access.add_user(db, "anna", "steward")
    yield opened
    opened.close()


def said(atlas: Embedded, skill: Any, person: str | None = ANNA) -> Any:
    async def talk() -> Any:
        async with atlas.client() as http:
            return await skill(Atlas(http, person))

    return asyncio.run(talk())


def test_somebody_unknown_is_told_how_to_become_known(atlas: Embedded) -> None:
    reply = said(atlas, whoami)
    assert reply.text == "Nobody here knows you yet. Say link to change that."
    assert reply.facts == {"user": None}


def test_a_code_from_the_chat_makes_the_person_a_user(atlas: Embedded) -> None:
    reply = said(atlas, link)
    assert f"atlas link {reply.facts['code']}" in reply.text
    with atlas.home.database.write() as db:
        links.confirm(db, reply.facts["code"], access.user(db, "anna"))
    assert said(atlas, whoami).facts["user"] == "anna"
    assert said(atlas, link).text == "You are anna here already."


def test_who_speaks_for_themselves_needs_no_code(atlas: Embedded) -> None:
    assert said(atlas, link, person=None).text.endswith("here already.")


def test_in_a_chat_a_person_has_their_own_rights(atlas: Embedded) -> None:
    with atlas.home.database.write() as db:
        links.link(db, Identity(*ANNA.split(":")), access.user(db, "anna"), "root")

    async def talk() -> AtlasProblem:
        async with atlas.client() as http:  # the home's owner, who may all of it
            with pytest.raises(AtlasProblem) as refused:
                await Atlas(http, ANNA).gdpr_report()
            return refused.value

    assert asyncio.run(talk()).code == "forbidden"


def test_every_right_has_words_for_whoami() -> None:
    assert set(MAY) == access.ALL_RIGHTS
