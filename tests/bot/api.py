"""The network's other end: an API that plays one pipeline, `customers`, whose runs go on until they are told to end."""

import json
from typing import Any

import httpx

IDLE: dict[str, Any] = {"state": "waiting", "rows": 0, "parts": 0, "parts_done": 0}


CHANGE: dict[str, Any] = {"since": 11, "contract": False, "score": "-2.3", "dimensions": {}}


def run(**other: Any) -> dict[str, Any]:
    """A run as the API tells it."""
    told: dict[str, Any] = {
        "run": 12, "pipeline": "customers", "dataset": "customers", "owner": "crm-team", "version": 7, "step": None,
        "state": "succeeded", "layers": layers("done", "done", "done"), "files": 3, "rows_in": 10214, "rows_out": 10177,
        "rows_rejected": 37, "rejected_for": [],
        "score": "94.1", "change": CHANGE, "measured": 5, "not_measured": [], "minimum_score": 90,
        "dimensions": {"completeness": "91.0", "accuracy": None},
        "worst": [{"check": "email is filled in", "fault": "email is empty", "column": "email",
                   "dimension": "completeness", "failed": 918,
                   "tested": 10214, "note": None, "points": "1.5"}],
        "personal_columns": [
            {"column": "name", "types": ["PERSON"], "action": "hash", "scope": "column", "masked": 10177},
            {"column": "notes", "types": ["PERSON"], "action": "redact", "scope": "spans", "masked": 1204},
        ],
        "found_elsewhere": [], "warnings": [], "error": None, "seconds": "2.4", "requested_by": "kim",
        "tables": [{"name": "customers_by_city", "rows": 12, "state": "built", "note": None}],
        "created_at": "2026-03-02T05:00:00.000Z", "started_at": "2026-03-02T05:00:00.000Z",
        "finished_at": "2026-03-02T05:00:02.400Z", "full": False, "retry_of": None, "resumed": False, "joined": False,
        "cancel_requested": False, "last_good": 11, "revision": "r9",
    }  # fmt: skip
    return {**told, **other}


def layers(*states: str) -> list[dict[str, Any]]:
    names = ("explore", "chart", "navigate")
    return [{**IDLE, "layer": name, "state": state} for name, state in zip(names, states, strict=True)]


class Api:
    """Plays the steps of a run, one at each look."""

    def __init__(self, steps: list[dict[str, Any]] | None = None) -> None:
        self.steps = steps or [run()]
        self.calls: list[str] = []
        self.at = 0

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer), base_url="http://atlas")

    async def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1")
        self.calls.append(f"{request.method} {path}")
        if path == "/me":
            rights = ["run", "read:runs", "read:catalog", "read:quality"]
            return _json(
                {"user": "kim", "role": "operator", "rights": rights, "somewhere": [], "timezone": "Europe/Copenhagen"}
            )
        if path == "/pipelines":
            item = {"name": "customers", "owner": "crm-team", "schedule": None, "next_at": None, "last_run": None}
            return _json({"items": [item], "next": None})
        if path == "/datasets":
            return _json({"items": [], "next": None})
        if path == "/runs" and request.method == "POST":
            wanted = json.loads(request.content)["pipeline"]
            if wanted != "customers":
                return problem(404, "not_found", f"There is no pipeline `{wanted}`.", "Did you mean customers?",
                               nearest=["customers"])  # fmt: skip
            return _json(self.steps[0])
        if path == "/runs/12/cancel":
            self.steps = [run(state="cancelled", layers=layers("failed", "waiting", "waiting"), version=None,
                              revision="rc", cancel_requested=True)]  # fmt: skip
            self.at = 0
            return _json(self.steps[0])
        if path == "/runs/12":
            self.at = min(self.at + 1, len(self.steps) - 1)
            if request.url.params.get("seen") == self.steps[self.at]["revision"]:
                import asyncio

                await asyncio.sleep(0.02)
            return _json(self.steps[self.at])
        if path == "/runs/11":
            return _json(run(run=11))
        return problem(404, "not_found", "Not Found", None)


def _json(body: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=body)


def problem(status: int, code: str, detail: str, hint: str | None, **more: Any) -> httpx.Response:
    body = {"type": f"urn:atlas:problem:{code}", "title": code, "status": status, "detail": detail, "code": code,
            "hint": hint, **more}  # fmt: skip
    return httpx.Response(status, json=body, headers={"Content-Type": "application/problem+json"})


def played() -> list[dict[str, Any]]:
    """A run from the queue to its end."""
    empty = {"rows_in": None, "rows_out": None, "rows_rejected": None, "measured": None, "score": None, "tables": [],
             "personal_columns": [], "version": None, "worst": []}  # fmt: skip
    reading = [{**IDLE, "layer": "explore", "state": "running", "rows": 6000, "parts": 3, "parts_done": 1}]
    return [
        run(**empty, state="queued", layers=layers("waiting", "waiting", "waiting"), revision="r1"),
        run(**empty, state="running", layers=reading + layers("done", "waiting", "waiting")[1:], revision="r2"),
        run(**{**empty, "rows_in": 10214}, state="running", layers=layers("done", "running", "waiting"), revision="r3"),
        run(),
    ]
