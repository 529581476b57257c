"""How often one address, and one token, may ask: counted in Redis if that is the broker, else in memory."""

import logging
import math
import threading
import time

from fastapi import Request
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from api.inside import is_inside
from api.problems import answer
from core import networks
from core.errors import TooMany
from core.settings import Settings

log = logging.getLogger("atlas.api")

SIGN_IN = ("/api/v1/auth/", "/api/v1/links/confirm")
PATIENCE = 0.5  # seconds that Redis has for an answer
PAUSE = 10.0  # seconds until Redis is asked again after it did not answer


class Limits:
    """Counts, and refuses what is too many. When Redis does not answer this process counts for itself."""

    def __init__(self, settings: Settings, prefix: str = "atlas-limits", pause: float = PAUSE) -> None:
        self._per_address = parse(settings.limit_per_address)
        self._sign_in = parse(settings.limit_sign_in)
        self._per_token = parse(settings.limit_per_token)
        self._memory = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._one = threading.Lock()  # two at once both start the storage's timer, and the second fails
        self._redis = _redis(settings.broker_url.get_secret_value(), prefix)
        self._pause, self._paused_until = pause, 0.0

    @property
    def in_memory(self) -> bool:
        return self._redis is None

    def address(self, name: str, path: str) -> None:
        """A request from an address. Raises TooMany."""
        self._count(self._per_address, "address", name)
        if path.startswith(SIGN_IN):
            self._count(self._sign_in, "sign-in", name)

    def token(self, principal: str) -> None:
        """A request with a token. Raises TooMany."""
        self._count(self._per_token, "token", principal)

    def _count(self, limit: RateLimitItem, kind: str, who: str) -> None:
        if self._redis is not None and time.monotonic() >= self._paused_until:
            try:
                seconds = _seconds(self._redis, limit, kind, who)
            except StorageError as error:
                if not self._paused_until:
                    cause = type(error.storage_error).__name__
                    log.warning("Redis does not answer (%s): each process counts requests for itself", cause)
                self._paused_until = time.monotonic() + self._pause
            else:
                self._paused_until = 0.0
                return _refuse(seconds)
        with self._one:
            seconds = _seconds(self._memory, limit, kind, who)
        return _refuse(seconds)


class ByAddress:
    """Every request from the network counts for its address."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_inside(scope):
            try:
                if self.limits.in_memory:  # it takes less than the change to another thread would
                    self.limits.address(address(scope), scope["path"])
                else:
                    await run_in_threadpool(self.limits.address, address(scope), scope["path"])
            except TooMany as error:
                await answer(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def seconds_to_wait(request: Request, principal: str) -> int:
    """Counts for a caller who is one of many in a request; 0 if it is not too many."""
    limits: Limits = request.app.state.limits
    try:
        limits.token(principal)
    except TooMany as refused:
        return refused.seconds
    return 0


def limit_caller(request: Request, principal: str) -> None:
    """Counts a request for its caller; `principal` names a token and is not the token itself. Raises TooMany."""
    limits: Limits = request.app.state.limits
    limits.token(principal)


def address(scope: Scope) -> str:
    """The network that counts as one client."""
    return networks.near(scope["client"][0]) if scope["client"] else networks.UNKNOWN


def _redis(url: str, prefix: str) -> SlidingWindowCounterRateLimiter | None:
    if not url.startswith(("redis://", "rediss://")):
        return None
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "retry": Retry(NoBackoff(), 0)}
    storage = RedisStorage(url, key_prefix=prefix, wrap_exceptions=True, **options)  # type: ignore[arg-type]
    return SlidingWindowCounterRateLimiter(storage)


def _seconds(counter: SlidingWindowCounterRateLimiter, limit: RateLimitItem, kind: str, who: str) -> int:
    """How long to wait before the next try; 0 if this one is not too many."""
    if counter.hit(limit, kind, who):
        return 0
    return max(1, math.ceil(counter.get_window_stats(limit, kind, who).reset_time - time.time()))


def _refuse(seconds: int) -> None:
    if seconds:
        raise TooMany("Too many requests.", seconds=seconds)
