"""What a bot may call for somebody is what its client calls for them: neither more nor less."""

import asyncio
import inspect
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Match

from api import on_behalf
from api.main import create_app
from bot.client import Atlas, AtlasProblem
from core.settings import Settings
from engine.home import open_home
from tests.api import rights

# what the bot calls for itself, with its own right, and never for somebody
ITS_OWN = {"store", "take", "hold", "done", "remember", "recall", "notices", "notice_sent", "notice_failed"}
GIVEN: dict[str, Any] = {
    "number": 7, "kind": "text/csv", "content": b"", "how": "ack", "direction": "downstream",
    "run": {"run": 7, "state": "queued", "revision": ""},
}  # fmt: skip


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(open_home(settings), lambda: None)


def test_the_list_is_what_the_client_calls_for_a_person(app: FastAPI) -> None:
    assert asyncio.run(_called(app)) == on_behalf.ROUTES


async def _called(app: FastAPI) -> set[str]:
    """METHOD PATH of all that the methods of the client call for a person."""
    called: set[str] = set()

    async def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Atlas-On-Behalf-Of"] == "slack:T1:U1"
        scope = {"type": "http", "method": request.method, "path": request.url.path, "headers": []}
        matching = [one for one in iter_route_contexts(app.routes) if one.matches(scope)[0] is Match.FULL]
        called.add(f"{request.method} {matching[0].path_format}")
        return httpx.Response(409)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://atlas") as http:
        for name, method in inspect.getmembers(Atlas, inspect.isfunction):
            if name.startswith("_") or name in ITS_OWN:
                continue
            atlas = Atlas(http, "slack:T1:U1")
            wanted = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty][1:]
            hows = ("ack", "snooze", "assign", "resolve") if name == "handle" else ("",)
            for how in hows:
                given = {one.name: how or GIVEN.get(one.name, "customers") for one in wanted}
                given |= {"number": 7} if "number" in given else {}
                with suppress(AtlasProblem):
                    result = method(atlas, **given)
                    if inspect.isasyncgen(result):
                        _ = [one async for one in result]
                    else:
                        await result
    return called


def test_the_list_is_the_column_of_the_table_of_rights(app: FastAPI) -> None:
    assert rights.in_chat() == on_behalf.ROUTES
    assert rights.routes(app).keys() >= on_behalf.ROUTES
