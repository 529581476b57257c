"""A Teams that behaves: its Bot Connector with rate limits, errors and slow answers, its sign-in, and its keys.

It knows the protocol alone, not the SDK: what takes the SDK's place is held against the same.
"""

import asyncio
import itertools
import json
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.mocks import cards
from tests.mocks.served import served
from tests.mocks.slack import Trouble

APP, PASSWORD = "3f0d7a52-6a10-4f3e-9d0b-7c1de2b0a001", "mock-client-secret"
TENANT, ELSEWHERE = "72f988bf-86f1-41af-91ab-2d7cd011db47", "11111111-2222-3333-4444-555555555555"
CHANNEL, THREAD = "19:general@thread.tacv2", ";messageid=1700000000000"
KIM = "8a1b2c3d-0000-4000-8000-00000000000a"
BOT, ISSUER = f"28:{APP}", "https://api.botframework.com"
PUBLIC = "https://atlas.example.dk"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Message:
    """One message in a conversation, with each state it was in."""

    conversation: str
    id: str
    body: dict[str, Any]
    edits: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def card(self) -> dict[str, Any]:
        card: dict[str, Any] = self.body["attachments"][0]["content"]
        return card

    @property
    def text(self) -> str:
        """What a person reads."""
        return cards.read(self.card)

    @property
    def links(self) -> dict[str, str]:
        return {one["title"]: one["url"] for one in cards.everything(self.card) if one.get("type") == "Action.OpenUrl"}


class Teams:
    """What happened in it, and how it is told to misbehave."""

    def __init__(self, *, checks: bool = True) -> None:
        self.checks = checks  # without, it takes any card, and no time for it
        self.members = {CHANNEL}  # where the app was added
        self.without_the_app: set[str] = set()  # people whom the bot may not write to
        self.messages: list[Message] = []
        self.calls: Counter[str] = Counter()
        self.wrong: list[str] = []  # what a real Teams would not take, or limit
        self.tokens: set[str] = set()
        self.keys: list[dict[str, Any]] = [jwk(KEY, "key-1")]
        self.port = 0
        self._trouble: dict[str, list[Trouble]] = defaultdict(list)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        at = "/teams/v3/conversations"
        self.app = Starlette(
            routes=[
                Route("/openid", self._openid),
                Route("/keys", self._keys),
                Route("/login/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
                Route(at, self._connector, methods=["POST"], name="open"),
                Route(at + "/{conversation}/activities", self._connector, methods=["POST"], name="post"),
                Route(at + "/{conversation}/activities/{id}", self._connector, methods=["PUT"], name="edit"),
            ]
        )

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def service(self) -> str:
        return f"{self.root}/teams/"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "ATLAS_TEAMS_APP_ID": APP, "ATLAS_TEAMS_APP_PASSWORD": PASSWORD, "ATLAS_TEAMS_TENANT_ID": TENANT,
            "ATLAS_TEAMS_SERVICE_HOSTS": "smba.trafficmanager.net,127.0.0.1",
            "ATLAS_TEAMS_LOGIN_URL": f"{self.root}/login", "ATLAS_TEAMS_OPENID_URL": f"{self.root}/openid",
            "ATLAS_PUBLIC_URL": PUBLIC,
        }  # fmt: skip

    def trouble(self, what: str, **how: Any) -> None:
        """The next calls of `open`, `post`, `edit`, `token`, `openid` or `keys` fare so."""
        self._trouble[what].append(Trouble(**how))

    def end_tokens(self) -> None:
        self.tokens.clear()

    # what it sends

    def activity(self, text: str | None, *, user: str = KIM, channel: str | None = None, thread: str = "",
                 tenant: str = TENANT, **more: Any) -> dict[str, Any]:  # fmt: skip
        """A message: to the bot alone, or in a channel, where it begins with a mention."""
        conversation = f"{channel}{thread}" if channel else personal(user)
        mention = {"type": "mention", "mentioned": {"id": BOT, "name": "Atlas"}, "text": "<at>Atlas</at>"}
        said: dict[str, Any] = {
            "type": "message", "id": f"{next(self._numbers)}{time.time_ns()}", "timestamp": "2026-11-24T07:00:00.000Z",
            "channelId": "msteams", "serviceUrl": self.service, "textFormat": "plain", "locale": "da-DK",
            "from": {"id": f"29:1{user}", "name": "Kim Holm", "aadObjectId": user},
            "recipient": {"id": BOT, "name": "Atlas"},
            "conversation": {"id": conversation, "tenantId": tenant,
                             "conversationType": "channel" if channel else "personal", "isGroup": bool(channel)},
            "channelData": {"tenant": {"id": tenant}},
            "text": f"<at>Atlas</at>&nbsp;{text}" if channel and text else text,
            "entities": [mention] if channel else [], **more,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value is not None}

    def click(self, label: str, message: Message, *, user: str = KIM) -> dict[str, Any]:
        """A click on a button of a message."""
        button = next(one for one in cards.everything(message.card) if one.get("title") == label)
        channel, _, thread = message.conversation.partition(";")
        at = {"channel": channel, "thread": f";{thread}" if thread else ""} if channel.startswith("19:") else {}
        return self.activity(None, user=user, value=button["data"], replyToId=message.id, entities=[], **at)

    def headers(self, activity: dict[str, Any], **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {signed(activity, **claims)}", "Content-Type": "application/json"}

    def send(self, url: str, activity: dict[str, Any]) -> httpx.Response:
        return httpx.post(url, json=activity, headers=self.headers(activity), timeout=10)

    # what it answers

    async def _openid(self, _: Request) -> Response:
        return await self._told("openid", {"issuer": ISSUER, "jwks_uri": f"{self.root}/keys"})

    async def _keys(self, _: Request) -> Response:
        return await self._told("keys", {"keys": self.keys})

    async def _told(self, what: str, answer: dict[str, Any]) -> Response:
        self.calls[what] += 1
        return await self._misbehaves(what) or JSONResponse(answer)

    async def _token(self, request: Request) -> Response:
        self.calls["token"] += 1
        if refused := await self._misbehaves("token"):
            return refused
        form = dict(httpx.QueryParams((await request.body()).decode()))
        expected = {"grant_type": "client_credentials", "client_id": APP, "client_secret": PASSWORD,
                    "scope": f"{ISSUER}/.default"}  # fmt: skip
        if form != expected or request.path_params["tenant"] != TENANT:
            return JSONResponse({"error": "invalid_client", "error_description": "AADSTS7000215 …"}, 401)
        token = uuid.uuid4().hex
        self.tokens.add(token)
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    async def _misbehaves(self, what: str) -> Response | None:
        trouble = self._next_trouble(what)
        if trouble is None:
            return None
        await asyncio.sleep(trouble.seconds)
        if trouble.status == 200:
            return None
        return JSONResponse({"error": {"code": trouble.error or "ServiceError", "message": "…"}}, trouble.status,
                            headers=trouble.headers)  # fmt: skip

    def _next_trouble(self, what: str) -> Trouble | None:
        with self._lock:
            waiting = self._trouble[what]
            if not waiting:
                return None
            waiting[0].times -= 1
            return waiting[0] if waiting[0].times > 0 else waiting.pop(0)

    async def _connector(self, request: Request) -> Response:
        what = request.scope["route"].name
        with self._lock:
            self.calls[what] += 1
        if refused := await self._misbehaves(what):
            return refused
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "Unauthorized")
        raw = await request.body()
        given = json.loads(raw)
        with self._lock:
            if what == "open":
                return self._open(given)
            if self.checks and (mistakes := cards.mistakes(given, len(raw), (f"{PUBLIC}/api/v1/files/",))):
                self.wrong += mistakes
                return _error(413 if len(raw) > cards.LARGEST else 400, "BadSyntax")
            return self._edit(request, given) if what == "edit" else self._post(request, given)

    def _open(self, given: dict[str, Any]) -> Response:
        user = given["members"][0]["id"].removeprefix("29:1")
        tenant = {name.lower(): value for name, value in given.items()}["tenantid"]  # .NET reads either
        if tenant != TENANT or given["bot"]["id"] != BOT:
            return _error(403, "Forbidden")
        return (
            _error(403, "BotBlockedByUser")
            if user in self.without_the_app
            else JSONResponse({"id": personal(user)}, 201)
        )

    def _post(self, request: Request, given: dict[str, Any]) -> Response:
        where = request.path_params["conversation"]
        if where.startswith("19:") and where.partition(";")[0] not in self.members:
            return _error(403, "BotNotInConversationRoster")
        message = Message(where, f"1:{next(self._numbers)}", given, times=[time.monotonic()])
        self.messages.append(message)
        return JSONResponse({"id": message.id}, 201)

    def _edit(self, request: Request, given: dict[str, Any]) -> Response:
        where = (request.path_params["conversation"], request.path_params["id"])
        found = next((m for m in self.messages if (m.conversation, m.id) == where), None)
        if found is None:
            return _error(404, "ActivityNotFoundInConversation")
        if time.monotonic() - found.times[-1] < 0.95:
            self.wrong.append("a message was edited twice within a second")
        found.edits.append(found.body)
        found.times.append(time.monotonic())
        found.body = given
        return JSONResponse({"id": found.id})


def personal(user: str = KIM) -> str:
    """The conversation of the bot with one person."""
    return f"a:1{user}"


def jwk(key: rsa.RSAPrivateKey, name: str, endorsements: tuple[str, ...] = ("msteams",)) -> dict[str, Any]:
    told = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    return {**told, "kid": name, "use": "sig", "alg": "RS256", "endorsements": [*endorsements]}


def signed(activity: dict[str, Any], *, key: Any = KEY, algorithm: str = "RS256", kid: str | None = "key-1",
           **claims: Any) -> str:  # fmt: skip
    """The token that Teams sends with an activity; a claim that is None is not there."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": APP, "serviceurl": activity.get("serviceUrl"), "iat": now, "nbf": now - 60,
            "exp": now + 3600, **claims}  # fmt: skip
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def _error(status: int, code: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": "…"}}, status)


@contextmanager
def running(teams: Teams | None = None, port: int = 0) -> Iterator[Teams]:
    """A Teams on loopback, in a thread of its own."""
    made = teams or Teams()
    with served(made.app, port) as made.port:
        yield made


def play(port: int) -> None:
    """In a process of its own, for ever."""
    made = Teams(checks=False)
    made.port = port
    uvicorn.run(made.app, host="127.0.0.1", port=port, log_config=None, lifespan="off")
