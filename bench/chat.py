"""How soon Slack and Teams are told that something arrived, which is stored by then: one after another, 50 at once,
and while a run of a million rows goes on in the same process."""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import httpx

from bench.machine import ATLAS, atlas, environment, tell
from bench.million import MODEL, PIPELINE, write_customers
from engine.store import access, links
from engine.store.database import Database
from engine.store.links import Identity
from tests.mocks import slack as mock
from tests.mocks import teams as mock_teams

REQUESTS, AT_ONCE, PEOPLE = 500, 50, 20
ROWS = 3_000_000  # a run of a million may be over before 500 requests are


def measure() -> None:
    with tempfile.TemporaryDirectory() as name, _slack() as slack, _teams() as teams:
        folder = Path(name)
        (folder / "pipelines" / "navigate").mkdir(parents=True)
        (folder / "pipelines" / "customers.yml").write_text(PIPELINE, encoding="utf-8")
        (folder / "pipelines" / "navigate" / "by_country.sql").write_text(MODEL, encoding="utf-8")
        write_customers(folder / "pipelines" / "customers.csv", ROWS)
        atlas(folder, "say", "status")
        _know_people(folder)
        with _served(folder, slack.settings | teams.settings) as door:
            for chat in (slack, teams):
                at = f"{door}{chat.path}"
                _tell(chat.name, "one after another", asyncio.run(_say(chat, at, 1)), (15, 75))
                _tell(chat.name, f"{AT_ONCE} at once", asyncio.run(_say(chat, at, AT_ONCE)), (None, 600))
                for clients, must in ((1, (15, 75)), (AT_ONCE, (None, 600))):
                    headers, body = chat.said("run customers --full", 0)
                    httpx.post(at, content=body, headers=headers).raise_for_status()
                    while _state(folder) != "running":  # after what is to be answered before
                        time.sleep(0.1)
                    how = f"{clients} at once" if clients > 1 else "one after another"
                    times = asyncio.run(_say(chat, at, clients))
                    _tell(chat.name, f"{how}, during a run of 3M rows", times, must)
                    going = _state(folder)
                    tell("  the run went on all the while", "yes" if going == "running" else f"no, {going}", "yes")
                    while _state(folder) in ("queued", "running"):
                        time.sleep(0.5)


@dataclass(frozen=True)
class Chat:
    """A platform that is played, and what it sends when the nth person says something."""

    name: str
    path: str
    settings: dict[str, str]
    said: Callable[[str, int], tuple[dict[str, str], str]]


async def _say(chat: Chat, door: str, clients: int) -> list[float]:
    """The seconds until each message was acknowledged; each client says the next as soon as one is."""
    said = iter([chat.said("status", n % PEOPLE) for n in range(REQUESTS)])
    times: list[float] = []

    async def client(http: httpx.AsyncClient) -> None:
        await http.get(door.replace(chat.path, "/healthz"))  # opens the connection
        for headers, body in said:
            start = time.perf_counter()
            answer = await http.post(door, content=body, headers=headers)
            times.append(time.perf_counter() - start)
            assert answer.status_code == 200, answer.status_code

    async def one() -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            await client(http)

    await asyncio.gather(*(one() for _ in range(clients)))
    return sorted(times)


def _tell(name: str, how: str, times: list[float], must: tuple[float | None, float]) -> None:
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    most = f"p50 < {must[0]}, p99 < {must[1]} ms" if must[0] else f"p99 < {must[1]} ms"
    tell(f"{name} is answered, {how}: p50 {p50:.1f}, p99", f"{p99:.1f} ms", most)
    tell("  the slowest of all", f"{times[-1] * 1000:.0f} ms", "< 2500 ms")


def _know_people(folder: Path) -> None:
    database = Database(f"sqlite:///{folder / 'home' / 'atlas.db'}")
    with database.write() as db:
        user = access.add_user(db, "bench", "operator")
        for n in range(PEOPLE):
            links.link(db, Identity("slack", mock.TEAM, f"U0PERSON{n}"), user, "bench")
            links.link(db, Identity("teams", mock_teams.TENANT, f"person-{n}"), user, "bench")
    database.close()


def _state(folder: Path) -> str:
    database = Database(f"sqlite:///{folder / 'home' / 'atlas.db'}")
    with database.engine.connect() as connection:
        state = connection.exec_driver_sql("select state from run order by id desc limit 1").scalar()
    database.close()
    return str(state)


@contextmanager
def _slack() -> Iterator[Chat]:
    """A Slack that is played, in a process of its own."""
    port, slack = _free(), mock.Slack()

    def said(text: str, person: int) -> tuple[dict[str, str], str]:
        body = slack.command(text, user=f"U0PERSON{person}", channel=f"DU0PERSON{person}")
        return mock.signed(body), body

    settings = {
        "ATLAS_SLACK_BOT_TOKEN": mock.TOKEN, "ATLAS_SLACK_SIGNING_SECRET": mock.SECRET,
        "ATLAS_SLACK_API_URL": f"http://127.0.0.1:{port}/api/",
    }  # fmt: skip
    with subprocess.Popen([sys.executable, "-m", "tests.mocks.slack", str(port)], stdout=subprocess.DEVNULL) as played:
        try:
            _wait(port)
            yield Chat("Slack", "/slack/events", settings, said)
        finally:
            played.terminate()


@contextmanager
def _teams() -> Iterator[Chat]:
    """A Teams that is played, in a process of its own, which has the key that we sign with."""
    teams = mock_teams.Teams()
    teams.port = _free()

    def said(text: str, person: int) -> tuple[dict[str, str], str]:
        activity = teams.activity(text, user=f"person-{person}")
        return teams.headers(activity), json.dumps(activity)

    played = get_context("fork").Process(target=mock_teams.play, args=(teams.port,), daemon=True)
    played.start()
    try:
        _wait(teams.port)
        yield Chat("Teams", "/teams/messages", teams.settings, said)
    finally:
        played.terminate()
        played.join()


@contextmanager
def _served(folder: Path, chats: dict[str, str]) -> Iterator[str]:
    """The program as it is served."""
    port, listen = _free(), _free()
    settings = {**chats, "ATLAS_BOT_LISTEN": f"127.0.0.1:{listen}"}
    command = [*ATLAS, "serve", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment(folder) | settings, **quiet) as server:
        try:
            _wait(listen)
            yield f"http://127.0.0.1:{listen}"
        finally:
            server.terminate()


def _free() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(600):
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens on {port}")
