"""An Atlas of several processes on servers of its own, and the orders given to its fault points."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from core.settings import load
from engine.home import Home, open_home
from engine.store import access
from engine.store.database import HEAD, Database, migrate
from tests.crash.servers import DIES_WITH_US, Postgres, Receiver, Redis, free_port

ROOT = Path(__file__).parent.parent.parent
AHEAD = 10  # minutes by which the clock of the database differs from that of every process
CLOCK = """
create or replace function public.clock_timestamp() returns timestamptz language sql volatile
as $$ select pg_catalog.clock_timestamp() + interval '{minutes} minutes' $$
"""
KINDS = ("api", "worker", "worker")


class Process:
    def __init__(self, cluster: "Cluster", number: int, kind: str) -> None:
        self.cluster, self.number, self.kind = cluster, number, kind
        self._popen: subprocess.Popen[bytes] | None = None
        self._log = cluster.folder / f"{kind}-{number}.log"

    @property
    def pid(self) -> int:
        return self._popen.pid if self._popen else 0

    def is_alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        words = ["serve", "api", "--port", str(self.cluster.api_port)] if self.kind == "api" else [self.kind]
        words += ["--without-fence"] if self.cluster.without_fence else []
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                [*DIES_WITH_US, sys.executable, "-m", "tests.crash.process", *words], cwd=ROOT,
                env=self.cluster.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def parts_done(self) -> int:
        """How many parts it has done, or was refused, so far: PostgreSQL ends a transaction that stands for 20 s."""
        told = self._log.read_bytes()
        return told.count(b"worked on a part") + told.count(b"a part waits")

    def kill(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait(30)

    def stop(self) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(signal.SIGCONT)
            self._popen.terminate()
            try:
                self._popen.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class Cluster:
    """The API, two workers and some schedulers on PostgreSQL and Redis. Everything ends with the `with`."""

    def __init__(self, *, lease: float | None = 2.0, beats: int = 2, without_fence: bool = False) -> None:
        self.without_fence = without_fence
        self.folder = Path(tempfile.mkdtemp(prefix="atlas-crash-"))
        self.pipelines, self.orders = self.folder / "pipelines", self.folder / "orders"
        (self.pipelines / "navigate").mkdir(parents=True)
        (self.orders / "reached").mkdir(parents=True)
        self.postgres, self.redis, self.receiver = Postgres(self.folder), Redis(self.folder), Receiver()
        self.api_port = free_port()
        own = {
            "ATLAS_HOME": str(self.folder / "home"), "ATLAS_PIPELINES": str(self.pipelines),
            "ATLAS_DATABASE_URL": self.postgres.url, "ATLAS_BROKER_URL": self.redis.url,
            "ATLAS_MASKING_KEY": uuid.uuid4().hex, "ATLAS_MARQUEZ_URL": self.receiver.url,
            "ATLAS_LOG_LEVEL": "INFO", "ATLAS_SECRET_SHOP_DSN": f"{self.postgres.url}?sslmode=prefer",
            "ATLAS_LIMIT_PER_ADDRESS": "100000/second", "ATLAS_LIMIT_PER_TOKEN": "100000/second",
            **({} if lease is None else {"ATLAS_LEASE_SECONDS": str(lease)}),
        }  # fmt: skip
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1", "POLARS_MAX_THREADS": "1", "FAULTS_OF_A_TEST": str(self.orders), **own,
        }  # fmt: skip
        self._own = own
        self.processes = [Process(self, number, kind) for number, kind in enumerate((*KINDS, *("beat",) * beats))]

    def __enter__(self) -> "Cluster":
        try:
            self.postgres.start()
            self.redis.start()
            database = Database(self.postgres.url)
            with database.engine.begin() as connection:  # a clock of ours is found before PostgreSQL's own
                connection.execute(text("alter database postgres set search_path to public, pg_catalog"))
            database.close()
            migrate(Database(self.postgres.url), HEAD)
            self.home: Home = open_home(load(self._own))
            self.set_clock(AHEAD)
            with self.home.database.write() as db:
                access.add_user(db, "anna", "admin")
                token = access.issue(db, access.user(db, "anna"), 24 * 3600, name="matrix", by="matrix")
            self.client = httpx.Client(
                base_url=f"http://127.0.0.1:{self.api_port}", headers={"Authorization": f"Bearer {token}"}, timeout=30
            )
            self.heal()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self.processes:
            process.kill()
        if hasattr(self, "home"):
            self.home.database.close()
            self.client.close()
        self.receiver.stop()
        self.redis.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def of(self, kind: str) -> list[Process]:
        return [process for process in self.processes if process.kind == kind]

    def with_pid(self, pid: int) -> Process:
        return next(process for process in self.processes if process.pid == pid)

    def heal(self) -> None:
        """Every process lives, and the API answers."""
        for process in self.processes:
            if not process.is_alive():
                process.start()
        assert wait_for(self.answers, 60), "The API did not start."

    def answers(self) -> bool:
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def set_clock(self, minutes: int) -> None:
        """Sets the clock of the database to so much later than that of the processes."""
        self.rows(CLOCK.format(minutes=minutes))

    # orders to fault points

    def order(self, point: str, what: str) -> None:
        draft = self.orders / f"draft-{uuid.uuid4().hex}"
        draft.write_text(what, encoding="ascii")
        draft.rename(self.orders / point)

    def at(self, point: str) -> int | None:
        """The process that has come to a point there was an order for."""
        return next((int(path.name.split("-")[1]) for path in self.orders.glob(f"at-*-{point}")), None)

    def go(self) -> None:
        (self.orders / "go").touch()

    def clear(self) -> None:
        for path in self.orders.iterdir():
            if path.is_file():
                path.unlink(missing_ok=True)

    def reached(self) -> set[str]:
        return {path.name for path in (self.orders / "reached").iterdir()}

    # the database, which may be away for a moment

    def rows(self, query: str, **values: Any) -> list[Any]:
        return self._patiently(lambda: self._execute(query, values))

    def _execute(self, query: str, values: dict[str, Any]) -> list[Any]:
        with self.home.database.write() as db:
            result: Any = db.execute(text(query), values)
            return list(result.all()) if result.returns_rows else []

    def _patiently(self, what: Callable[[], list[Any]]) -> list[Any]:
        end = time.monotonic() + 30
        while True:
            try:
                return what()
            except OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


def wait_for(what: Callable[[], Any], seconds: float, pause: float = 0.02) -> Any:
    """What something gives as soon as it is true; its last answer if it never was in time."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(pause)
    return found
