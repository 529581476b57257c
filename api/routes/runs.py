"""Runs: start, look, watch, cancel, try again."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api import answers
from api.deps import Caller, HomeDep, Number, WakeDep, needs
from engine import catalog, pipeline
from engine.home import Home
from engine.store import runs

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])

LOOK_EVERY = 0.1  # seconds between two looks at a run that somebody watches


class RunRequest(BaseModel):
    """What to run."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"pipeline": "customers"}]})

    pipeline: str = Field(max_length=255)
    full: bool = Field(False, description="Read everything anew, and accept columns that are gone.")


@router.post("", status_code=202)
def start_run(request: RunRequest, home: HomeDep, wake: WakeDep, caller: Annotated[Caller, needs("run")]) -> Any:
    """Start a run of one pipeline, or join the active one."""
    wanted = catalog.pipeline(home.settings.pipelines, request.pipeline)
    with home.database.write() as db:
        run, joined = pipeline.start(db, wanted, by=caller.name, full=request.full)
    wake()
    with home.database.read() as db:
        return answers.run(db, runs.get(db, run.id), joined=joined)


@router.get("")
def list_runs(
    home: HomeDep,
    _: Annotated[Caller, needs("read:runs")],
    pipeline: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    after: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> dict[str, Any]:
    """Runs, newest first; `next` is the `after` of the next page."""
    if pipeline is not None:
        known = catalog.files(home.settings.pipelines)
        if pipeline not in known:
            raise catalog.nearest("pipeline", pipeline, known)
    with home.database.read() as db:
        page = runs.page(db, pipeline=pipeline, before=after, limit=limit)
        items = [answers.brief(db, run) for run in page]
    return {"items": items, "next": page[-1].id if len(page) == limit else None}


@router.get("/{number}")
async def get_run(
    number: Number,
    home: HomeDep,
    _: Annotated[Caller, needs("read:runs")],
    seen: str | None = None,
    wait: Annotated[float, Query(ge=0, le=30)] = 0,
) -> Any:
    """A run; with `seen` (a `revision`) the answer waits up to `wait` seconds for something new."""
    end = time.monotonic() + wait
    answer = await run_in_threadpool(_look, home, number)
    while answer["revision"] == seen and answer["state"] in runs.ACTIVE and time.monotonic() < end:
        await asyncio.sleep(LOOK_EVERY)
        answer = await run_in_threadpool(_look, home, number)
    return answer


@router.get("/{number}/events", response_class=StreamingResponse)
async def watch_run(number: Number, home: HomeDep, _: Annotated[Caller, needs("read:runs")]) -> StreamingResponse:
    """A run as server-sent events: one `run` at each change, until it has ended."""
    answer = await run_in_threadpool(_look, home, number)

    async def events(answer: dict[str, Any]) -> AsyncIterator[str]:
        while True:
            yield f"event: run\nid: {answer['revision']}\ndata: {json.dumps(answer)}\n\n"
            if answer["state"] not in runs.ACTIVE:
                return
            seen, quiet = answer["revision"], time.monotonic() + 15
            while answer["revision"] == seen:
                if time.monotonic() > quiet:
                    yield ": still here\n\n"  # keeps proxies from closing a silent connection
                    quiet += 15
                await asyncio.sleep(LOOK_EVERY)
                answer = await run_in_threadpool(_look, home, number)

    return StreamingResponse(events(answer), media_type="text/event-stream")


@router.post("/{number}/cancel")
def cancel_run(number: Number, home: HomeDep, _: Annotated[Caller, needs("run")]) -> Any:
    """Ask a run to stop."""
    with home.database.write() as db:
        run = runs.cancel(db, number)
        pipeline.report_end(home, db, run)
    return _look(home, number)


@router.post("/{number}/retry", status_code=202)
def retry_run(number: Number, home: HomeDep, wake: WakeDep, caller: Annotated[Caller, needs("run")]) -> Any:
    """A new run from the first step that did not finish."""
    with home.database.write() as db:
        wanted = catalog.pipeline(home.settings.pipelines, runs.get(db, number).pipeline)
        run, joined = pipeline.retry(home, db, number, wanted, by=caller.name)
    wake()
    with home.database.read() as db:
        return answers.run(db, runs.get(db, run.id), joined=joined)


def _look(home: Home, number: int) -> dict[str, Any]:
    with home.database.read() as db:
        return answers.run(db, runs.get(db, number))
