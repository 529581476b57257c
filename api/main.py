"""The app: its routes, and what every request and answer must be."""

import gc
import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.types import ASGIApp

from api import answers, problems, routes
from api.headers import SecurityHeaders
from api.hosts import Hosts
from api.idempotency import Idempotency
from api.inputs import Inputs
from api.known import Known
from api.limits import ByAddress, Limits
from api.metrics import Metrics
from api.observe import Observe
from api.watching import Watching
from engine.access import signing
from engine.access.signing import SigningKeys
from engine.home import Home
from engine.ops.health import Health
from engine.store import facts

IN_PROCESS = "http://localhost"  # how a client in the same process calls this app


THREADS = 3  # Python runs one at a time: more of them only change places
NEEDED = ("jwt", "pwdlib.hashers.argon2")  # by every server; a terminal, which has this app inside, does without


@asynccontextmanager
async def _tuned(_: FastAPI) -> AsyncIterator[None]:
    """A server that is asked by many at once: few threads, all loaded before the first of them comes, and a collector
    that leaves alone what stays anyway.

    A full collection over everything that was imported takes a tenth of a second, and comes every other second.
    """
    for name in NEEDED:
        importlib.import_module(name)
    current_default_thread_limiter().total_tokens = THREADS
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def create_app(home: Home, wake: Callable[[], None], *, loopback: bool = True) -> FastAPI:
    """The API over a home; `wake` is called after a commit that made work ready."""
    app = App(
        title="Atlas",
        version="1",
        description="Start runs, read quality, lineage and findings, and produce reports.",
        openapi_url=None,  # served by a route that asks for a token
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_tuned,
        redirect_slashes=False,  # it would send people on to whatever the Host header says
    )
    app.state.home, app.state.wake = home, wake
    app.state.keys = signing_keys(home)
    app.state.watching = Watching(home)
    app.state.metrics, app.state.health = Metrics(home), Health(home)
    problems.install(app)
    for module in pkgutil.iter_modules(routes.__path__):
        router = importlib.import_module(f"api.routes.{module.name}").router
        app.include_router(router, responses=answers.PROBLEMS)
    app.state.limits = Limits(home.settings)
    # the last one added is the first one asked: what costs least refuses first, and a web page that may not call
    # this server cannot use up the limit of the person who looks at it
    app.add_middleware(Idempotency)
    app.add_middleware(Inputs)
    app.add_middleware(Known)
    app.add_middleware(ByAddress, app.state.limits)
    app.add_middleware(Hosts, home.settings.host_names, loopback=loopback)
    app.add_middleware(Observe, requests=app.state.metrics.requests)  # the last one added stands outside of all others
    return app


class App(FastAPI):
    """Has the headers outside of all else: Starlette too answers, where every other part has failed."""

    def build_middleware_stack(self) -> ASGIApp:
        return SecurityHeaders(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        """With the one shape that every error has; and what a query does not name is not there, never null."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["schemas"].update(answers.problem_schema())
            for operation in (operation for methods in document["paths"].values() for operation in methods.values()):
                for parameter in operation.get("parameters", ()):
                    given = [kind for kind in parameter["schema"].pop("anyOf", ()) if kind != {"type": "null"}]
                    parameter["schema"].update(given[0] if len(given) == 1 else {"anyOf": given} if given else {})
        return super().openapi()


def signing_keys(home: Home) -> SigningKeys:
    """The keys of access tokens; only an embedded home makes one by itself, many servers must share theirs."""
    with home.database.read() as db:
        issuer = f"atlas:{facts.known_installation(db)}"
    return SigningKeys(signing.folder(home.settings), issuer, make=home.database.embedded)
