"""One answer in Slack: a message that is edited in place, what follows it, and who may see it."""

import json
from collections.abc import Collection
from dataclasses import replace

from bot import audience
from bot.inbox import Heard
from bot.platforms.slack import blocks
from bot.platforms.slack.post import NOT_THERE, Poster
from bot.posting import CannotPost
from bot.reply import Attachment, Reply


class Answering:
    """Shows the replies to one thing that was said, where it was said."""

    def __init__(self, poster: Poster, heard: Heard, channels_with_rows: Collection[str]) -> None:
        self.poster, self.heard, self._rows = poster, heard, channels_with_rows
        place = heard.place
        self.channel, self.user = place["channel"], place["user"]
        self.thread, self.private, self.url = place.get("thread"), place["private"], place.get("answer_to")
        self.ref: str | None = None
        self._absent = False  # the bot is no member here
        self._whispered = False

    async def show(self, reply: Reply, *, final: bool) -> None:
        """Raises CannotPost if the answer could be shown nowhere."""
        if not self.private and not audience.may_see(reply, self._name, self._rows):
            if final:
                await self._alone(reply)
            return
        if not self._absent:
            try:
                self.ref = await self.poster.post(
                    self.channel, reply, ref=self.ref, key=self.heard.key, thread=self.thread,
                    look=self.heard.again and self.ref is None,
                )  # fmt: skip
            except CannotPost as problem:
                if problem.reason not in NOT_THERE:
                    raise
                self._absent = True
        if self._absent:
            await self._from_outside(reply, final)
        elif final:
            await self._files(reply, self.channel, self.thread or self._thread())

    @property
    def _name(self) -> str:
        platform, tenant, _ = self.heard.person.split(":", 2)
        return f"{platform}:{tenant}:{self.channel}"

    def _thread(self) -> str | None:
        """What follows a message in a channel stands in its thread; in a conversation of two, below it."""
        return json.loads(self.ref)["ts"] if self.ref and not self.private else None

    async def _from_outside(self, reply: Reply, final: bool) -> None:
        """Where the bot is no member: to the person alone. Slack lets a command be answered five times."""
        if not self.url:
            if final:
                await self._directly(reply)
            return
        if final or not self._whispered:
            await self.poster.answer_to(self.url, reply, replace=self._whispered)
            self._whispered = True
        if final:
            await self._directly(reply, files_alone=True)

    async def _alone(self, reply: Reply) -> None:
        """The channel may not see it: to the person alone, and the channel is told so."""
        try:
            await self.poster.whisper(self.channel, self.user, reply, self.thread)
        except CannotPost as problem:
            if problem.reason not in (*NOT_THERE, "user_not_in_channel"):
                raise
            await self._from_outside(reply, final=True)
            return
        await self._directly(reply, files_alone=True)
        told = Reply(audience.ALONE, holds="counts")
        self.ref = await self.poster.post(
            self.channel, told, ref=self.ref, key=self.heard.key, thread=self.thread, look=self.heard.again
        )

    async def _directly(self, reply: Reply, *, files_alone: bool = False) -> None:
        files = _all_files(reply)
        if files_alone and not files:
            return
        channel = await self.poster.direct(self.user)
        if not files_alone:
            await self.poster.post(channel, reply, ref=None, key=self.heard.key, look=self.heard.again)
        await self._files(reply, channel, None)

    async def _files(self, reply: Reply, channel: str, thread: str | None) -> None:
        for file in _all_files(reply):
            await self.poster.file(channel, file, thread, look=self.heard.again)


def _all_files(reply: Reply) -> list[Attachment]:
    """The files of an answer, and what did not fit into its message."""
    return [*reply.attachments, *blocks.message(replace(reply, going=False)).files]
