"""One answer in Teams: a message that is edited in place, and who may see it."""

from collections.abc import Collection

from bot import audience
from bot.client import Atlas
from bot.inbox import Heard
from bot.platforms.teams.post import Poster
from bot.posting import CannotPost
from bot.reply import Reply

NOT_ALONE = (
    "Only you may see that answer: it may hold more than counts and scores. Atlas may not write to you: add it as an "
    "app of your own, and say it again."
)


class Answering:
    """Shows the replies to one thing that was said, where it was said."""

    def __init__(self, poster: Poster, heard: Heard, atlas: Atlas, channels_with_rows: Collection[str]) -> None:
        self.poster, self.heard, self._atlas, self._rows = poster, heard, atlas, channels_with_rows
        self.ref: str | None = None

    async def show(self, reply: Reply, *, final: bool) -> None:
        """Raises CannotPost if the answer could not be shown."""
        place = self.heard.place
        name = f"teams:{place['tenant']}:{place['channel']}"
        if not place["private"] and not audience.may_see(reply, name, self._rows):
            if not final:
                return
            reply = await self._alone(reply)
        self.ref = await self.poster.say(
            place, reply, ref=self.ref, key=self.heard.key, look=self.heard.again and self.ref is None,
            last=final, atlas=self._atlas if final else None,
        )  # fmt: skip

    async def _alone(self, reply: Reply) -> Reply:
        """To the person alone; what the channel is told."""
        try:
            there = await self.poster.alone(self.heard.place)
            await self.poster.say(there, reply, ref=None, key=self.heard.key, look=self.heard.again, atlas=self._atlas)
        except CannotPost as problem:
            if problem.retry:
                raise
            return Reply(NOT_ALONE, ok=False, holds="counts")
        return Reply(audience.ALONE, holds="counts")
