"""Runs: start, look, watch, cancel, try again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from api import answers
from api.asked import After, Limit, Moment, Word
from api.deps import Caller, HomeDep, Number, WakeDep, needs, still
from api.watching import LOOK_EVERY, Watching
from core.errors import BadInput, Forbidden, Unauthenticated
from core.pipeline import Pipeline
from engine import catalog, faults
from engine.home import Home
from engine.runs import course, rebuild
from engine.store import runs

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


class RunRequest(BaseModel):
    """What to run."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"pipeline": "customers"}]})

    pipeline: str = Field(max_length=255)
    full: bool = Field(False, strict=True, description="Read everything anew, and accept columns that are gone.")


class Runs(BaseModel):
    """A page of runs."""

    model_config = answers.example(items=[answers.BRIEF], next=12)

    items: list[answers.Brief]
    next: int | None


class EventStream(StreamingResponse):
    """Counts as one who waits until it has ended, also if it never begins."""

    media_type = "text/event-stream"
    end: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.end()


EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "description": "One event; `data` is a run as JSON, `id` its revision.",
                    "properties": {"event": {"const": "run"}, "id": {"type": "string"}, "data": {"type": "string"}},
                    "required": ["event", "id", "data"],
                }
            }
        }
    }
}


@router.post("", status_code=202)
def start_run(
    request: RunRequest, home: HomeDep, wake: WakeDep, caller: Annotated[Caller, needs("run", somewhere=True)]
) -> answers.Run:
    """Start a run of one pipeline, or join the active one; of a model, build its table and those that read it."""
    caller.needs("run", request.pipeline)
    model = rebuild.wanted(home, request.pipeline)
    if model is not None and request.full:
        raise BadInput(f"`{model.name}` is a model: it reads no source.", hint=f"run {model.name}")
    wanted = model or _pipeline(home, request.pipeline)
    course.reap(home)
    with home.database.write() as db:
        if model is not None:
            run, joined = rebuild.start(home, db, model, caller.name, request_id=caller.request_id)
        else:
            run, joined = course.start(db, wanted, by=caller.name, full=request.full, request_id=caller.request_id)
        caller.did(db, "run.join" if joined else "run.start", f"run {run.id}")
    faults.point("start.committed")
    wake()
    return _look(home, run.id, caller, joined=joined)


@router.get("")
def list_runs(
    home: HomeDep,
    caller: Annotated[Caller, needs("read:runs", somewhere=True)],
    pipeline: Word | None = None,
    state: answers.State | None = None,
    requested_by: Word | None = None,
    since: Annotated[Moment | None, Query(description="Created then or later.")] = None,
    until: Annotated[Moment | None, Query(description="Created before then.")] = None,
    limit: Limit = 20,
    after: After = None,
) -> Runs:
    """Runs, newest first; `next` is the `after` of the next page."""
    among = caller.where("read:runs")
    with home.database.read() as db:
        found = runs.listed(
            db, among=among, pipeline=pipeline, state=state, requested_by=requested_by, since=since, until=until,
            before=after, limit=limit + 1,
        )  # fmt: skip
    if not found and pipeline is not None:
        folder = home.settings.pipelines
        known = [name for name in (*catalog.files(folder), *catalog.models(folder)) if among is None or name in among]
        if pipeline not in known:
            raise catalog.nearest("pipeline", pipeline, known)
    page, last = answers.cut(found, limit)
    return Runs(items=answers.each("runs", page, answers.brief), next=last.id if last else None)


@router.get("/{number}")
async def get_run(
    request: Request,
    number: Number,
    home: HomeDep,
    caller: Annotated[Caller, needs("read:runs")],
    seen: Annotated[str | None, Query(max_length=64)] = None,
    wait: Annotated[float, Query(ge=0, le=30)] = 0,
) -> answers.Run:
    """A run; with `seen` (a `revision`) the answer waits up to `wait` seconds for something new."""
    if seen is not None and wait:
        watching: Watching = request.app.state.watching
        end = time.monotonic() + wait
        with watching.one(caller.counted):
            while await watching.glance(number) == (seen, True) and time.monotonic() < end:
                await asyncio.sleep(LOOK_EVERY)
    return await run_in_threadpool(_look, home, number, caller)


@router.get("/{number}/events", response_class=EventStream, responses=EVENTS)
async def watch_run(
    request: Request, number: Number, home: HomeDep, caller: Annotated[Caller, needs("read:runs")]
) -> EventStream:
    """A run as server-sent events: one `run` at each change, until it has ended."""
    watching: Watching = request.app.state.watching
    answer = await run_in_threadpool(_look, home, number, caller)

    async def changes(answer: answers.Run) -> AsyncIterator[str]:
        while True:
            yield f"event: run\nid: {answer.revision}\ndata: {answer.model_dump_json()}\n\n"
            if answer.state not in runs.ACTIVE:
                return
            quiet = time.monotonic() + 15
            while await watching.glance(number) == (answer.revision, True):
                if time.monotonic() > quiet:
                    yield ": still here\n\n"  # keeps proxies from closing a silent connection
                    quiet += 15
                await asyncio.sleep(LOOK_EVERY)
            try:  # rights may have gone since the stream began
                now = await run_in_threadpool(still, request, "read:runs", answer.pipeline)
            except (Unauthenticated, Forbidden):
                return
            answer = await run_in_threadpool(_look, home, number, now)

    stream = EventStream(changes(answer))
    stream.end = partial(watching.end, caller.counted)
    watching.begin(caller.counted)  # the last thing here, so that what was counted always ends
    return stream


@router.post("/{number}/cancel")
def cancel_run(number: Number, home: HomeDep, caller: Annotated[Caller, needs("run")]) -> answers.Run:
    """Ask a run to stop."""
    course.reap(home)
    with home.database.write() as db:
        asked = runs.get(db, number).cancel_requested
        run = course.cancel(home, db, number)
        caller.did(db, "run.cancel", f"run {number}", changed=not asked or run.state not in runs.ACTIVE)
    return _look(home, number, caller)


@router.post("/{number}/retry", status_code=202)
def retry_run(number: Number, home: HomeDep, wake: WakeDep, caller: Annotated[Caller, needs("run")]) -> answers.Run:
    """A new run from the first step that did not finish."""
    course.reap(home)
    with home.database.read() as db:
        name = runs.get(db, number).pipeline
    model = rebuild.wanted(home, name)
    with home.database.write() as db:
        if model is not None:
            run, joined = rebuild.retry(home, db, number, model, caller.name, request_id=caller.request_id)
        else:
            wanted = catalog.pipeline(home.settings.pipelines, name)
            run, joined = course.retry(home, db, number, wanted, by=caller.name, request_id=caller.request_id)
        caller.did(db, "run.retry", f"run {run.id}")
    wake()
    return _look(home, run.id, caller, joined=joined)


def _pipeline(home: Home, name: str) -> Pipeline:
    """A pipeline. Raises NotFound with the nearest names, those of models too."""
    folder = home.settings.pipelines
    known = catalog.files(folder)
    if name not in known:
        raise catalog.nearest("pipeline", name, known, catalog.models(folder))
    return catalog.pipeline(folder, name)


def _look(home: Home, number: int, caller: Caller, *, joined: bool = False) -> answers.Run:
    with home.database.read() as db:
        return answers.run(db, number, caller, joined=joined)
