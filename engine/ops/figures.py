"""The figures of an installation, out of its database: right however many processes there are, asked for at most once
in ten seconds however often they are looked at."""

import threading
import time
from dataclasses import dataclass

from engine.home import Home
from engine.runs import process
from engine.store import figures, processes

KEPT_SECONDS = 10.0


@dataclass(frozen=True)
class Look:
    """What was seen at one look."""

    ended: figures.Ended
    now: figures.Now
    failing: dict[str, int]  # duties that fail, each 1
    workers: dict[str, int]  # that work, and that do not
    unsent: tuple[int, float] | None  # lineage events and the age of the oldest; None = they are not forwarded


class Figures:
    """Looks at the database when it is asked and the last look is old."""

    def __init__(self, home: Home, kept_seconds: float = KEPT_SECONDS) -> None:
        self._home, self._kept_seconds = home, kept_seconds
        self._last: Look | None = None
        self._at = 0.0
        self._lock = threading.Lock()

    def look(self) -> Look:
        with self._lock:
            if self._last is None or time.monotonic() - self._at > self._kept_seconds:
                before = self._last.ended if self._last else figures.Ended()
                with self._home.database.read() as db:
                    ended = figures.with_ended(db, before)
                    forwards = self._home.settings.marquez_url is not None
                    workers = [it.works for it in processes.listed(db) if it.does == "worker"]
                    self._last = Look(
                        ended, figures.now(db), dict.fromkeys(process.failing(db), 1),
                        {"works": workers.count(True), "does not work": workers.count(False)},
                        figures.unsent_events(db) if forwards else None,
                    )  # fmt: skip
                self._at = time.monotonic()
            return self._last
