"""All that the Bot Framework SDK does for Teams: it proves who calls, and sends and edits what the bot says."""

import json
import logging
import re
from typing import Any

import httpx
from botbuilder.core import CardFactory, TurnContext
from botbuilder.core.cloud_adapter_base import CloudAdapterBase
from botbuilder.schema import Activity, ChannelAccount, ConversationAccount, ConversationParameters
from botframework.connector.aio import ConnectorClient
from botframework.connector.auth import (
    AppCredentials,
    AuthenticationConfiguration,
    BotFrameworkAuthenticationFactory,
    JwtTokenExtractor,
    ServiceClientCredentialsFactory,
)
from msrest.exceptions import ClientException, ClientRequestError, HttpOperationError
from msrest.pipeline import AsyncHTTPSender, AsyncPipeline, Request, Response
from msrest.pipeline.universal import RawDeserializer
from msrest.universal_http.async_abc import AsyncClientResponse

from bot.platforms.teams.answered import Answered
from bot.platforms.teams.keys import CHANNEL, Keys, NoKeys
from bot.platforms.teams.tokens import Tokens

ISSUER = SCOPE = OAUTH = "https://api.botframework.com"
_CODE = re.compile(r"[A-Za-z]{1,60}")

for _name in ("msrest", "botbuilder", "botframework"):  # theirs hold whole messages
    logging.getLogger(_name).setLevel(logging.CRITICAL)

Message = dict[str, Any]  # `summary` for the notification, `card`


class NotProved(Exception):
    """Whoever calls is not Teams, or it does not call this bot."""


class CannotProve(Exception):
    """The keys of Teams cannot be fetched now: who calls may be Teams or not."""


class Service(CloudAdapterBase):
    """Teams, for one app. A place is `service` (its address), `conversation` and `bot`."""

    def __init__(self, app_id: str, keys: Keys, tokens: Tokens, http: httpx.AsyncClient) -> None:
        if not app_id:
            raise ValueError("Without an app id the SDK lets everybody in.")
        # every address given: the SDK fetches no keys and no tokens by itself
        super().__init__(
            BotFrameworkAuthenticationFactory.create(
                to_channel_from_bot_login_url=keys.url, to_channel_from_bot_oauth_scope=SCOPE,
                to_bot_from_channel_token_issuer=ISSUER, oauth_url=OAUTH,
                to_bot_from_channel_open_id_metadata_url=keys.url,
                to_bot_from_emulator_open_id_metadata_url=keys.url, validate_authority=True,
                credential_factory=_Credentials(app_id), auth_configuration=AuthenticationConfiguration(),
            )
        )  # fmt: skip
        JwtTokenExtractor.metadataCache[keys.url] = keys  # its own waits for the network on the event loop
        self._credentials, self._sender = AppCredentials(app_id=app_id), _Sender(http, tokens)
        self._clients: dict[str, ConnectorClient] = {}

    async def prove(self, authorization: str, service: str) -> None:
        """Raises NotProved for a token that is not Teams', not for this bot, or not for this service.

        Raises CannotProve if nobody can tell now.
        """
        claimed = Activity(channel_id=CHANNEL, service_url=service)
        try:
            proved = await self.bot_framework_authentication.authenticate_request(claimed, authorization)
            claims = proved.claims_identity.claims
            # the SDK takes tokens without an end, and those of an emulator
            good = proved.claims_identity.is_authenticated and claims["iss"] == ISSUER and "exp" in claims
        except NoKeys:
            raise CannotProve from None
        except Exception:  # noqa: BLE001 - whatever the SDK breaks on proves nothing, and the caller is refused below
            good = False
        if not good:
            raise NotProved

    async def send(self, place: dict[str, Any], message: Message) -> str:
        """Its id. Raises Answered."""
        try:
            sent = await self._context(place).send_activity(_activity(message))
        except ClientException as error:
            raise _answered(error) from None
        return str(sent.id)

    async def edit(self, place: dict[str, Any], number: str, message: Message) -> None:
        """Raises Answered."""
        activity = _activity(message)
        activity.id = number
        try:
            await self._context(place).update_activity(activity)
        except ClientException as error:
            raise _answered(error) from None

    async def open(self, place: dict[str, Any]) -> str:
        """The conversation with one person, `user` of a `tenant`; the same each time. Raises Answered."""
        wanted = ConversationParameters(
            is_group=False, bot=ChannelAccount(id=place["bot"]), members=[ChannelAccount(id=place["user"])],
            tenant_id=place["tenant"], channel_data={"tenant": {"id": place["tenant"]}},
        )  # fmt: skip
        try:
            opened = await self._client(place["service"]).conversations.create_conversation(wanted)
        except ClientException as error:
            raise _answered(error) from None
        return str(opened.id)

    def _context(self, place: dict[str, Any]) -> TurnContext:
        said = Activity(
            type="event", channel_id=CHANNEL, service_url=place["service"],
            conversation=ConversationAccount(id=place["conversation"]), recipient=ChannelAccount(id=place["bot"]),
        )  # fmt: skip
        context = TurnContext(self, said)
        context.turn_state[self.BOT_CONNECTOR_CLIENT_KEY] = self._client(place["service"])
        return context

    def _client(self, service: str) -> ConnectorClient:
        """Made once for an address: it costs milliseconds."""
        if service not in self._clients:
            self._clients[service] = ConnectorClient(
                self._credentials, base_url=service, pipeline_type=_Pipeline, sender=self._sender
            )
        return self._clients[service]


class _Credentials(ServiceClientCredentialsFactory):
    """For one app; nothing disables authentication."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id

    async def is_valid_app_id(self, app_id: str) -> bool:
        return app_id == self._app_id

    async def is_authentication_disabled(self) -> bool:
        return False

    async def create_credentials(
        self, app_id: str, oauth_scope: str, login_endpoint: str, validate_authority: bool
    ) -> AppCredentials:
        return AppCredentials(app_id=self._app_id)


class _Json(RawDeserializer):
    """What is no JSON comes from something in front of Teams: its status and headers still count."""

    @classmethod
    def deserialize_from_text(cls, data: Any, content_type: str | None = None) -> Any:  # noqa: ARG003 - the SDK's shape
        try:
            return json.loads(data)
        except ValueError:
            return None


class _Pipeline(AsyncPipeline):
    """The SDK's own breaks on some answers, logs all, and sends from threads."""

    def __init__(self, config: Any) -> None:
        super().__init__([config.user_agent_policy, _Json()], config.sender)


class _Sender(AsyncHTTPSender):
    """Sends once, with the token that was fetched before."""

    def __init__(self, http: httpx.AsyncClient, tokens: Tokens) -> None:
        self._http, self._tokens = http, tokens

    async def __aexit__(self, *_: object) -> None: ...

    async def send(self, request: Request, **_: Any) -> Response:
        asked = request.http_request
        headers = {**asked.headers, "Authorization": f"Bearer {self._tokens.token}"}
        try:
            told = await self._http.request(asked.method, asked.url, headers=headers, content=asked.data)
        except httpx.HTTPError as error:
            raise ClientRequestError(type(error).__name__) from None
        return Response(request, _Told(asked, told))


class _Told(AsyncClientResponse):
    """What was answered, as the SDK reads it."""

    def __init__(self, asked: Any, told: httpx.Response) -> None:
        super().__init__(asked, told)
        self.status_code, self.headers = told.status_code, told.headers

    def body(self) -> bytes:
        return bytes(self.internal_response.content)


def _activity(message: Message) -> Activity:
    return Activity(
        type="message", summary=message["summary"], attachments=[CardFactory.adaptive_card(message["card"])]
    )


def _answered(error: ClientException) -> Answered:
    if not isinstance(error, HttpOperationError):
        return Answered(0, type(error).__name__)
    code = getattr(getattr(error.error, "error", None), "code", None)
    reason = code if isinstance(code, str) and _CODE.fullmatch(code) else f"Teams answered {error.response.status_code}"
    return Answered(error.response.status_code, reason, error.response.headers.get("Retry-After"))
