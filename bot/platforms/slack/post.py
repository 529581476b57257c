"""Posts and edits messages; the same key is never posted twice."""

import asyncio
import contextlib
import hashlib
import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from bot.platforms.slack import blocks
from bot.platforms.slack.calls import Calls
from bot.posting import CannotPost
from bot.reply import Attachment, Reply

EVERY = 1.0  # seconds between two edits of one message
BACK = 100  # messages that are looked through for one that was posted already
GONE = ("message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found")
NOT_THERE = ("not_in_channel", "channel_not_found", "is_archived", "restricted_action")
HOOKS = "hooks.slack.com"

Where = dict[str, Any]


class Poster:
    """What the bot says to Slack."""

    def __init__(self, calls: Calls, api_url: str) -> None:
        self.calls = calls
        self._edited: dict[str, float] = {}  # when a message was last written
        self._hooks = {HOOKS, urlsplit(api_url).netloc} if urlsplit(api_url).scheme == "http" else {HOOKS}
        self._http = httpx.AsyncClient(timeout=10, follow_redirects=False)

    async def close(self) -> None:
        await self._http.aclose()
        if self.calls.client.session is not None:
            await self.calls.client.session.close()

    async def post(
        self, target: str, reply: Reply, *, ref: str | None, key: str, thread: str | None = None, look: bool = False
    ) -> str:
        """Posts to a channel or person, or edits `ref`. With `look` it may have been posted by somebody who is gone.

        Raises CannotPost.
        """
        said = blocks.message(reply)
        if ref is None and look and (ref := await self._posted(target, thread, key)):
            self._ref(**json.loads(ref))  # when whoever is gone has written it is not known
        if ref is not None:
            with contextlib.suppress(_Gone):
                return await self._edit(ref, said.body)
        metadata = {"event_type": "atlas_answer", "event_payload": {"key": _short(key)}}
        where: Where = {"channel": target, "thread_ts": thread}

        async def unsure() -> Where | None:
            found = await self._posted(target, thread, key)
            return json.loads(found) if found else None

        answer = await self.calls("chat.postMessage", unsure=unsure, metadata=metadata, **where, **said.body)
        return self._ref(answer["channel"], answer["ts"])

    async def whisper(self, channel: str, user: str, reply: Reply, thread: str | None) -> None:
        """To one person in a channel, seen by nobody else. Raises CannotPost."""
        body = blocks.message(reply).body
        await self.calls("chat.postEphemeral", channel=channel, user=user, thread_ts=thread, **body)

    async def answer_to(self, url: str, reply: Reply, *, replace: bool) -> None:
        """By the address that came with a command, which works where the bot is no member. Raises CannotPost."""
        parts = urlsplit(url)
        if parts.netloc not in self._hooks or (parts.netloc == HOOKS and parts.scheme != "https"):
            raise CannotPost("the address to answer to is not Slack's", retry=False)
        body = {**blocks.message(reply).body, "response_type": "ephemeral", "replace_original": replace}
        try:
            answer = await self._http.post(url, json=body)
        except httpx.HTTPError as error:
            raise CannotPost(type(error).__name__, retry=True) from None
        if not answer.is_success:
            raise CannotPost(f"Slack answered {answer.status_code}", retry=answer.status_code in (429, 500, 502, 503))

    async def direct(self, user: str) -> str:
        """The channel of a person's direct messages."""
        answer = await self.calls("conversations.open", users=user)
        return str(answer["channel"]["id"])

    async def file(self, channel: str, file: Attachment, thread: str | None, *, look: bool) -> None:
        """A picture, a PDF or another file. With `look` it may be there already. Raises CannotPost."""
        if look and any(
            there.get("name") == file.name and there.get("title") == file.title
            for message in await self._newest(channel, thread)
            for there in message.get("files") or ()
        ):
            return
        await self.calls.upload(
            channel=channel, content=file.content, filename=file.name, title=file.title, thread_ts=thread
        )

    async def _edit(self, ref: str, body: dict[str, Any]) -> str:
        where = json.loads(ref)
        wait = self._edited.get(where["ts"], 0.0) + EVERY - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        body = {name: value for name, value in body.items() if not name.startswith("unfurl")}
        try:
            await self.calls("chat.update", channel=where["channel"], ts=where["ts"], **body)
        except CannotPost as problem:
            if problem.reason in GONE:
                raise _Gone from None
            raise
        finally:  # it may have arrived, also if nobody waits for the answer any more
            ref = self._ref(where["channel"], where["ts"])
        return ref

    def _ref(self, channel: str, ts: str) -> str:
        now = time.monotonic()
        self._edited = {one: at for one, at in self._edited.items() if at > now - EVERY} | {ts: now}
        return json.dumps({"channel": channel, "ts": ts})

    async def _posted(self, target: str, thread: str | None, key: str) -> str | None:
        """The message that was posted under a key, if it is among the newest."""
        if target.startswith(("U", "W")):
            target = await self.direct(target)
        for message in await self._newest(target, thread):
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if payload.get("key") == _short(key):
                return json.dumps({"channel": target, "ts": message["ts"]})
        return None

    async def _newest(self, channel: str, thread: str | None) -> list[Where]:
        more: Where = {"channel": channel, "limit": BACK, "include_all_metadata": True}
        try:
            if thread:
                found = await self.calls("conversations.replies", ts=thread, **more)
            else:
                found = await self.calls("conversations.history", **more)
        except CannotPost as problem:
            if problem.reason in (*NOT_THERE, *GONE):
                return []  # nothing was posted where the bot is not
            raise
        messages: list[Where] = found["messages"]
        return messages


class _Gone(Exception):
    """The message that was to be edited is no longer there."""


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
