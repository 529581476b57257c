"""Posts and edits messages, and knows where people and channels are to be found, also after a restart."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from bot.client import Atlas, AtlasProblem
from bot.platforms.teams import cards
from bot.platforms.teams.calls import Calls
from bot.platforms.teams.service import Service
from bot.posting import CannotPost
from bot.reply import Attachment, Reply

EVERY = 1.0  # seconds between two edits of one message
KNOWN = 2 * 86_400.0  # seconds that a posted message is known by its key
GONE = ("Teams answered 404", "ActivityNotFoundInConversation", "MessageNotFound", "NotFound")
KINDS = {"image": "image/png", "pdf": "application/pdf"}
BY_NAME = {".csv": "text/csv", ".txt": "text/plain"}
ANYWHERE = "teams anywhere"  # a key that holds for all channels of a tenant

Place = dict[str, Any]


class Poster:
    """What the bot says to Teams; `atlas` is the API as the bot itself sees it."""

    def __init__(self, service: Service, calls: Calls, atlas: Atlas) -> None:
        self._service, self._calls, self._atlas = service, calls, atlas
        self._edited: dict[str, float] = {}  # when a message was last written
        self._known: dict[str, Place] = {}

    async def say(
        self, place: Place, reply: Reply, *, ref: str | None, key: str, look: bool = False, last: bool = False,
        atlas: Atlas | None = None,
    ) -> str:  # fmt: skip
        """Posts, or edits `ref`. With `look` it may have been posted by somebody who is gone; what is the `last` of an
        answer nobody looks for. The files of it are given to the person of `atlas`, if there is one.

        Raises CannotPost.
        """
        files = await self._files(reply, atlas) if atlas else []
        said = cards.message(reply, files)
        if ref is None and look:
            ref = await self._posted(key, place)
        if ref is not None:
            try:
                await self._edit(json.loads(ref), said)
            except CannotPost as problem:
                if problem.reason not in GONE:
                    raise
            else:
                return ref
        number = await self._calls(lambda: self._service.send(place, said))
        self._wrote(number)
        ref = json.dumps({**{name: place[name] for name in ("service", "conversation", "bot")}, "id": number})
        if not last:
            await self._remember(_key(key, place), {"ref": ref}, KNOWN)
        return ref

    async def alone(self, place: Place) -> Place:
        """The conversation with the person who spoke somewhere. Raises CannotPost."""
        number = await self._calls(lambda: self._service.open(place))
        return {**place, "conversation": number, "channel": number, "private": True}

    async def find(self, target: str) -> Place:
        """Where a channel or a person is. Raises CannotPost if nothing of it was ever heard."""
        try:
            place = await self._recall(_about(target))
            if not place and target.startswith("19:") and (anywhere := await self._recall(ANYWHERE)):
                place = {**anywhere, "conversation": target}
        except AtlasProblem as problem:
            raise CannotPost(f"Atlas does not say where: {problem.code}", retry=True) from None
        if not place:
            raise CannotPost("nobody spoke to Atlas there, or added it", retry=True)
        return place if "conversation" in place else await self.alone(place)

    async def keep(self, heard: Place) -> None:
        """Keeps in mind where somebody spoke: alerts are posted there, also after a restart. Raises AtlasProblem."""
        same = {name: heard[name] for name in ("service", "tenant", "bot")}
        places = {ANYWHERE: same}
        if not heard["private"]:
            places[_about(heard["channel"])] = {**same, "conversation": heard["channel"]}
        if "person" in heard:
            alone = {"conversation": heard["conversation"]} if heard["private"] else {}
            places[_about(heard["person"])] = {**same, "user": heard["user"], **alone}
        for about, place in places.items():
            known = await self._recall(about)
            if not place.items() <= known.items():
                await self._atlas.remember(about, {**known, **place})
                self._known[about] = {**known, **place}

    async def _recall(self, about: str) -> Place:
        if about not in self._known and (found := await self._atlas.recall(about)):
            self._known[about] = found
        return self._known.get(about, {})

    async def _posted(self, key: str, place: Place) -> str | None:
        """The message that was posted under a key."""
        try:
            found = await self._atlas.recall(_key(key, place))
        except AtlasProblem as problem:
            raise CannotPost(f"Atlas does not say what was posted: {problem.code}", retry=True) from None
        return str(found["ref"]) if found else None

    async def _remember(self, about: str, value: Mapping[str, Any], seconds: float) -> None:
        try:
            await self._atlas.remember(about, dict(value), seconds=seconds)
        except AtlasProblem:  # it is posted; only after a crash it might be posted again
            return

    async def _edit(self, where: Place, said: dict[str, Any]) -> None:
        wait = self._edited.get(where["id"], 0.0) + EVERY - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        try:
            await self._calls(lambda: self._service.edit(where, where["id"], said))
        finally:  # it may have arrived, also if nobody waits for the answer any more
            self._wrote(where["id"])

    def _wrote(self, number: str) -> None:
        now = time.monotonic()
        self._edited = {one: at for one, at in self._edited.items() if at > now - EVERY} | {number: now}

    async def _files(self, reply: Reply, atlas: Atlas) -> list[cards.File]:
        return [await _shared(file, atlas) for file in cards.outside(reply)]


async def _shared(file: Attachment, atlas: Atlas) -> cards.File:
    name = file.name[-100:]
    kind = KINDS.get(file.kind) or BY_NAME.get(name[-4:], "application/octet-stream")
    try:
        return cards.File(file, await atlas.share(name, kind, file.content))
    except AtlasProblem as problem:
        return cards.File(file, None, problem.message)


def _about(target: str) -> str:
    return f"teams place {target}"


def _key(key: str, place: Place) -> str:
    return f"teams posted {key} in {place['conversation']}"
