"""The door to the API: what it makes of problems, silence and nonsense."""

import asyncio

import httpx
import pytest

from bot.client import Atlas, AtlasProblem
from tests.bot.api import Api, played, problem, run


def through(answer: httpx.Response | Exception) -> Atlas:
    def edge(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Atlas(httpx.AsyncClient(transport=httpx.MockTransport(edge), base_url="http://atlas.example"))


def problem_of(answer: httpx.Response | Exception) -> AtlasProblem:
    with pytest.raises(AtlasProblem) as caught:
        asyncio.run(through(answer).me())
    return caught.value


def test_a_problem_keeps_its_code_message_hint_and_nearest_names() -> None:
    found = problem_of(problem(404, "not_found", "There is no pipeline `x`.", "Did you mean y?", nearest=["y"]))
    assert (found.code, found.message, found.hint) == ("not_found", "There is no pipeline `x`.", "Did you mean y?")
    assert (found.status, found.nearest) == (404, ("y",))


def test_an_api_that_is_away_is_told_so() -> None:
    found = problem_of(httpx.ConnectError("refused"))
    assert found.code == "unreachable"
    assert "atlas.example" in found.message
    assert "atlas serve" in str(found.hint)


def test_silence_has_a_deadline() -> None:
    assert problem_of(httpx.ReadTimeout("slow")).code == "timeout"


def test_a_proxy_with_a_page_of_its_own_is_not_quoted() -> None:
    found = problem_of(httpx.Response(502, html="<h1>secret gateway</h1>"))
    assert found.code == "http_error"
    assert "gateway" not in found.message.lower().replace("bad gateway", "")


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe", b"[]", b""])
def test_what_is_no_answer_of_atlas_is_told_so(body: bytes) -> None:
    assert problem_of(httpx.Response(200, content=body)).code == "unexpected"


@pytest.mark.parametrize("name", ["..", ".", "../me", "a/b", "a\\b", "x" * 300])
def test_a_name_cannot_leave_its_place_in_the_path(name: str) -> None:
    api = Api()

    async def ask() -> None:
        async with api.client() as http:
            with pytest.raises(AtlasProblem, match="There is no"):
                await Atlas(http).quality(name)

    asyncio.run(ask())
    assert api.calls == []


def test_a_run_is_watched_to_its_end() -> None:
    async def states() -> list[str]:
        async with Api(played()).client() as http:
            atlas = Atlas(http)
            return [seen["state"] async for seen in atlas.watch(await atlas.start("customers"))]

    assert asyncio.run(states()) == ["queued", "running", "running", "succeeded"]


def test_watching_has_a_deadline() -> None:
    async def watch() -> None:
        async with Api(played()[:2]).client() as http:
            atlas = Atlas(http)
            async for _ in atlas.watch(await atlas.start("customers"), deadline=0.2):
                pass

    with pytest.raises(AtlasProblem, match="still runs") as caught:
        asyncio.run(watch())
    assert caught.value.hint == "status 12"


def test_an_api_that_restarts_does_not_end_the_watching() -> None:
    answers = [problem(503, "unavailable", "Starting.", None), httpx.ConnectError("x"), httpx.Response(200, json=run())]

    def edge(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch() -> list[str]:
        atlas = Atlas(httpx.AsyncClient(transport=httpx.MockTransport(edge), base_url="http://atlas"))
        return [seen["state"] async for seen in atlas.watch(run(state="running", revision="r1"))]

    assert asyncio.run(watch()) == ["running", "succeeded"]
