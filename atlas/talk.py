"""Talking in a terminal: one sentence from the command line, or a conversation."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from atlas import start
from core.errors import Misconfigured
from core.settings import Settings
from engine.home import keep_caches

if TYPE_CHECKING:
    from bot.main import Bot
    from bot.reply import Reply

INTERRUPTED = 130  # as shells count: 128 + SIGINT


def say(settings: Settings, text: str, as_user: str | None, as_json: bool) -> int:
    """One answer on standard output. 0 = done, 1 = refused or failed, 2 = not understood."""
    return asyncio.run(_say(settings, text, as_user, as_json))


def chat(settings: Settings, as_user: str | None, opening: list[str] | None = None, *, hear: bool = True) -> int:
    """A conversation until its end; what stands in `opening` is said first, and if nobody is heard that is all."""
    return asyncio.run(_chat(settings, as_user, opening or [], hear))


async def _say(settings: Settings, text: str, as_user: str | None, as_json: bool) -> int:
    async def ask(bot: "Bot") -> int:
        from bot import drawing
        from bot.screen import Screen

        screen = Screen(sys.stdout, settings.reports, live=False if as_json else None)
        told: set[str] = set()

        def shows(update: "Reply") -> None:
            if not as_json:
                screen.show(update, final=False)
            if settings.api_url and not screen.live and update.text and update.text not in told:
                told.add(update.text)  # nobody sees the updates: that no worker runs must not stay unsaid
                _aside(update.text)

        reply = await bot.ask(text, shows)
        if as_json:
            print(json.dumps(drawing.as_json(reply, screen.save(reply)), ensure_ascii=False))
        else:
            screen.show(reply, final=True)
        return INTERRUPTED if bot.interrupted else reply.exit_code

    return await _talk(settings, as_user, {}, ask)


async def _chat(settings: Settings, as_user: str | None, opening: list[str], hear: bool) -> int:
    from bot.screen import Screen
    from bot.skill import skills

    screen = Screen(sys.stdout, settings.reports)
    words = tuple(f"{' '.join(pattern.words)} " for skill in skills() for pattern in skill.patterns)
    terminal = {"screen": screen, "opening": opening, "words": words, **({} if hear else {"input": None})}

    async def converse(bot: "Bot") -> int:
        if screen.live:
            screen.write("Atlas. Say help to see what you can say. Ctrl-D ends.\n\n")
        await bot.closed()
        return 1 if opening and bot.platform("terminal").refused else 0

    return await _talk(settings, as_user, {"terminal": terminal}, converse)


def server(settings: Settings) -> httpx.AsyncClient:
    """HTTP to the API of ATLAS_API_URL. Raises Misconfigured."""
    if settings.api_url is None:
        raise Misconfigured("ATLAS_API_URL is not set.", hint="Say where `atlas serve` listens: http://127.0.0.1:8080")
    if settings.token is None:
        raise Misconfigured("ATLAS_API_URL is set and ATLAS_TOKEN is not.", hint="On the server: atlas token USER")
    token = settings.token.get_secret_value().strip()
    if not token:
        raise Misconfigured("ATLAS_TOKEN is empty.", hint="On the server: atlas token USER")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise Misconfigured("ATLAS_TOKEN is not a token: it holds white space or letters that none has.",
                            hint="On the server: atlas token USER")  # fmt: skip
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=settings.api_url, headers=headers, timeout=60)


async def _talk(
    settings: Settings, as_user: str | None, platforms: dict[str, Any], talk: "Callable[[Bot], Awaitable[int]]"
) -> int:
    """The exit code of a talk with the bot, on the API of a server or on one in this process; Ctrl-C is the bot's."""
    keep_caches(settings)
    if settings.api_url:
        if as_user:
            raise Misconfigured("`--as` works on this machine's own home; the server knows you by ATLAS_TOKEN.")
        async with server(settings) as http, _with_signals(http, platforms) as bot:
            return await talk(bot)
    from atlas.embedded import Embedded

    atlas = Embedded(settings, say=_aside)
    code = INTERRUPTED
    try:
        async with atlas.client(as_user) as http, _with_signals(http, platforms) as bot:
            if platforms:
                if why_not := atlas.why_not():
                    _aside(why_not)
                else:
                    atlas.look_after_schedules()
                # a conversation also looks after runs that others left; one sentence only after what it starts
                asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(asyncio.to_thread(atlas.wake)))
            code = await talk(bot)
    finally:
        if not await asyncio.to_thread(atlas.close):
            # a worker thread that never ends would keep the process alive; another worker takes its part over
            sys.stdout.flush()
            os._exit(code)
    return code


def _aside(text: str) -> None:
    """Says something about this process beside the answers, which may be read by a program."""
    print(text, file=sys.stderr, flush=True)


@asynccontextmanager
async def _with_signals(http: httpx.AsyncClient, platforms: dict[str, Any]) -> "AsyncIterator[Bot]":
    from bot.main import Bot

    loop = asyncio.get_running_loop()
    async with Bot(http, platforms) as bot:
        start.loaded()

        def interrupt() -> None:
            if not bot.interrupt():
                os._exit(INTERRUPTED)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        try:
            yield bot
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
