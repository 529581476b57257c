"""The only door to the engine: the Atlas API over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator
from json import JSONDecodeError
from typing import Any
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx

Answer = dict[str, Any]

ENDED = ("succeeded", "refused", "failed", "cancelled")
PATIENCE = 30.0  # seconds for an answer
DRAWING = 120.0  # seconds for a picture or a report
LOOK = 20.0  # seconds that the API may wait for something new about a run
WATCH = 12 * 3600.0  # seconds that a run is watched
TRIES = 8  # in a row, while a run is watched: the API may be restarting


class AtlasProblem(Exception):
    """The API refused or could not be reached: what to say, and what would work."""

    def __init__(
        self, code: str, message: str, hint: str | None = None, status: int = 0, nearest: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.status = status
        self.nearest = nearest


class Atlas:
    """The API as one person sees it; `http` brings the address, the token and the way there."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._me: Answer | None = None

    async def me(self) -> Answer:
        """Who speaks; asked once."""
        if self._me is None:
            self._me = await self._get("/me")
        return self._me

    async def zone(self) -> ZoneInfo:
        """The person's time zone; UTC where this machine does not know it."""
        try:
            return ZoneInfo((await self.me())["timezone"])
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    async def pipelines(self) -> Answer:
        return await self._get("/pipelines")

    async def datasets(self) -> Answer:
        return await self._get("/datasets")

    async def start(self, pipeline: str, *, full: bool = False) -> Answer:
        return await self._post("/runs", {"pipeline": pipeline, "full": full})

    async def runs(self, pipeline: str | None = None, *, limit: int = 20) -> Answer:
        return await self._get("/runs", {"limit": limit} | ({"pipeline": pipeline} if pipeline else {}))

    async def run(self, number: int) -> Answer:
        return await self._get(f"/runs/{number}")

    async def cancel(self, number: int) -> Answer:
        return await self._post(f"/runs/{number}/cancel")

    async def retry(self, number: int) -> Answer:
        return await self._post(f"/runs/{number}/retry")

    async def watch(self, run: Answer, *, deadline: float = WATCH) -> AsyncIterator[Answer]:
        """The run as it is and at each change, until it has ended. Raises AtlasProblem `still_running` at the deadline.

        Asks with what was seen last, and the API answers when there is something new: that works the same through
        any transport and proxy, where an event stream is held back by those that buffer.
        """
        end, failures = time.monotonic() + deadline, 0
        yield run
        while run["state"] not in ENDED:
            left = end - time.monotonic()
            if left <= 0:
                raise AtlasProblem(
                    "still_running", f"Run #{run['run']} still runs; it goes on without me.", f"status {run['run']}"
                )
            wait = min(LOOK, left)
            try:
                seen = await self._get(
                    f"/runs/{run['run']}", {"seen": run["revision"], "wait": round(wait, 3)}, patience=wait + PATIENCE
                )
            except AtlasProblem as problem:
                failures += 1
                if problem.status not in (0, 502, 503, 504) or failures >= TRIES:
                    raise
                await asyncio.sleep(min(0.1 * 2**failures, max(0.0, end - time.monotonic())))
                continue
            failures = 0
            if seen["revision"] != run["revision"]:
                run = seen
                yield run

    async def quality(self, dataset: str) -> Answer:
        return await self._get(f"/datasets/{_name('dataset', dataset)}/quality")

    async def trend(self, dataset: str) -> Answer:
        return await self._get(f"/datasets/{_name('dataset', dataset)}/quality/trend")

    async def quality_picture(self, dataset: str, *, trend: bool = False) -> bytes:
        path = f"/datasets/{_name('dataset', dataset)}/quality/picture"
        return await self._bytes(path, {"trend": trend}, "image/png")

    async def pii(self, dataset: str) -> Answer:
        return await self._get(f"/datasets/{_name('dataset', dataset)}/pii")

    async def dead_letters(self, dataset: str) -> Answer:
        return await self._get(f"/datasets/{_name('pipeline', dataset)}/dead-letters")

    async def replay(self, dataset: str) -> Answer:
        return await self._post(f"/datasets/{_name('pipeline', dataset)}/replay")

    async def why(self, subject: str) -> Answer:
        return await self._get(f"/why/{_name('dataset', subject)}", patience=DRAWING)

    async def rows(self, model: str, *, limit: int = 50) -> Answer:
        return await self._get(f"/models/{_name('model', model)}/rows", {"limit": limit}, patience=DRAWING)

    async def explain(self, node: str, *, direction: str) -> Answer:
        return await self._get("/lineage/explain", {"node": node, "direction": direction})

    async def lineage_picture(self, node: str) -> bytes:
        return await self._bytes("/lineage/picture", {"node": node}, "image/png")

    async def gdpr_report(self, dataset: str | None = None) -> bytes:
        return await self._bytes("/gdpr/report", {"dataset": dataset} if dataset else {}, "application/pdf")

    async def gdpr_record(self, dataset: str | None = None) -> Answer:
        return await self._get("/gdpr/report", {"dataset": dataset} if dataset else {}, patience=DRAWING)

    async def _get(self, path: str, params: Answer | None = None, *, patience: float = PATIENCE) -> Answer:
        return _json(await self._send("GET", path, params=params, patience=patience))

    async def _post(self, path: str, body: Answer | None = None) -> Answer:
        headers = {"Idempotency-Key": uuid4().hex}
        return _json(await self._send("POST", path, json=body, headers=headers, patience=PATIENCE))

    async def _bytes(self, path: str, params: Answer, media_type: str) -> bytes:
        response = await self._send("GET", path, params=params, headers={"Accept": media_type}, patience=DRAWING)
        if response.headers.get("content-type", "").split(";")[0] != media_type:
            raise AtlasProblem("unexpected", f"Atlas sent no {media_type} for `{path}`.", status=response.status_code)
        return response.content

    async def _send(self, method: str, path: str, *, patience: float, **more: Any) -> httpx.Response:
        headers = {"Accept": "application/json", **more.pop("headers", {})}
        address = self._http.base_url.host
        try:
            # the transport that stays in this process knows no time-outs of its own
            async with asyncio.timeout(patience):
                response = await self._http.request(
                    method, f"/api/v1{path}", headers=headers, timeout=httpx.Timeout(patience, connect=10.0), **more
                )
        except (TimeoutError, httpx.TimeoutException):
            raise AtlasProblem(
                "timeout", f"Atlas at {address} did not answer within {patience:.0f} s.", "Try again in a moment."
            ) from None
        except httpx.HTTPError as error:
            raise AtlasProblem(
                "unreachable",
                f"Atlas at {address} cannot be reached ({type(error).__name__}).",
                "Is `atlas serve` running there, and is ATLAS_API_URL right?",
            ) from error
        if response.is_success:
            return response
        raise _problem(response)


def _json(response: httpx.Response) -> Answer:
    try:
        answer = response.json()
    except (JSONDecodeError, UnicodeDecodeError):
        answer = None
    if not isinstance(answer, dict):
        raise AtlasProblem("unexpected", "What answers at this address is not Atlas.", "Is ATLAS_API_URL right?",
                           response.status_code)  # fmt: skip
    return answer


def _problem(response: httpx.Response) -> AtlasProblem:
    """RFC 9457 as the API writes it; anything else comes from a proxy, and its words stay out of the chat."""
    status = response.status_code
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            told = response.json()
        except (JSONDecodeError, UnicodeDecodeError):
            told = None
        if isinstance(told, dict):
            message = str(told.get("detail") or told.get("title") or f"Atlas answered {status}.")
            hint = told.get("hint")
            nearest = tuple(map(str, told.get("nearest") or ()))
            return AtlasProblem(
                str(told.get("code") or "failed"), message, str(hint) if hint else None, status, nearest
            )
    return AtlasProblem("http_error", f"Something in front of Atlas answered {status} ({response.reason_phrase}).",
                        "Try again in a moment." if status >= 500 else None, status)  # fmt: skip


def _name(kind: str, name: str) -> str:
    """A name as one segment of a path. Raises AtlasProblem for what can be none."""
    if "/" in name or "\\" in name or not name.strip(".") or len(name) > 255:
        raise AtlasProblem("not_found", f"There is no {kind} `{name[:60]}`.", "datasets", 404)
    return quote(name, safe="")
