"""The one way to Slack's Web API: tries again when Slack is busy, and says why it cannot be done."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.posting import CannotPost

log = logging.getLogger("atlas.slack")

TRIES = 5
LONGEST = 60.0  # seconds that Slack may ask to wait; what it asks beyond that is done later, by whoever kept it
PATIENCE = 10  # seconds for an answer
# until somebody changes a setting, or Slack has recovered: what was to be posted is kept meanwhile
LATER = frozenset(
    "ratelimited rate_limited internal_error fatal_error service_unavailable request_timeout token_expired "
    "token_revoked invalid_auth not_authed account_inactive missing_scope".split()
)

BROKE = ("internal_error", "fatal_error")  # errors after which, says Slack, part of the call may have been done
READS = ("auth.test", "conversations.history", "conversations.replies")  # these take no JSON

Answer = dict[str, Any]


class Calls:
    """Calls methods by name: `await calls("chat.postMessage", channel=…)`. Raises CannotPost."""

    def __init__(self, token: str, url: str) -> None:
        silent = logging.getLogger("atlas.slack.libraries")  # theirs hold whole messages
        silent.setLevel(logging.CRITICAL)
        self.client = AsyncWebClient(token=token, base_url=url, timeout=PATIENCE, retry_handlers=[], logger=silent)
        self.used: set[str] = set()  # methods, which the app must have been given scopes for

    async def __call__(self, method: str, *, unsure: Callable[[], Any] | None = None, **given: Any) -> Answer:
        """`unsure` is asked before a second try of what may have been done: its answer, if any, is the call's."""
        self.used.add(method)
        for tried in range(1, TRIES + 1):
            try:
                answer = await self.client.api_call(method, **_how(method, given))
            except SlackApiError as error:
                wait, reason = _wait(error, tried), _reason(error)
                maybe_done = error.response.status_code >= 500 or reason in BROKE
                if wait is None:
                    raise CannotPost(reason, retry=reason in LATER) from None
            except (aiohttp.ClientError, TimeoutError, SlackClientError, OSError) as error:
                wait, maybe_done, reason = _pause(tried), True, type(error).__name__
            else:
                return dict(answer.data)  # type: ignore[arg-type]
            if tried == TRIES or wait > LONGEST:
                break
            log.info("%s is tried again in %.1f s: %s", method, wait, reason)
            await asyncio.sleep(wait)
            if maybe_done and unsure and (found := await unsure()) is not None:
                return dict(found)
        raise CannotPost(reason, retry=True) from None

    async def upload(self, **given: Any) -> None:
        """A file. Raises CannotPost."""
        self.used |= {"files.getUploadURLExternal", "files.completeUploadExternal"}
        for tried in range(1, TRIES + 1):
            try:
                await self.client.files_upload_v2(**_filled(given))
            except SlackApiError as error:
                wait, reason = _wait(error, tried), _reason(error)
                if wait is None:
                    raise CannotPost(reason, retry=reason in LATER) from None
            except (aiohttp.ClientError, TimeoutError, SlackClientError, OSError) as error:
                wait, reason = _pause(tried), type(error).__name__
            else:
                return
            if tried == TRIES or wait > LONGEST:
                break
            await asyncio.sleep(wait)
        raise CannotPost(reason, retry=True) from None


def _how(method: str, given: Answer) -> Answer:
    return {"http_verb": "GET", "params": _filled(given)} if method in READS else {"json": _filled(given)}


def _filled(given: Answer) -> Answer:
    return {name: value for name, value in given.items() if value is not None}


def _reason(error: SlackApiError) -> str:
    """Slack's word for it; nothing else of its answer."""
    data = error.response.data
    word = data.get("error") if isinstance(data, dict) else None
    return str(word)[:100] if word else f"Slack answered {error.response.status_code}"


def _wait(error: SlackApiError, tried: int) -> float | None:
    """Seconds until it may work; None if another try would fare the same."""
    status = error.response.status_code
    if status == 429 or _reason(error) in ("ratelimited", "rate_limited"):
        after = str(error.response.headers.get("Retry-After", error.response.headers.get("retry-after", "1")))
        return (float(after) if after.isdecimal() else 1.0) + random.uniform(0, 0.2)  # noqa: S311 - spreads load
    if status >= 500 or _reason(error) in ("internal_error", "fatal_error", "service_unavailable"):
        return _pause(tried)
    return None


def _pause(tried: int) -> float:
    wait: float = min(0.25 * 2**tried, 8.0)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
