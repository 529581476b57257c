"""What Teams did not send, or not for this bot, is refused: it reaches no skill and stands in no log."""

import asyncio
import logging
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bot.platforms.teams.door import Door
from bot.platforms.teams.service import Service
from engine.store.tables import Said
from tests.mocks.teams import OTHER_KEY, TENANT, Teams, jwk
from tests.teams import forged
from tests.teams.office import TeamsOffice

REFUSED = {**forged.UNPROVED, **forged.NOT_SERVED}


@pytest.fixture(scope="module", autouse=True)
def keys_that_are_not_for_teams(office: TeamsOffice) -> None:
    office.teams.keys += [jwk(OTHER_KEY, "not-endorsed", ("webchat",)), jwk(OTHER_KEY, "without-endorsements", ())]


@pytest.mark.parametrize("what", [*REFUSED, *forged.MALFORMED])
def test_it_is_refused_and_reaches_no_skill_and_no_log(
    what: str, office: TeamsOffice, caplog: pytest.LogCaptureFixture
) -> None:
    headers, body = {**REFUSED, **forged.MALFORMED}[what](office.teams)
    before = _said(office), len(office.teams.messages)
    with caplog.at_level(logging.DEBUG):
        answer = httpx.post(office.url, content=body, headers=headers, timeout=10)
    assert answer.status_code in ((400,) if what in forged.MALFORMED else (401, 403))
    assert answer.json() == {"error": "refused"}
    assert (_said(office), len(office.teams.messages)) == before
    token = headers.get("Authorization", "").partition(" ")[2]
    told = "\n".join(f"{record.getMessage()} {record.exc_info} {record.__dict__}" for record in caplog.records)
    assert forged.SAID not in told
    assert len(token) < 8 or token not in told


def test_there_are_more_than_twenty_of_them() -> None:
    assert len(forged.UNPROVED) >= 20


def test_what_is_right_gets_in(office: TeamsOffice) -> None:
    assert office.says("whoami").text


def test_without_the_proof_they_would_get_in() -> None:
    """The check switched off: everything that it alone keeps out comes through, so the tests above would fail."""
    asyncio.run(_without_the_proof())


async def _without_the_proof() -> None:
    got_in: list[Any] = []

    async def hear(body: dict[str, Any]) -> Response:
        got_in.append(body)
        return Response()

    door = Door(_LetsEverybodyIn(), ("127.0.0.1", "smba.trafficmanager.net"), (TENANT,), hear)
    app = Starlette(routes=[Route("/", door.receive, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot") as client:
        for made in forged.UNPROVED.values():
            headers, body = made(Teams())
            assert (await client.post("/", content=body, headers=headers)).status_code == 200
        assert len(got_in) == len(forged.UNPROVED)


class _LetsEverybodyIn(Service):
    def __init__(self) -> None: ...

    async def prove(self, authorization: str, service: str) -> None: ...


def _said(office: TeamsOffice) -> int:
    with office.office.atlas.home.database.read() as db:
        return int(db.scalar(select(func.count()).select_from(Said)) or 0)
