"""A Slack that behaves: its Web API with rate limits, errors, slow answers and bad tokens; and what it sends to an app.

Run by itself it is a small Slack on a port: `python -m tests.mocks.slack 9000`.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
from aiohttp import WSMsgType, web
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.mocks import blocks
from tests.mocks.served import served

TOKEN, SECRET, APP_TOKEN = "xoxb-mock-token", "mock-signing-secret", "xapp-mock-token"
TEAM, BOT_USER, BOT_ID, APP = "T024BE7LD", "U0ATLASBOT", "B0ATLASBOT", "A0ATLAS"
CHANNEL, ELSEWHERE, KIM = "C0GENERAL", "C0PRIVATE", "U2147483697"
MESSAGE = ("text", "blocks", "metadata", "thread_ts")


@dataclass
class Trouble:
    """What a method answers instead, so many times."""

    status: int = 200
    error: str = ""
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False  # it is done all the same, and only the answer is lost
    seconds: float = 0.0


@dataclass
class Message:
    """One message in a channel, with each state it was in."""

    channel: str
    ts: str
    user: str
    body: dict[str, Any]
    to: str | None = None  # ephemeral: the one who sees it
    edits: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What a person reads."""
        return blocks.read(self.body.get("blocks") or []) or self.body.get("text", "")

    @property
    def thread(self) -> str | None:
        return self.body.get("thread_ts")


@dataclass
class File:
    channel: str
    title: str
    name: str
    content: bytes
    thread: str | None


class Slack:
    """What happened in it, and how it is told to misbehave."""

    def __init__(self) -> None:
        self.members: set[str] = {CHANNEL}  # channels that the bot is in
        self.messages: list[Message] = []
        self.files: list[File] = []
        self.calls: Counter[str] = Counter()
        self.given: list[tuple[str, dict[str, Any]]] = []
        self.wrong: list[str] = []  # what a real Slack would not take, or limit
        self.token = TOKEN
        self.port = self._socket_port = 0
        self._trouble: dict[str, list[Trouble]] = defaultdict(list)
        self._shares: list[tuple[str, dict[str, Any]]] = []  # the messages that files come in
        self._uploads: dict[str, tuple[str, bytes]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.sockets: list[web.WebSocketResponse] = []
        self.acks: list[dict[str, Any]] = []
        routes = [
            Route("/api/{method:path}", self._api, methods=["GET", "POST"]),
            Route("/upload/{file}", self._upload, methods=["POST"]),
            Route("/commands/{rest:path}", self._response_url, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes, lifespan=self._with_socket)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def trouble(self, method: str, **what: Any) -> None:
        """The next calls of a method fare so."""
        self._trouble[method].append(Trouble(**what))

    def seen_by(self, channel: str, user: str | None = None) -> list[Message]:
        """What stands in a channel for somebody."""
        return [m for m in self.messages if m.channel == channel and m.to in (None, user)]

    def direct(self, user: str = KIM) -> str:
        return f"D{user}"

    # what it sends

    def command(self, text: str, *, user: str = KIM, channel: str = CHANNEL, team: str = TEAM, **more: str) -> str:
        number = next(self._numbers)
        return urlencode(
            {
                "token": "verification-token-of-old", "team_id": team, "team_domain": "example", "channel_id": channel,
                "channel_name": "general", "user_id": user, "user_name": "kim", "command": "/atlas", "text": text,
                "api_app_id": APP, "response_url": f"http://127.0.0.1:{self.port}/commands/{team}/{number}/{channel}/{user}",
                "trigger_id": f"{number}.{time.time_ns()}", **more,
            }
        )  # fmt: skip

    def event(self, text: str, *, kind: str = "app_mention", user: str = KIM, channel: str = CHANNEL,
              team: str = TEAM, thread: str | None = None, **more: Any) -> str:  # fmt: skip
        number = next(self._numbers)
        event = {
            "type": kind, "user": user, "text": text, "ts": f"{time.time():.6f}", "channel": channel, "team": team,
            **({"thread_ts": thread} if thread else {}),
            **({"channel_type": "im"} if channel.startswith("D") else {}), **more,
        }  # fmt: skip
        return json.dumps(
            {"type": "event_callback", "token": "verification-token-of-old", "team_id": team, "api_app_id": APP,
             "event_id": f"Ev{number:08d}{time.time_ns()}", "event_time": int(time.time()), "event": event,
             "authorizations": [{"team_id": team, "user_id": BOT_USER, "is_bot": True}]}
        )  # fmt: skip

    def click(self, value: str, message: Message, *, user: str = KIM, team: str = TEAM) -> str:
        number = next(self._numbers)
        payload: dict[str, Any] = {
            "type": "block_actions", "team": {"id": team, "domain": "example"}, "api_app_id": APP,
            "user": {"id": user, "username": "kim", "team_id": team}, "token": "verification-token-of-old",
            "trigger_id": f"{number}.{time.time_ns()}", "channel": {"id": message.channel, "name": "general"},
            "response_url": f"http://127.0.0.1:{self.port}/commands/{team}/{number}/{message.channel}/{user}",
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel,
                          "is_ephemeral": message.to is not None},
            "actions": [{"type": "button", "action_id": "say-0", "block_id": "x", "value": value}],
        }  # fmt: skip
        if message.to is None:
            payload["message"] = {"ts": message.ts, **({"thread_ts": message.thread} if message.thread else {})}
        return urlencode({"payload": json.dumps(payload)})

    async def envelope(self, kind: str, payload: Any) -> None:
        """Through Socket Mode; on the mock's own loop."""
        body = {"envelope_id": f"e{next(self._numbers)}", "type": kind, "payload": payload,
                "accepts_response_payload": kind == "slash_commands"}  # fmt: skip
        for socket in self.sockets:
            await socket.send_json(body)

    # what it answers

    async def _api(self, request: Request) -> Response:
        method = request.path_params["method"]
        given = await _arguments(request)
        with self._lock:
            self.calls[method] += 1
            self.given.append((method, given))
        trouble = self._next_trouble(method)
        if trouble and trouble.seconds:
            await asyncio.sleep(trouble.seconds)
        if trouble and not trouble.after and (trouble.error or trouble.status != 200):
            return _refusal(trouble)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        expected = APP_TOKEN if method == "apps.connections.open" else self.token
        if token != expected:
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        answer = getattr(self, "_" + method.replace(".", "_").lower(), None)
        if answer is None:
            self.wrong.append(f"unknown method {method}")
            return JSONResponse({"ok": False, "error": "unknown_method"})
        with self._lock:
            said = answer(given)
        if trouble and trouble.after:
            return _refusal(trouble)
        return JSONResponse({"ok": "error" not in said, **said})

    def _next_trouble(self, method: str) -> Trouble | None:
        waiting = self._trouble[method]
        if not waiting:
            return None
        waiting[0].times -= 1
        return waiting[0] if waiting[0].times > 0 else waiting.pop(0)

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": "https://example.slack.com/", "team": "Example", "user": "atlas", "team_id": TEAM,
                "user_id": BOT_USER, "bot_id": BOT_ID}  # fmt: skip

    def _apps_connections_open(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": f"ws://127.0.0.1:{self._socket_port}/socket"}

    def _chat_postmessage(self, given: dict[str, Any]) -> dict[str, Any]:
        if refused := self._refused(given):
            return refused
        message = self._add(given)
        return {"channel": message.channel, "ts": message.ts, "message": message.body}

    def _chat_postephemeral(self, given: dict[str, Any]) -> dict[str, Any]:
        if refused := self._refused(given):
            return refused
        return {"message_ts": self._add(given, to=given["user"]).ts}

    def _chat_update(self, given: dict[str, Any]) -> dict[str, Any]:
        found = next((m for m in self.messages if (m.channel, m.ts) == (given["channel"], given["ts"])), None)
        if found is None or found.to:
            return {"error": "message_not_found"}
        if mistakes := blocks.mistakes(given):
            self.wrong += mistakes
            return {"error": "invalid_blocks"}
        if time.monotonic() - found.times[-1] < 0.95:
            self.wrong.append("a message was edited twice within a second")
        found.edits.append(found.body)
        found.times.append(time.monotonic())
        found.body = {**found.body, **{name: given[name] for name in MESSAGE if name in given}}
        return {"channel": found.channel, "ts": found.ts, "text": given.get("text", "")}

    def _conversations_open(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"channel": {"id": self.direct(given["users"])}}

    def _conversations_history(self, given: dict[str, Any]) -> dict[str, Any]:
        if not self._member(given["channel"]):
            return {"error": "not_in_channel"}
        found = [m for m in self.messages if m.channel == given["channel"] and not m.thread and not m.to]
        told = [_told(m, given) for m in found] + self._shared(given["channel"], None)
        return {"messages": sorted(told, key=lambda m: m["ts"], reverse=True)[: int(given.get("limit", 100))]}

    def _conversations_replies(self, given: dict[str, Any]) -> dict[str, Any]:
        if not self._member(given["channel"]):
            return {"error": "not_in_channel"}
        found = [m for m in self.messages if m.channel == given["channel"] and given["ts"] in (m.ts, m.thread)]
        told = [_told(m, given) for m in found if not m.to] + self._shared(given["channel"], given["ts"])
        return {"messages": sorted(told, key=lambda m: m["ts"])[: int(given.get("limit", 100))]}

    def _shared(self, channel: str, thread: str | None) -> list[dict[str, Any]]:
        return [told for where, told in self._shares if where == channel and told["thread_ts"] == thread]

    def _files_getuploadurlexternal(self, given: dict[str, Any]) -> dict[str, Any]:
        name = f"F{next(self._numbers):08d}"
        self._uploads[name] = (given["filename"], b"")
        return {"upload_url": f"http://127.0.0.1:{self.port}/upload/{name}", "file_id": name}

    def _files_completeuploadexternal(self, given: dict[str, Any]) -> dict[str, Any]:
        told = json.loads(given["files"]) if isinstance(given["files"], str) else given["files"]
        channel = given.get("channel_id") or given.get("channels")
        if not self._member(channel):
            return {"error": "not_in_channel"}
        for one in told:
            name, content = self._uploads.pop(one["id"])
            title = one.get("title", name)
            self.files.append(File(channel, title, name, content, given.get("thread_ts")))
            shown = {"text": "", "thread_ts": given.get("thread_ts"), "files": [{"name": name, "title": title}]}
            self._shares.append((channel, {"type": "message", "ts": f"{time.time():.6f}", "user": BOT_USER, **shown}))
        return {"files": [{"id": one["id"]} for one in told]}

    async def _upload(self, request: Request) -> Response:
        name = request.path_params["file"]
        self._uploads[name] = (self._uploads[name][0], await request.body())
        return PlainTextResponse("OK")

    async def _response_url(self, request: Request) -> Response:
        """Works where the bot is no member; five times."""
        given = await request.json()
        channel, user = request.path_params["rest"].split("/")[-2:]
        with self._lock:
            self.calls["response_url"] += 1
            self.calls[request.path_params["rest"]] += 1
            if self.calls[request.path_params["rest"]] > 5:
                self.wrong.append("a response_url was used more than five times")
                return JSONResponse({"ok": False, "error": "used_url"}, 404)
            if mistakes := blocks.mistakes(given):
                self.wrong += mistakes
                return JSONResponse({"ok": False, "error": "invalid_blocks"}, 400)
            old = [m for m in self.messages if m.body.get("response_url") == request.path_params["rest"]]
            body = {**given, "response_url": request.path_params["rest"]}
            if given.get("replace_original") and old:
                old[-1].edits.append(old[-1].body)
                old[-1].body = body
            else:
                self._add({**body, "channel": channel}, to=user)
        return PlainTextResponse("ok")

    @asynccontextmanager
    async def _with_socket(self, _: Starlette) -> AsyncIterator[None]:
        """Socket Mode, on a port of its own."""
        self.loop = asyncio.get_running_loop()
        app = web.Application()
        app.router.add_get("/socket", self._socket)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._socket_port = runner.addresses[0][1]
        yield
        await runner.cleanup()

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": APP}})
        self.sockets.append(socket)
        async for message in socket:
            if message.type == WSMsgType.TEXT and message.data.startswith("{"):
                self.acks.append(json.loads(message.data))
        self.sockets.remove(socket)
        return socket

    def _member(self, channel: str) -> bool:
        return channel in self.members or channel.startswith("D")

    def _refused(self, given: dict[str, Any]) -> dict[str, Any] | None:
        if given["channel"].startswith(("U", "W")):
            given["channel"] = self.direct(given["channel"])
        if not self._member(given["channel"]):
            return {"error": "not_in_channel"}
        if mistakes := blocks.mistakes(given):
            self.wrong += mistakes
            return {"error": "invalid_blocks"}
        return None

    def _add(self, given: dict[str, Any], to: str | None = None) -> Message:
        body = {name: given[name] for name in (*MESSAGE, "response_url", "response_type") if name in given}
        ts = f"{time.time():.6f}"[:-3] + f"{next(self._numbers) % 1000:03d}"
        message = Message(given["channel"], ts, BOT_USER, body, to, times=[time.monotonic()])
        self.messages.append(message)
        return message


async def _arguments(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        return dict(json.loads(body))
    form = parse_qs(body.decode()) | parse_qs(request.url.query)
    return {name: values[0] for name, values in form.items()}


def _refusal(trouble: Trouble) -> Response:
    if trouble.error and trouble.status == 200:
        return JSONResponse({"ok": False, "error": trouble.error})
    body = {"ok": False, "error": trouble.error or ("ratelimited" if trouble.status == 429 else "internal_error")}
    return JSONResponse(body, trouble.status, headers=trouble.headers)


def _told(message: Message, given: dict[str, Any]) -> dict[str, Any]:
    told = {"type": "message", "ts": message.ts, "user": message.user, "bot_id": BOT_ID, "text": message.body["text"]}
    if str(given.get("include_all_metadata", "")).lower() in ("1", "true") and "metadata" in message.body:
        told["metadata"] = message.body["metadata"]
    return told


def signed(body: str | bytes, *, secret: str = SECRET, at: float | str | None = None) -> dict[str, str]:
    """The headers that Slack sends with a body."""
    raw = body.encode() if isinstance(body, str) else body
    stamp = str(int(time.time())) if at is None else str(at)
    mac = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + raw, hashlib.sha256).hexdigest()
    kind = "application/json" if raw[:1] == b"{" else "application/x-www-form-urlencoded"
    return {"X-Slack-Signature": f"v0={mac}", "X-Slack-Request-Timestamp": stamp, "Content-Type": kind}


def send(url: str, body: str, **more: Any) -> httpx.Response:
    """A signed request, as Slack sends it."""
    return httpx.post(url, content=body, headers=signed(body, **more), timeout=10)


@contextmanager
def running(slack: Slack | None = None, port: int = 0) -> Iterator[Slack]:
    """A Slack on loopback, in a thread of its own."""
    made = slack or Slack()
    with served(made.app, port) as made.port:
        yield made


if __name__ == "__main__":
    with running(port=int(sys.argv[1])) as alone:
        sys.stdout.write(f"A Slack that is played answers on {alone.url}\n")
        sys.stdout.flush()
        threading.Event().wait()
