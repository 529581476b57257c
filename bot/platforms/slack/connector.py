"""Slack as opsdroid sees it: hears by bolt, over HTTP or Socket Mode, and has answers posted."""

import asyncio
import logging
import re
import traceback
from collections.abc import Callable
from typing import Any

from opsdroid import connector
from opsdroid.connector import register_event
from slack_bolt import BoltResponse
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from starlette.routing import Route

from bot.client import AtlasProblem
from bot.droid import Answer, Message
from bot.inbox import Heard
from bot.platforms.slack import heard
from bot.platforms.slack.answering import Answering
from bot.platforms.slack.calls import Calls
from bot.platforms.slack.door import Door
from bot.platforms.slack.post import Poster
from bot.posting import CannotPost
from bot.reply import Reply

log = logging.getLogger("atlas.slack")

_silent = logging.getLogger("atlas.slack.libraries")
_silent.setLevel(logging.CRITICAL)  # their warnings hold whole messages

ANY = re.compile(".*", re.DOTALL)
NO_TOKEN = ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission")
AGAIN = 10.0  # seconds between two looks whether Slack can be heard
CONNECTING = 30.0  # seconds until Socket Mode is connected, at most
BUSY = "Atlas cannot take this just now. Say it again in a minute."


class Slack(connector.Connector):
    """config: `bot`, `bot_token`, `signing_secret` or `app_token` (Socket Mode), `api_url`, `teams` (none: the one that
    the token is of), `channels_with_rows`.
    """

    def __init__(self, config: dict[str, Any], opsdroid: Any = None) -> None:
        super().__init__(config, opsdroid)
        self.name = "slack"
        self.calls = Calls(config["bot_token"], config["api_url"])
        self.poster = Poster(self.calls, config["api_url"])
        self.teams: frozenset[str] = frozenset(config.get("teams") or ())
        self.me: dict[str, Any] = {}  # the identity behind the token: team, user, bot
        self.app = self._listening()
        self._socket: AsyncSocketModeHandler | None = None
        secret = config.get("signing_secret")
        self.routes = [Route("/slack/events", Door(self.app, secret).receive, methods=["POST"])] if secret else []

    # opsdroid's duties

    async def connect(self) -> None:
        """Asks Slack who the token is. Raises CannotPost for a token that is not valid."""
        try:
            await self._enter()
        except CannotPost as problem:
            if problem.reason in NO_TOKEN:
                raise
            log.warning("Slack does not answer (%s): it is tried again", problem.reason)

    async def listen(self) -> None:
        self.config["bot"].loops.start("slack: hearing", self._listen, every=AGAIN)

    async def _listen(self) -> None:
        """Signs in where that failed at the start, and says if Slack cannot be heard."""
        if not self.me:  # Slack sends later what comes meanwhile
            await self._enter()
        if not (token := self.config.get("app_token")):
            return
        if self._socket is None:
            self._socket = await self._connected(token)
        elif not await self._socket.client.is_connected():  # it connects again by itself
            raise CannotPost("Socket Mode is not connected", retry=True)

    async def _connected(self, token: str) -> AsyncSocketModeHandler:
        """Socket Mode. Raises TimeoutError: by itself it would try for ever, and say nothing."""
        socket = AsyncSocketModeHandler(self.app, token, web_client=self.calls.client, logger=_silent)
        try:
            async with asyncio.timeout(CONNECTING):
                await socket.connect_async()  # type: ignore[no-untyped-call]
        except BaseException:
            await socket.close_async()  # type: ignore[no-untyped-call]
            raise
        return socket

    async def _enter(self) -> None:
        me = await self.calls("auth.test")
        self.teams = self.teams or frozenset([me["team_id"]])
        self.me = me

    async def disconnect(self) -> None:
        if self._socket:
            await self._socket.close_async()  # type: ignore[no-untyped-call]
        await self.poster.close()

    @register_event(Answer)
    async def send_answer(self, answer: Answer) -> None:
        said: Heard = answer.linked_event.raw_event
        if said.told is None:
            said.told = Answering(self.poster, said, self.config.get("channels_with_rows", frozenset()))
        await said.told.show(answer.reply, final=answer.final)

    @register_event(Message)
    async def send_message(self, message: Message) -> None:
        """What opsdroid itself has to say: that a skill broke."""
        await self.send_answer(
            Answer(Reply(message.text, ok=False, holds="subjects"), final=True, linked_event=message.linked_event)
        )

    async def post(self, target: str, reply: Reply, *, ref: str | None, key: str) -> str:
        """Posts to a channel or a person, or edits what was posted; the same key is never posted twice."""
        return await self.poster.post(target, reply, ref=ref, key=key, look=True)

    # messages from Slack

    def _listening(self) -> AsyncApp:
        async def who() -> AuthorizeResult:  # Slack was asked at the start
            me = self.me
            return AuthorizeResult(
                enterprise_id=None, team_id=me["team_id"], bot_user_id=me["user_id"], bot_id=me.get("bot_id"),
                bot_token=self.config["bot_token"],
            )  # fmt: skip

        app = AsyncApp(
            name="atlas.slack.libraries", logger=_silent, client=self.calls.client, signing_secret="", authorize=who,
            process_before_response=True, request_verification_enabled=False, ssl_check_enabled=False,
        )  # fmt: skip
        app.middleware(self._only_ours)
        app.error(self._broke)
        app.command(ANY)(self._hearing(heard.command, again=False))
        app.event("app_mention")(self._hearing(heard.mention))
        app.event("message")(self._hearing(heard.direct))
        app.action(ANY)(self._hearing(heard.button, again=False))
        app.event(ANY)(_nothing)
        return app

    async def _only_ours(self, body: dict[str, Any], next: Any) -> BoltResponse | None:
        """Of the workspaces that Atlas serves, and of people who belong to them."""
        if not self.me:
            return BoltResponse(status=503, body="")
        if heard.team(body) not in self.teams:
            return BoltResponse(status=403, body='{"error": "not served"}')
        if not heard.teams_of_the_person(body) <= self.teams:
            return BoltResponse(status=200, body="")  # a guest of a shared channel: Slack would send it again
        await next()
        return None

    def _hearing(self, read: Callable[[Any], Heard | None], *, again: bool = True) -> Callable[..., Any]:
        """A listener: what was said is stored, then acknowledged; the answer comes later. `again`: Slack sends again
        what is not acknowledged.
        """

        async def hear(body: dict[str, Any], ack: Any) -> BoltResponse | None:
            try:
                said = read(body)
            except (KeyError, TypeError, IndexError, AttributeError):
                return BoltResponse(status=403, body='{"error": "not understood"}')
            try:
                if said is not None:
                    await self.config["bot"].inbox.take_in(said)
            except AtlasProblem as problem:
                log.warning("what was said could not be stored: %s", problem.code)
                if again and problem.status in (0, 500, 502, 503, 504):
                    return BoltResponse(status=503, body="")
                await ack(BUSY if not again else "")
                return None
            await ack()
            return None

        return hear

    async def _broke(self, error: Exception) -> BoltResponse:
        frames = "".join(traceback.format_tb(error.__traceback__))  # no message: it may quote what was said
        log.error("a message of Slack broke the bot: %s\n%s", type(error).__name__, frames)
        return BoltResponse(status=503, body="")


async def _nothing(ack: Any) -> None:
    await ack()
