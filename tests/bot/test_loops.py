"""Each loop of the bot is on its own: whatever the API answers to one, the others go on, and /readyz names it."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot import loops as timing
from bot.client import Atlas, AtlasProblem
from bot.inbox import Heard, Inbox
from bot.loops import Loops
from bot.web import Web
from tests.mocks.served import served

SAID = {"id": 1, "key": "slack:T1:a", "person": "slack:T1:U1", "text": "status", "place": {"channel": "C1"}, "tries": 2}
Answer = Callable[[], Response]


def broken() -> Response:
    raise ConnectionResetError


WRONG: dict[str, Answer] = {
    "an error": lambda: JSONResponse({"title": "x"}, 500),
    "no JSON": lambda: PlainTextResponse("<html>"),
    "a list": lambda: JSONResponse([]),
    "no items": lambda: JSONResponse({}),
    "items that are none": lambda: JSONResponse({"items": [1, "a", None]}),
    "items that are an object": lambda: JSONResponse({"items": {"a": 1}}),
    "deep JSON": lambda: Response("[" * 100_000, media_type="application/json"),
    "a connection that breaks": broken,
}
LOOPS = ("/inbox/take", "/inbox/hold", "/notices/lease")


class Api:
    """Answers as an API does, but where it is told to answer something else."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.wrong: dict[str, Answer] = {}
        self.right: dict[str, dict[str, Any]] = {}
        self.app = Starlette(routes=[Route("/api/v1{path:path}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.calls[path] += 1
        if path == "/notices/lease":
            await asyncio.sleep(0.02)
        if path in self.wrong:
            return self.wrong[path]()
        if path == "/me":
            return JSONResponse({"user": "kim", "timezone": "UTC", "more": 1})
        return JSONResponse(self.right.pop(path, {"items": []}))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SHORTEST", 0.02)
    monkeypatch.setattr(timing, "LONGEST", 0.02)


@asynccontextmanager
async def at_work(api: Api, port: int) -> AsyncIterator[tuple[Loops, Inbox, list[Heard]]]:
    """The loops of a bot on an API."""
    from bot import alerts

    answered: list[Heard] = []

    async def answer(heard: Heard) -> None:
        answered.append(heard)

    loops = Loops()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        inbox = Inbox(http, ["slack"], answer)
        inbox.held, inbox.look = 0.06, 0.02
        inbox._held[77] = 1  # something is being answered, so there is something to hold
        await inbox.start(loops)
        loops.start("alerts", lambda: alerts.post_due(Atlas(http), {"slack": None}))
        try:
            yield loops, inbox, answered
        finally:
            await loops.close()
            await inbox.close()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("path", LOOPS)
def test_one_loop_fails_and_the_others_go_on(path: str, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """`/inbox/hold` is read by nobody: only an answer that is an error is one."""
    api = Api()

    async def live(port: int) -> None:
        async with at_work(api, port) as (loops, _, _):
            web = Web("127.0.0.1:0", [], loops)
            await web.start()
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}") as probe:
                assert (await probe.get("/readyz")).status_code == 200
                api.wrong[path] = WRONG[what]
                fails = path != "/inbox/hold" or what in ("an error", "a connection that breaks")
                if fails:
                    await until(lambda: not loops.ready)
                told = await probe.get("/readyz")
                assert told.status_code == (503 if fails else 200)
                assert sum(state != "ok" for state in told.json()["loops"].values()) == fails
                assert (await probe.get("/healthz")).status_code == 200
                before = Counter(api.calls)
                await until(lambda: all(api.calls[one] >= before[one] + 5 for one in LOOPS))
                del api.wrong[path]
                await until(lambda: loops.ready)
                assert (await probe.get("/readyz")).json()["ready"] is True
            await web.stop()

    with caplog.at_level(logging.INFO), served(api.app) as port:
        asyncio.run(live(port))
    errors = [r.getMessage() for r in caplog.records if r.name == "atlas.bot" and r.levelno >= logging.ERROR]
    assert len(errors) <= 2, "an error is logged once, not each time"


def test_one_field_more_stops_nothing_and_one_less_stops_one_message() -> None:
    """One field more ended the loop in silence: what a crashed bot had left was never taken up again."""
    api = Api()
    less = [{key: value for key, value in SAID.items() if key != gone} for gone in SAID]
    odd: list[dict[str, Any]] = [{**SAID, "place": "C1"}, {**SAID, "id": None}, {**SAID, "tries": "x"}]

    async def live(port: int) -> None:
        async with at_work(api, port) as (loops, _, answered):
            api.right["/inbox/take"] = {"items": [*less, *odd, {**SAID, "lang": "da"}], "more": 1}
            await until(lambda: bool(answered))
            before = api.calls["/inbox/take"]
            await until(lambda: api.calls["/inbox/take"] >= before + 3)
            assert [heard.text for heard in answered] == ["status"]
            assert loops.ready

    with served(api.app) as port:
        asyncio.run(live(port))


def test_one_notice_that_cannot_be_read_leaves_the_others() -> None:
    posted: list[str] = []

    class Platform:
        async def post(self, target: str, reply: object, *, ref: str | None, key: str) -> str:
            posted.append(target)
            return "ref"

    alert = {"alert": 1, "revision": 1, "count": 1, "opened_at": "2026-03-02T05:00:00Z", "cause": "x",
             "title": "y", "state": "open", "attached": [], "next": [], "root": None, "assignee": None,
             "changed_by": None}  # fmt: skip
    good = {"notice": 2, "platform": "slack", "target": "C2", "ref": None, "key": "k", "seconds": 10, "token": "t",
            "alert": alert, "more": 1}  # fmt: skip
    api = Api()
    api.right["/notices/lease"] = {"items": [{"notice": 1}, {**good, "platform": "elsewhere"}, good]}

    async def live(port: int) -> None:
        from bot import alerts

        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            with pytest.raises(KeyError):
                await alerts.post_due(Atlas(http), {"slack": Platform()})

    with served(api.app) as port:
        asyncio.run(live(port))
    assert posted == ["C2"]
    assert api.calls["/notices/2/sent"] == 1


@pytest.mark.parametrize("items", [[], [{}], [{"id": 1}], [1], None, [{"id": 1, "wait": 0}, {"id": 2, "wait": 0}]])
def test_what_the_api_did_not_store_is_not_acknowledged(items: object) -> None:
    """A platform sends again what is answered with 503; 502 of the API leads to it."""
    api = Api()
    api.right["/inbox"] = {"items": items}

    async def store(port: int) -> int:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            with pytest.raises(AtlasProblem) as raised:
                await Atlas(http).store([{"key": "a"}], seconds=1)
            return raised.value.status

    with served(api.app) as port:
        assert asyncio.run(store(port)) == 502


def test_a_message_whose_answer_breaks_is_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    api = Api()

    async def breaks(_: Heard) -> None:
        raise ValueError(json.dumps(SAID))

    async def live(port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            inbox = Inbox(http, ["slack"], breaks)
            inbox._begin(Heard.read(SAID))
            await until(lambda: not inbox.busy)

    with served(api.app) as port:
        asyncio.run(live(port))
    [line] = [r.getMessage() for r in caplog.records if r.name == "atlas.bot"]
    assert line.startswith("a message could not be answered: ValueError")
    assert "U1" not in line
    assert "status" not in line.partition("\n")[0]
