"""Each thing that somebody says has an id, which every call for it tells the API."""

import asyncio
import logging
from typing import Any

import httpx
import pytest
from structlog.contextvars import get_contextvars

from bot.main import Bot
from tests.bot.api import Api, played


def test_all_calls_for_one_sentence_have_its_id_and_the_next_has_another(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str | None] = []
    api = Api(played())

    async def edge(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("X-Request-ID"))
        return await api.answer(request)

    async def talk() -> tuple[int, dict[str, Any]]:
        http = httpx.AsyncClient(transport=httpx.MockTransport(edge), base_url="http://atlas")
        async with http, Bot(http) as bot:
            await bot.ask("run customers")
            first = len(sent)
            await bot.ask("runs")
            return first, get_contextvars()

    with caplog.at_level(logging.INFO, "atlas.bot"):
        first, left = asyncio.run(talk())
    assert first > 1
    assert len(sent) > first
    assert [len(set(sent[:first])), len(set(sent[first:])), len(set(sent))] == [1, 1, 2]
    assert all(said and len(said) == 32 for said in sent)
    assert [record.skill for record in caplog.records if record.getMessage() == "asked"] == ["run", "runs"]
    assert left == {}
    assert "customers" not in caplog.text
