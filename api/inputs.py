"""What a request may carry: JSON that is small, whole, in time, and that a database can hold."""

import asyncio
import json
import math
import re
from typing import Any, NoReturn

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.objects import BODY
from api.problems import answer
from api.slow import parsing
from core.errors import AtlasError, BadInput, TooLarge, TooSlow, UnsupportedMediaType

LARGEST = 65_536  # bytes of a body
# the routes that take more, and those that need less: anybody may send them something
LARGEST_OF = {
    "/api/v1/files": 1_000_000, "/api/v1/inbox": 1_000_000, "/api/v1/pipelines/validate": 262_144,
    "/api/v1/auth/token": 4_096, "/api/v1/auth/refresh": 4_096, "/api/v1/auth/logout": 4_096,
}  # fmt: skip
MOST = 20_000  # values of a body: to look at each takes far longer than to parse it
SMALL = 4_096  # bytes that are parsed within a millisecond or two
SLOWEST = 30.0  # seconds for a whole body
DEEPEST = 64  # lists and objects in each other

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # PostgreSQL takes no NUL, UTF-8 no half of a pair


class Inputs:
    """Reads the body before anything else does; what comes through is JSON or nothing."""

    def __init__(self, app: ASGIApp, seconds: float = SLOWEST) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            if "\0" in scope["path"]:
                raise _bad("path", "has a NUL character")
            if b"%00" in scope["query_string"]:
                raise _bad("query", "has a NUL character")
            body = await self._body(headers, receive, LARGEST_OF.get(scope["path"], LARGEST))
            if body is None:  # the client has gone
                return
            if body:
                _check_kind(headers)
                if len(body) > SMALL:
                    await parsing(_check, body)
                else:
                    _check(body)  # it takes less than the change to another thread would
        except AtlasError as error:
            await answer(error)(scope, receive, send)
            return
        scope.setdefault("state", {})[BODY] = body
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)

    async def _body(self, headers: Headers, receive: Receive, largest: int) -> bytes | None:
        length = headers.get("content-length", "0")
        if len(length) > 12 or (length.isdecimal() and int(length) > largest):
            raise _too_large(largest)
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(self.seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > largest:
                        raise _too_large(largest)
        except TimeoutError:
            raise TooSlow(f"The body did not arrive within {self.seconds:g} s.", hint="Send it again.") from None
        return bytes(body)


def _check_kind(headers: Headers) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        said = "another Content-Type" if kind else "no Content-Type"
        raise UnsupportedMediaType(f"The body has {said}.", hint="Send JSON, with `Content-Type: application/json`.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("The body has a Content-Encoding.", hint="Send it as it is.")


def _check(body: bytes) -> None:
    """Raises BadInput, which never repeats what was sent."""
    try:
        value = json.loads(body.decode(), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _bad("body", f"is not JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError:
        raise _bad("body", "is not UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise _bad("body", "has a number that is too large") from None
    level, values = [value], 1
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif isinstance(item, str):
                if _NOT_TEXT.search(item):
                    raise _bad("body", "has a text with a NUL character or half of a surrogate pair")
            elif isinstance(item, int | float) and not (-(2**63) <= item < 2**63 or _is_large_but_finite(item)):
                raise _bad("body", "has a number that is too large")
        values += len(inner)
        if values > MOST:
            raise _bad("body", f"has more than {MOST} values")
        if not inner:
            return
        level = inner
    raise _too_deep()


def _is_large_but_finite(number: float) -> bool:
    return isinstance(number, float) and math.isfinite(number)


def _no_constant(_: str) -> NoReturn:
    raise _bad("body", "is not JSON: NaN and Infinity are no numbers")


def _bad(where: str, message: str) -> BadInput:
    error = BadInput(f"{where}: {message}")
    error.members["errors"] = [{"field": where, "message": message}]
    return error


def _too_deep() -> BadInput:
    return _bad("body", f"is nested more than {DEEPEST} deep")


def _too_large(largest: int) -> TooLarge:
    return TooLarge(f"The body is larger than {largest} bytes.", hint="Send less at a time.")
