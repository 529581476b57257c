"""`Idempotency-Key`: a write that is asked for twice is done once and answered twice the same."""

import contextlib
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from engine.home import Home
from engine.store import idempotent

KEY = "Idempotency-Key"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Asked:
    """A request under a key, both as SHA-256, and where its answer is to be kept: (home, principal)."""

    key: str
    request: str
    to_keep: tuple[Home, str] | None = None


class Idempotency:
    """Takes the fingerprint of a request under a key, and keeps its answer before anybody hears it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get(KEY) if scope["type"] == "http" else None
        if key is None or scope["method"] not in WRITES:
            await self.app(scope, receive, send)
            return
        if not 1 <= len(key) <= 255:
            refused = problem(422, "bad_input", f"`{KEY}` has 1 to 255 characters.")
            await refused(scope, receive, send)
            return
        body = await _whole(receive)
        about = f"{scope['method']} {scope['path']} {scope['query_string'].decode('latin-1')}\0".encode()
        asked = Asked(_sha256(key.encode()), _sha256(about + body))
        scope.setdefault("state", {})["asked"] = asked
        bodies, held = [body], list[Message]()

        async def given() -> Message:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False} if bodies else await receive()

        async def hold(message: Message) -> None:
            held.append(message)

        await self.app(scope, given, hold)
        if asked.to_keep is not None and held[0]["status"] < 300:
            answer = json.loads(b"".join(m.get("body", b"") for m in held[1:]) or b"{}")
            with contextlib.suppress(SQLAlchemyError):  # it was done: who asks again is told so, without the answer
                await run_in_threadpool(_keep, asked, held[0]["status"], answer)
        for message in held:
            await send(message)


async def _whole(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return body


def _keep(asked: Asked, status: int, answer: dict[str, Any]) -> None:
    assert asked.to_keep is not None
    home, caller = asked.to_keep
    with home.database.write() as db:
        idempotent.keep(db, caller, asked.key, status, answer)


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
