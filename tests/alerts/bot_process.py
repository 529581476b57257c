"""A bot in a process of its own that posts alerts to a Slack, for as long as it is let live."""

import asyncio
from multiprocessing.process import BaseProcess

import httpx

from bot.alerts import post_due
from bot.client import Atlas
from bot.loops import Loops
from bot.platforms.slack.calls import Calls
from bot.platforms.slack.post import Poster
from bot.reply import Reply
from tests.processes import PROCESSES

TOKEN = "xoxb-mock-token"


class Platform:
    """What the Slack connector does when an alert is posted."""

    def __init__(self, url: str) -> None:
        self.poster = Poster(Calls(TOKEN, url), url)

    async def post(self, target: str, reply: Reply, *, ref: str | None, key: str) -> str:
        return await self.poster.post(target, reply, ref=ref, key=key, look=True)


async def live(api: str, token: str, slack: str) -> None:
    async with httpx.AsyncClient(base_url=api, headers={"Authorization": f"Bearer {token}"}) as http:
        loops = Loops()
        loops.start("alerts", lambda: post_due(Atlas(http), {"slack": Platform(slack)}))
        await asyncio.Event().wait()


def _main(api: str, token: str, slack: str) -> None:
    asyncio.run(live(api, token, slack))


def start(api: str, token: str, slack: str) -> BaseProcess:
    process = PROCESSES.Process(target=_main, args=(api, token, slack), daemon=True)
    process.start()
    return process
