"""What every request leaves behind: its id in the answer and the log, one log line, and the figures of /metrics."""

import logging
import re
import time
import traceback
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from api import problems
from api.metrics import Requests

log = logging.getLogger("atlas.api")

HEADER = "X-Request-ID"
# it goes into the audit log, so its form is one that holds no value of a person
GOOD = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GONE = 499  # the caller did not wait for the answer
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class Observe:
    """Stands outside of all else, so that every request counts: refused and broken ones too."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        number = given if GOOD.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = number
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = number
            await send(message)

        begun = time.perf_counter()
        with bound_contextvars(request=number):
            try:
                await self.app(scope, receive, told)
            except Exception as error:
                # the message of a library's exception may quote a cell, so only its kind and place are logged
                frames = "".join(traceback.format_tb(error.__traceback__))
                log.error("bug: %s\n%s", type(error).__name__, frames, extra={"user": _user(scope)})
                if not status:
                    await problems.bug(number)(scope, receive, told)
                raise
            finally:
                self._note(scope, status or GONE, time.perf_counter() - begun)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        # the template, never the path: what stands in a path may be anything, and is without bounds
        route = getattr(scope.get("route"), "path_format", "unknown")
        self.requests.note(method, route, status, seconds)
        facts = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        log.info("answered", extra={**facts, "user": _user(scope)})


def _user(scope: Scope) -> int | None:
    """The number of the user who called: a name would be personal."""
    number: int | None = getattr(scope["state"].get("caller"), "user", None)
    return number
