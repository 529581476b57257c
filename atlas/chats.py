"""The bot on the chat platforms that are configured; half a configuration is refused."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from atlas import start
from core.errors import Misconfigured
from core.settings import Settings

Platforms = dict[str, dict[str, Any]]


def configured(settings: Settings) -> Platforms:
    """By name, each with its settings; none if none is set. Raises Misconfigured, naming what is missing."""
    return _slack(settings) | _teams(settings)


@asynccontextmanager
async def talking(http: httpx.AsyncClient, platforms: Platforms, listen: str) -> AsyncIterator[None]:
    """The bot, as long as this lasts; nothing if no platform is configured. Raises Misconfigured."""
    if not platforms:
        yield
        return
    from atlas.patience import Patience
    from bot.main import Bot
    from bot.posting import CannotPost

    try:
        bot = await Bot(http, platforms, listen, Patience).__aenter__()
    except CannotPost as problem:
        names = [f"ATLAS_{name.upper()}_…" for name in platforms]
        raise Misconfigured(
            f"The bot is not let into {' or '.join(platforms)}: {problem.reason}.",
            hint=f"Look at the settings {' and '.join(names)}",
        ) from None
    except OSError as error:
        raise Misconfigured(f"The bot {error} (ATLAS_BOT_LISTEN).") from None
    try:
        if bot.web:
            print(f"The bot listens on http://{listen} for {', '.join(platforms)}.", flush=True)
        else:
            print(f"The bot talks on {', '.join(platforms)}.", flush=True)
        start.loaded()
        yield
    finally:
        await bot.__aexit__()


def serve(settings: Settings) -> int:
    """The bot alone, on the API of a server, until a signal ends it."""
    from atlas.talk import server
    from engine.home import keep_caches

    platforms = configured(settings)
    if not platforms:
        raise Misconfigured("No chat platform is configured.", hint="See docs/how-to/slack.md and teams.md")
    keep_caches(settings)

    async def until_ended() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        async with server(settings) as http, talking(http, platforms, settings.bot_listen):
            await ended.wait()

    asyncio.run(until_ended())
    return 0


def _slack(settings: Settings) -> Platforms:
    token = _secret("SLACK_BOT_TOKEN", settings.slack_bot_token)
    secret = _secret("SLACK_SIGNING_SECRET", settings.slack_signing_secret)
    app_token = _secret("SLACK_APP_TOKEN", settings.slack_app_token)
    if token is None and secret is None and app_token is None:
        return {}
    if token is None:
        raise Misconfigured(
            "`ATLAS_SLACK_BOT_TOKEN` is not set.", hint="It begins with xoxb-. See docs/how-to/slack.md"
        )
    if secret is None and app_token is None:
        raise Misconfigured(
            "`ATLAS_SLACK_SIGNING_SECRET` is not set.", hint="Or ATLAS_SLACK_APP_TOKEN for Socket Mode, xapp-…"
        )
    _https("SLACK_API_URL", settings.slack_api_url)
    return {
        "slack": {
            "bot_token": token,
            "signing_secret": secret,
            "app_token": app_token,
            "api_url": settings.slack_api_url.rstrip("/") + "/",
            "teams": _listed(settings.slack_teams),
            "channels_with_rows": _listed(settings.channels_with_rows),
        }
    }


def _teams(settings: Settings) -> Platforms:
    password = _secret("TEAMS_APP_PASSWORD", settings.teams_app_password)
    given = {"TEAMS_APP_ID": settings.teams_app_id, "TEAMS_APP_PASSWORD": password,
             "TEAMS_TENANT_ID": settings.teams_tenant_id}  # fmt: skip
    if not any(value is not None for value in given.values()):
        return {}
    for name, value in given.items():
        if not (value and value.strip(" ,")):
            raise Misconfigured(f"`ATLAS_{name}` is not set.", hint="Teams needs all three: docs/how-to/teams.md")
    _https("TEAMS_LOGIN_URL", settings.teams_login_url)
    _https("TEAMS_OPENID_URL", settings.teams_openid_url)
    return {
        "teams": {
            "app_id": given["TEAMS_APP_ID"],
            "app_password": password,
            "tenants": (settings.teams_tenant_id or "").replace(",", " ").split(),
            "service_hosts": _listed(settings.teams_service_hosts.lower()),
            "login_url": settings.teams_login_url,
            "openid_url": settings.teams_openid_url,
            "channels_with_rows": _listed(settings.channels_with_rows),
        }
    }


def _https(name: str, value: str) -> None:
    url = urlsplit(value)
    if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Misconfigured(f"`ATLAS_{name}` is `{value}`.", hint="It must be https.")


def _secret(name: str, value: SecretStr | None) -> str | None:
    if value is None:
        return None
    if not (plain := value.get_secret_value().strip()):
        raise Misconfigured(f"`ATLAS_{name}` is empty.")
    return plain


def _listed(value: str | None) -> frozenset[str]:
    return frozenset(word for word in (value or "").replace(",", " ").split())
