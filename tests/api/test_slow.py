"""A report that takes long holds nobody else up."""

import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.slow import slow


def test_what_draws_for_seconds_leaves_the_threads_of_the_others_alone() -> None:
    drawing, drawn = threading.Semaphore(0), threading.Event()

    @asynccontextmanager
    async def one_thread(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = 1
        yield

    app = FastAPI(lifespan=one_thread)

    @app.get("/picture/{name}")
    @slow
    def draw(name: str, wide: bool = False) -> str:
        drawing.release()
        return f"{name} {wide}" if drawn.wait(20) else "late"

    @app.get("/runs")
    def runs() -> str:
        return "runs"

    with TestClient(app) as client, ThreadPoolExecutor() as people:
        pictures = [people.submit(client.get, f"/picture/p{n}?wide=true") for n in range(3)]
        for _ in pictures:
            assert drawing.acquire(timeout=20)
        assert client.get("/runs").json() == "runs"
        drawn.set()
        assert [picture.result().json() for picture in pictures] == ["p0 True", "p1 True", "p2 True"]
