"""The app: its routes, and what every request and answer must be."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems, routes
from engine.home import Home

IN_PROCESS = "http://atlas"  # how a client in the same process calls this app
LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "atlas")


def create_app(home: Home, wake: Callable[[], None], *, loopback: bool = True) -> FastAPI:
    """The API over a home; `wake` is called after a commit that made work ready."""
    app = FastAPI(
        title="Atlas",
        version="1",
        description="Start runs, read quality, lineage and findings, and produce reports.",
        openapi_url=None,  # served by a route that asks for a token
        docs_url=None,
        redoc_url=None,
    )
    app.state.home, app.state.wake = home, wake
    problems.install(app)
    for module in pkgutil.iter_modules(routes.__path__):
        app.include_router(importlib.import_module(f"api.routes.{module.name}").router)
    if loopback:
        app.add_middleware(OnlyThisHost)
    return app


class OnlyThisHost:
    """Refuses requests that a web page made to reach a server on this machine (DNS rebinding, other origins)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if not _known(headers.get("host", "")) or (origin is not None and not _known(origin.partition("://")[2])):
                answer: Any = problems.problem(403, "wrong_host", "This server answers only to its own name.")
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _known(host: str) -> bool:
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name in LOOPBACK
