"""Where Teams calls: what is not proved to be Teams, for this bot and a tenant that is served, is refused unread."""

import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.platforms.teams.heard import tenants
from bot.platforms.teams.keys import CHANNEL
from bot.platforms.teams.service import CannotProve, NotProved, Service
from bot.web import whole_body

LARGEST = 256_000  # bytes; those of Teams are far smaller
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Body = dict[str, Any]


class Door:
    """`hosts` are where Teams may be answered, `tenants` whose people may speak; `hear` gets what comes through."""

    def __init__(
        self,
        service: Service,
        hosts: Collection[str],
        served: Collection[str],
        hear: Callable[[Body], Awaitable[Response]],
    ) -> None:
        self._service, self._hosts, self._served, self._hear = service, frozenset(hosts), frozenset(served), hear

    async def receive(self, request: Request) -> Response:
        headers = request.headers
        if any(len(headers.getlist(name)) != 1 for name in ("authorization", "content-type")):
            return _refused(401)
        if headers["content-type"].partition(";")[0].strip().lower() != "application/json":
            return _refused(401)
        raw = await whole_body(request, LARGEST)
        if raw is None:
            return _refused(401)
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            return _refused(400)
        if not isinstance(body, dict):
            return _refused(400)
        service = body.get("serviceUrl")
        if not isinstance(service, str) or not service:
            return _refused(401)  # without it the SDK does not compare it with the token's
        if not self.may_be_answered(service):
            return _refused(403)
        try:
            await self._service.prove(headers["authorization"], service)
        except NotProved:
            return _refused(401)
        except CannotProve:  # Teams sends again what is answered with 503, and never what is answered with 401
            return _refused(503)
        try:
            if body["channelId"] != CHANNEL or not tenants(body) <= self._served:
                return _refused(403)
            return await self._hear(body)
        except (KeyError, TypeError, AttributeError):  # Teams', and yet nothing that is understood
            return _refused(403)

    def may_be_answered(self, service: str) -> bool:
        """Whether the bot may send its token there."""
        try:
            parts = urlsplit(service)
            port = parts.port
        except ValueError:
            return False
        if parts.hostname not in self._hosts or "@" in parts.netloc:
            return False
        return parts.hostname in LOOPBACK or (parts.scheme == "https" and port in (None, 443))


def _refused(status: int) -> Response:
    return JSONResponse({"error": "refused"}, status)
