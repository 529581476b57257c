"""An Atlas whose bot works in a Slack that is played: everything but Slack is real."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from atlas.chats import configured
from atlas.embedded import Embedded
from bot.main import Bot
from core.settings import Settings, load
from engine.store import access, links
from engine.store.links import Identity
from tests.homes import prepare
from tests.mocks import slack as mock
from tests.mocks.slack import CHANNEL, KIM, Message, Slack
from tests.program import wait_for

CUSTOMERS = "id,name,country,f3\n1,Anna Jensen,DK,010190-1234\n2,Bo Hansen,SE,020280-4321\n3,Carl Holm,DK,x\n"
MODEL = "-- Customers by country\nselect country, count(*) as n from customers group by country order by country\n"


class Office:
    """A home with one pipeline, `customers`; Kim is linked, an administrator."""

    def __init__(self, folder: Path, slack: Slack, **more: str | None) -> None:
        self.slack, self.folder = slack, folder
        pipelines = folder / "pipelines"
        (pipelines / "navigate").mkdir(parents=True, exist_ok=True)
        (pipelines / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
        text = "name: customers\nowner: crm-team\nsource: {connector: csv, path: customers.csv}\n"
        (pipelines / "customers.yml").write_text(text, encoding="utf-8")
        (pipelines / "navigate" / "revenue_by_country.sql").write_text(MODEL, encoding="utf-8")
        given = {
                "ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(pipelines),
                "ATLAS_SLACK_BOT_TOKEN": mock.TOKEN, "ATLAS_SLACK_SIGNING_SECRET": mock.SECRET,
                "ATLAS_SLACK_API_URL": slack.url, "ATLAS_LIMIT_PER_TOKEN": "1000000/minute", **more,
            }  # fmt: skip
        self.settings: Settings = load({name: value for name, value in given.items() if value is not None})
        prepare(folder / "home")
        self.atlas = Embedded(self.settings)
        self.bot: Bot
        self.link(KIM, "kim", "admin")
        self._loop = asyncio.new_event_loop()
        self._ended: asyncio.Event
        self._started = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._live(),), daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(30)
        if self._failed:
            raise self._failed

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._loop.close()
        assert self.atlas.close(20)

    async def _live(self) -> None:
        self._ended = asyncio.Event()
        try:
            async with self.atlas.bot() as http, Bot(http, configured(self.settings), "127.0.0.1:0") as self.bot:
                self._started.set()
                await self._ended.wait()
        except BaseException as error:
            self._failed = error
            raise
        finally:
            self._started.set()

    def run(self, making: Callable[[], Any]) -> Any:
        """Runs a coroutine on the bot's loop."""
        return asyncio.run_coroutine_threadsafe(making(), self._loop).result(30)

    @property
    def url(self) -> str:
        assert self.bot.web is not None
        return f"http://127.0.0.1:{self.bot.web.port}/slack/events"

    def link(self, person: str, user: str, role: str) -> None:
        with self.atlas.home.database.write() as db:
            known = access.users_named(db, user)
            links.link(
                db, Identity("slack", mock.TEAM, person), known[0] if known else access.add_user(db, user, role), "root"
            )

    def send(self, body: str, **more: Any) -> httpx.Response:
        return mock.send(self.url, body, **more)

    def envelope(self, kind: str, payload: Any) -> None:
        """Something that comes through Socket Mode; returns when it is acknowledged."""
        acks = len(self.slack.acks)
        self.push(kind, payload)
        assert wait_for(lambda: len(self.slack.acks) > acks)

    def push(self, kind: str, payload: Any) -> None:
        assert self.slack.loop is not None
        asyncio.run_coroutine_threadsafe(self.slack.envelope(kind, payload), self.slack.loop).result(10)

    def says(self, text: str, *, user: str = KIM, channel: str | None = None, seconds: float = 60) -> Message:
        """A command, in a direct message unless a channel is given; the message that ends the answer."""
        channel = channel or self.slack.direct(user)
        before = len(self.slack.messages)
        sent = self.send(self.slack.command(text, user=user, channel=channel))
        assert sent.status_code == 200, (sent.status_code, sent.text)
        return self.answer(before, seconds)

    def answer(self, before: int, seconds: float = 60) -> Message:
        """The first message after so many, when the bot has nothing more to do."""
        assert wait_for(lambda: self.idle() and len(self.slack.messages) > before, seconds), self.slack.calls
        return self.slack.messages[before]

    def idle(self) -> bool:
        assert self.bot.inbox is not None
        return not self.bot.inbox.busy


@contextmanager
def open_office(folder: Path, **more: str) -> Iterator[Office]:
    with mock.running() as slack:
        office = Office(folder, slack, **more)
        office.start()
        try:
            yield office
        finally:
            office.stop()


__all__ = ["CHANNEL", "KIM", "Office", "open_office", "time"]
