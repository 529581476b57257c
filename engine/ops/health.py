"""Whether this process can work, part by part.

`not ready` is what keeps this process from doing what it is asked: whoever spreads requests should send them elsewhere.
A broker that is away counts as such: what is started here would be kept and not be done. `degraded` is what another
process or a person has to put right, while this one answers as well as any other: taking it away would help nobody.

Anybody may ask, so no address, name or message of an exception is told, and the parts are asked at most once in two
seconds. Each is asked in a thread of its own with a deadline: one that hangs is not well, and keeps no answer waiting.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Final

from sqlalchemy import text

from core.errors import AtlasError
from engine.alerts import known
from engine.home import Home, fingerprint, found_key
from engine.navigate import warehouse
from engine.runs import process
from engine.store import clock, facts, figures, notices, processes
from engine.store.database import HEAD

OK: Final = "ok"
DEGRADED: Final = "degraded"
NOT_READY: Final = "not ready"
PATIENCE_SECONDS = 2.0
KEPT_SECONDS = 2.0
OVERDUE_SECONDS = 60.0  # a worker that lives sends a wake-up call within a second
BEHIND_SECONDS = 600.0  # the forwarder asks a server that was away once a minute
UNSENT_SECONDS = 300.0  # a bot that lives sends them within seconds
LITTLE_ROOM, NO_ROOM = 2_000_000_000, 100_000_000  # bytes


class NotWell(Exception):
    """What is wrong with a part, and how bad that is."""

    def __init__(self, told: str, level: str = NOT_READY) -> None:
        super().__init__(f"{level}: {told}")


def _database(home: Home) -> None:
    with home.database.engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def _migrations(home: Home) -> None:
    if home.database.revision() != HEAD:
        raise NotWell("the database is not at the migration that this Atlas needs")


def _broker(home: Home) -> None:
    from engine.runs import broker  # Celery and its broker: loaded where there is one to ask

    url = home.settings.broker_url.get_secret_value()
    if url == broker.URL:
        return
    from engine.runs.worker import celery_app

    with celery_app(home).connection_for_write(connect_timeout=PATIENCE_SECONDS) as connection:
        # once: `connect` would try again until the deadline is over. It has answered when this returns
        connection.transport.close_connection(connection.transport.establish_connection())


def _home(home: Home) -> None:
    folder = home.settings.home.absolute()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:  # a full or read-only disk shows at a write alone
            file.write(b"1")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise NotWell(f"it cannot be written to: {os.strerror(error.errno or 0)}") from error
    has_room(shutil.disk_usage(folder).free)


def has_room(free: int) -> None:
    """Raises NotWell if so many bytes are little."""
    if free < NO_ROOM:
        raise NotWell("less than 100 MB are free")
    if free < LITTLE_ROOM:
        raise NotWell("less than 2 GB are free", DEGRADED)


def _masking_key(home: Home) -> None:
    with home.database.read() as db:
        first = facts.known_masking_key(db)
    key = found_key(home)
    if key is None and (first or not home.database.embedded):  # else it is made when there is something to do
        raise NotWell("it is not set" if not first else "it is not set, and the installation has one")
    if key is not None and first and fingerprint(key) != first:
        raise NotWell("it is not the installation's")


def _worker(home: Home) -> None:
    with home.database.read() as db:
        found = [it for it in processes.listed(db) if it.does == "worker"]
    idle = [it.reason for it in found if it.reason is not None]
    if len(idle) == len(found):
        raise NotWell(" ".join(["no worker was seen in the last minute that can work.", *sorted(set(idle))]), DEGRADED)
    if idle:
        raise NotWell(" ".join([f"{len(idle)} of {len(found)} do no work.", *sorted(set(idle))]), DEGRADED)


def _who(home: Home) -> list[dict[str, Any]]:
    """The processes that live, without their machines: whether each works, or why not."""
    with home.database.read() as db:
        return [
            {"does": it.does, "works": it.works, "why": it.reason, "since": it.started_at, "seen": it.seen_at}
            for it in processes.listed(db)
        ]


def _duties(home: Home) -> None:
    with home.database.read() as db:
        failing = process.failing(db)
    if failing:
        told = (f"{name} fails since {since:%Y-%m-%d %H:%M} UTC ({error})" for name, (since, error) in failing.items())
        raise NotWell("; ".join(told), DEGRADED)


def _outbox(home: Home) -> None:
    with home.database.read() as db:
        overdue = figures.overdue(db)
    if overdue > OVERDUE_SECONDS:
        raise NotWell("wake-up calls have waited to be sent for more than a minute", DEGRADED)


def _warehouse(home: Home) -> None:
    if not warehouse.answers(home):
        raise NotWell("it does not answer", DEGRADED)


def _lineage(home: Home) -> None:
    if home.settings.marquez_url is None:
        return
    with home.database.read() as db:
        _, oldest = figures.unsent_events(db)
    if oldest > BEHIND_SECONDS:
        raise NotWell("events have waited to be forwarded for more than ten minutes", DEGRADED)


def _alerts(home: Home) -> None:
    if broken := known.broken_rules():
        raise NotWell(f"rules that cannot be used: {', '.join(broken)}", DEGRADED)
    with home.database.read() as db:
        _, age, failing = notices.waiting(db, clock.now(db))
    if failing:
        raise NotWell("messages about alerts could not be sent; they are kept", DEGRADED)
    if age > UNSENT_SECONDS:
        raise NotWell("messages about alerts have waited to be sent for more than five minutes", DEGRADED)


PARTS: dict[str, Callable[[Home], None]] = {
    "database": _database,
    "migrations": _migrations,
    "broker": _broker,
    "home": _home,
    "masking key": _masking_key,
    "worker": _worker,
    "duties": _duties,
    "outbox": _outbox,
    "warehouse": _warehouse,
    "lineage": _lineage,
    "alerts": _alerts,
}


class Health:
    """Asks the parts, and keeps what they said for a moment."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._asked: dict[str, Future[str]] = {}
        self._said: dict[str, str] = {}
        self.workers: list[dict[str, Any]] = []  # the workers, as everybody may see them
        self._at = float("-inf")
        self._lock = threading.Lock()

    def parts(self) -> dict[str, str]:
        """Each part: `ok`, or `degraded` or `not ready` and why."""
        if not self._lock.acquire(blocking=not self._said):
            return self._said  # somebody asks just now; many who wait would take every thread of the server
        try:
            if time.monotonic() - self._at > KEPT_SECONDS:
                self._said, self._at = self._look(), time.monotonic()
            return self._said
        finally:
            self._lock.release()

    def _look(self) -> dict[str, str]:
        for name in PARTS:
            if name not in self._asked:  # one that still hangs is not asked again
                self._asked[name] = self._ask(name)
        wait(self._asked.values(), PATIENCE_SECONDS)
        done = {name for name, answer in self._asked.items() if answer.done()}
        return {
            name: self._asked.pop(name).result() if name in done else f"{NOT_READY}: it does not answer"
            for name in PARTS
        }

    def _ask(self, name: str) -> Future[str]:
        answer: Future[str] = Future()

        def ask() -> None:
            try:
                if name == "worker":
                    self.workers = _who(self._home)
                PARTS[name](self._home)
            except NotWell as wrong:
                answer.set_result(str(wrong))
            except AtlasError as error:
                answer.set_result(f"{NOT_READY}: {error.code}")
            except Exception as error:  # noqa: BLE001 - whatever breaks a part makes it not well, and its kind is all we tell
                answer.set_result(f"{NOT_READY}: it does not answer ({type(error).__name__})")
            else:
                answer.set_result(OK)

        threading.Thread(target=ask, name=f"atlas-health-{name}", daemon=True).start()
        return answer
