"""Who sends a body is known before a byte of it is read: else nobody at all could keep every thread busy."""

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.deps import must_be_known, no_token
from api.problems import answer, no_database
from core.errors import Unauthenticated

OPEN = ("/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/auth/logout")  # before signing in there is no token


class Known:
    """Refuses a body that comes without a good token. The routes ask again who it is, and what they may do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            request = Request(scope)
            if "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0":
                try:
                    if "authorization" not in request.headers:  # it needs no thread to be refused
                        raise no_token()
                    await run_in_threadpool(must_be_known, request)
                except Unauthenticated as error:
                    await answer(error)(scope, receive, send)
                    return
                except (OperationalError, NoneFree):
                    await no_database()(scope, receive, send)
                    return
        await self.app(scope, receive, send)
