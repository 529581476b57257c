"""The only door to the engine: the Atlas API over HTTP."""

import asyncio
import base64
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from json import JSONDecodeError
from typing import Any
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
from structlog.contextvars import get_contextvars

Answer = dict[str, Any]

ENDED = ("succeeded", "refused", "failed", "cancelled")
PATIENCE = 30.0  # seconds for an answer
STORING = 2.0  # seconds: a platform waits three for its acknowledgement
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

    def __init__(self, http: httpx.AsyncClient, person: str | None = None, said: str | None = None) -> None:
        """With `person` (`platform:tenant:id`) the bot speaks for somebody in a chat, else for the token's owner.

        `said` names the message that is answered: whatever it writes is written once, however often it is answered.
        """
        self._http = http
        self.person = person
        self._said = said
        self._headers = {"Atlas-On-Behalf-Of": person} if person else {}
        self._me: Answer | None = None

    async def me(self) -> Answer:
        """Who speaks; asked once."""
        if self._me is None:
            self._me = await self._get("/me")
        return self._me

    async def link_code(self) -> Answer:
        """A code for the person the bot speaks for; a new one each time, for no answer of it is kept."""
        return await self._post("/links/codes", again=True)

    async def store(self, said: list[Answer], *, seconds: float) -> list[Answer]:
        """Keeps what people have said until it is answered: a key, a person, a text and a place each."""
        body = {"items": said, "seconds": seconds}
        items = _items(_json(await self._send("POST", "/inbox", json=body, patience=STORING)))
        if len(items) != len(said) or not all({"id", "wait"} <= item.keys() for item in items):
            raise _not_atlas()
        return items

    async def take(self, platforms: Sequence[str], *, seconds: float) -> list[Answer]:
        """What was said and is not answered, because its bot has gone."""
        body = {"platforms": [*platforms], "seconds": seconds}
        return _items(_json(await self._send("POST", "/inbox/take", json=body, patience=PATIENCE)))

    async def hold(self, held: Mapping[int, int], *, seconds: float) -> None:
        """Goes on working on what was said: numbers, each with its tries."""
        body = {"items": _held(held), "seconds": seconds}
        await self._send("POST", "/inbox/hold", json=body, patience=PATIENCE)

    async def done(self, held: Mapping[int, int]) -> None:
        """It is answered."""
        await self._send("POST", "/inbox/done", json={"items": _held(held)}, patience=PATIENCE)

    async def remember(self, about: str, value: Answer, *, seconds: float | None = None) -> None:
        """Keeps what a platform has to know again after a restart."""
        body = {"value": value, "seconds": seconds}
        await self._send("PUT", f"/memory/{_sha256(about)}", json=body, patience=PATIENCE)

    async def recall(self, about: str) -> Answer | None:
        """What was kept; None if nothing was."""
        try:
            value = (await self._get(f"/memory/{_sha256(about)}")).get("value")
        except AtlasProblem as problem:
            if problem.status == 404:
                return None
            raise
        if not isinstance(value, dict):
            raise _not_atlas()
        return value

    async def share(self, name: str, kind: str, content: bytes) -> str:
        """A link to a file, for some minutes."""
        body = {"name": name, "kind": kind, "content": base64.b64encode(content).decode()}
        answer = _json(await self._send("POST", "/files", json=body, patience=PATIENCE))
        if not isinstance(answer.get("url"), str):
            raise _not_atlas()
        return str(answer["url"])

    async def workers(self) -> list[Answer]:
        """The processes of this installation: which of them work, and why others do not."""
        return list((await self._get("/workers"))["items"])

    async def zone(self) -> ZoneInfo:
        """The person's time zone; UTC where this machine does not know it."""
        try:
            return ZoneInfo((await self.me())["timezone"])
        except (ZoneInfoNotFoundError, ValueError, KeyError, TypeError):
            return ZoneInfo("UTC")

    async def pipelines(self) -> Answer:
        return await self._all("/pipelines")

    async def datasets(self) -> Answer:
        return await self._all("/datasets")

    async def start(self, pipeline: str, *, full: bool = False) -> Answer:
        return await self._post("/runs", {"pipeline": pipeline, "full": full})

    async def schedules(self) -> Answer:
        return await self._all("/schedules")

    async def schedule(self, pipeline: str, cron: str) -> Answer:
        return await self._post(f"/schedules/{_name('pipeline', pipeline)}", {"cron": cron}, method="PUT")

    async def unschedule(self, pipeline: str) -> None:
        path = f"/schedules/{_name('pipeline', pipeline)}"
        await self._send("DELETE", path, headers=self._key("DELETE", path), patience=PATIENCE)

    async def alerts(self) -> list[Answer]:
        """Those that have not ended."""
        return _items(await self._all("/alerts", {"live": True}))

    async def alert(self, number: int) -> Answer:
        return await self._get(f"/alerts/{number}")

    async def handle(self, number: int, how: str, body: Answer | None = None) -> Answer:
        """ack, snooze, assign or resolve."""
        return await self._post(f"/alerts/{number}/{how}", body)

    async def subscribe(self, dataset: str) -> Answer:
        return await self._post(f"/datasets/{_name('dataset', dataset)}/subscriptions/me", method="PUT")

    async def unsubscribe(self, dataset: str) -> None:
        path = f"/datasets/{_name('dataset', dataset)}/subscriptions/me"
        await self._send("DELETE", path, headers=self._key("DELETE", path), patience=PATIENCE)

    async def notices(self, platforms: Sequence[str], *, wait: float) -> list[Answer]:
        """Messages about alerts that are due; waits until there are some. They are this bot's for a while."""
        body, params = {"platforms": [*platforms]}, {"wait": wait}
        answer = await self._send("POST", "/notices/lease", json=body, params=params, patience=wait + PATIENCE)
        return _items(_json(answer))

    async def notice_sent(self, notice: Answer, ref: str) -> None:
        body = {"token": notice["token"], "ref": ref, "revision": notice["alert"]["revision"]}
        await self._send("POST", f"/notices/{notice['notice']}/sent", json=body, patience=PATIENCE)

    async def notice_failed(self, notice: Answer, reason: str, *, retry: bool) -> None:
        code = re.sub("[^a-z0-9]+", "_", reason.casefold()).strip("_")[:60] or "unknown"
        body = {"token": notice["token"], "reason": code, "retry": retry}
        await self._send("POST", f"/notices/{notice['notice']}/failed", json=body, patience=PATIENCE)

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

    async def rule(self, dataset: str, column: str, type_: str | None, because: str) -> Answer:
        body = {"column": column, "type": type_, "because": because}
        return await self._post(f"/datasets/{_name('dataset', dataset)}/pii/rulings", body)

    async def reveal(self, token: str, because: str) -> Answer:
        return await self._post("/reveal", {"token": token, "because": because})

    async def dead_letters(self, dataset: str) -> Answer:
        return await self._get(f"/datasets/{_name('pipeline', dataset)}/dead-letters")

    async def replay(self, dataset: str) -> Answer:
        return await self._post(f"/datasets/{_name('pipeline', dataset)}/replay")

    async def why(self, subject: str) -> Answer:
        return await self._get(f"/why/{_name('dataset', subject)}", patience=DRAWING)

    async def columns(self, name: str) -> Answer:
        return await self._get(f"/datasets/{_name('dataset or table', name)}/columns", patience=DRAWING)

    async def rows(self, model: str, *, limit: int = 50) -> Answer:
        return await self._get(f"/models/{_name('model', model)}/rows", {"limit": limit}, patience=DRAWING)

    async def explain(self, node: str, *, direction: str) -> Answer:
        return await self._get("/lineage/explain", {"node": node, "direction": direction})

    async def lineage_picture(self, node: str) -> bytes:
        return await self._bytes("/lineage/picture", {"node": node}, "image/png")

    async def gdpr_report(self, dataset: str | None = None) -> bytes:
        return await self._bytes("/gdpr/report", {"dataset": dataset} if dataset else {}, "application/pdf")

    async def _all(self, path: str, params: Answer | None = None) -> Answer:
        """A list in one piece, whatever the pages it comes in."""
        whole: Answer = {}
        after: Answer = {}
        while True:
            page = await self._get(path, {"limit": 200, **(params or {}), **after})
            _items(page)
            whole = {key: whole.get(key, []) + page[key] for key in page if isinstance(page[key], list)}
            if page.get("next") is None:
                return whole
            after = {"after": page["next"]}

    async def _get(self, path: str, params: Answer | None = None, *, patience: float = PATIENCE) -> Answer:
        return _json(await self._send("GET", path, params=params, patience=patience))

    def _key(self, method: str, path: str, body: Answer | None = None) -> dict[str, str]:
        """What makes a write one and the same: the message and what is written, else this very call."""
        if self._said is None:
            return {"Idempotency-Key": uuid4().hex}
        about = json.dumps([self._said, method, path, body], sort_keys=True)
        return {"Idempotency-Key": _sha256(about)}

    async def _post(
        self, path: str, body: Answer | None = None, *, method: str = "POST", again: bool = False
    ) -> Answer:
        headers = {"Idempotency-Key": uuid4().hex} if again else self._key(method, path, body)
        return _json(await self._send(method, path, json=body, headers=headers, patience=PATIENCE))

    async def _bytes(self, path: str, params: Answer, media_type: str) -> bytes:
        response = await self._send("GET", path, params=params, headers={"Accept": media_type}, patience=DRAWING)
        if response.headers.get("content-type", "").split(";")[0] != media_type:
            raise AtlasProblem("unexpected", f"Atlas sent no {media_type} for `{path}`.", status=502)
        return response.content

    async def _send(self, method: str, path: str, *, patience: float, **more: Any) -> httpx.Response:
        headers = {"Accept": "application/json", **self._headers, **more.pop("headers", {})}
        if said := get_contextvars().get("request"):
            headers["X-Request-ID"] = said  # all calls for one thing that somebody said tell the same
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


def _held(held: Mapping[int, int]) -> list[Answer]:
    return [{"id": number, "tries": tries} for number, tries in held.items()]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _json(response: httpx.Response) -> Answer:
    try:
        answer = response.json()
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise _not_atlas()
    return answer


def _items(answer: Answer) -> list[Answer]:
    items = answer.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _not_atlas()
    return items


def _not_atlas() -> AtlasProblem:
    """502, whatever was answered: a platform sends again what could not be stored because of it."""
    return AtlasProblem("unexpected", "What answers at this address is not Atlas.", "Is ATLAS_API_URL right?", 502)


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
