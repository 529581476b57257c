"""Teams as opsdroid sees it: hears over HTTP, and has answers posted."""

import json
import logging
from typing import Any

import httpx
from opsdroid import connector
from opsdroid.connector import register_event
from starlette.responses import Response
from starlette.routing import Route

from bot.client import Atlas, AtlasProblem
from bot.droid import Answer, Message
from bot.inbox import Heard
from bot.platforms.teams import heard
from bot.platforms.teams.answered import Answered
from bot.platforms.teams.answering import Answering
from bot.platforms.teams.calls import Calls
from bot.platforms.teams.door import Door
from bot.platforms.teams.keys import Keys
from bot.platforms.teams.post import Poster
from bot.platforms.teams.service import Service
from bot.platforms.teams.tokens import Tokens
from bot.posting import CannotPost
from bot.reply import Reply

log = logging.getLogger("atlas.teams")

PATIENCE = 10  # seconds for an answer of Teams


class Teams(connector.Connector):
    """config: `bot`, `app_id`, `app_password`, `tenants` (the app is registered in the first), `service_hosts`,
    `login_url`, `openid_url`, `channels_with_rows`.
    """

    def __init__(self, config: dict[str, Any], opsdroid: Any = None) -> None:
        super().__init__(config, opsdroid)
        self.name = "teams"
        self._http = httpx.AsyncClient(timeout=PATIENCE, follow_redirects=False)
        tenants = config["tenants"]
        self._tokens = Tokens(
            config["app_id"], config["app_password"], tenants[0], config["login_url"], self._http
        )  # fmt: skip
        service = Service(config["app_id"], Keys(config["openid_url"], self._http), self._tokens, self._http)
        self.poster = Poster(service, Calls(self._tokens), Atlas(config["bot"].http))
        door = Door(service, config["service_hosts"], tenants, self._hear)
        self.routes = [Route("/teams/messages", door.receive, methods=["POST"])]

    # opsdroid's duties

    async def connect(self) -> None:
        """Signs in. Raises CannotPost for an app or a secret that is not valid."""
        try:
            await self._tokens.fresh()
        except Answered as problem:
            raise CannotPost(problem.reason, retry=True) from None

    async def listen(self) -> None: ...

    async def disconnect(self) -> None:
        await self._http.aclose()

    @register_event(Answer)
    async def send_answer(self, answer: Answer) -> None:
        said: Heard = answer.linked_event.raw_event
        if said.told is None:
            atlas = Atlas(self.config["bot"].http, said.person)
            rows = self.config.get("channels_with_rows", frozenset())
            said.told = Answering(self.poster, said, atlas, rows)
        await said.told.show(answer.reply, final=answer.final)
        if answer.final:
            await self._keep(said.place)

    @register_event(Message)
    async def send_message(self, message: Message) -> None:
        """What opsdroid itself has to say: that a skill broke."""
        await self.send_answer(
            Answer(Reply(message.text, ok=False, holds="subjects"), final=True, linked_event=message.linked_event)
        )

    async def post(self, target: str, reply: Reply, *, ref: str | None, key: str) -> str:
        """Posts to a channel or a person, or edits what was posted."""
        place = await self.poster.find(target) if ref is None else json.loads(ref)
        return await self.poster.say(place, reply, ref=ref, key=key, look=True)

    # messages from Teams

    async def _hear(self, body: dict[str, Any]) -> Response:
        """What was said is stored, then acknowledged; the answer comes later. Raises KeyError for what is nothing."""
        said = heard.message(body) if body["type"] == "message" else None
        try:
            if said is not None:
                await self.config["bot"].inbox.take_in(said)
            elif heard.joins(body):
                await self.poster.keep(heard.place(body))
        except AtlasProblem as problem:
            log.warning("what was said could not be stored: %s", problem.code)
            return Response(status_code=503)
        return Response(status_code=200)

    async def _keep(self, place: dict[str, Any]) -> None:
        try:
            await self.poster.keep(place)
        except AtlasProblem as problem:  # until the next one who speaks there
            log.warning("where somebody spoke is not kept in mind: %s", problem.code)
