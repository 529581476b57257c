"""What a process does again and again beside its work. Each duty is on its own: one that fails stops no other."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine import faults

log = logging.getLogger("atlas.duties")


@dataclass(frozen=True)
class Duty:
    """Something to be done every so many seconds."""

    name: str
    every: float
    do: Callable[[], object]
    longest: float = 0.0  # seconds; after each failure the pause doubles up to this


@dataclass(frozen=True)
class Failing:
    """Since when a duty fails, and with which kinds of error. Kinds only: a message may quote a value."""

    since: datetime
    error: str


class Failed(Exception):
    """Some of several things failed; the others were done."""

    def __init__(self, failures: Mapping[str, BaseException]) -> None:
        super().__init__()
        self.failures = failures


class Apart:
    """Does several things, none of which stops the others, and remembers the errors by name."""

    def __init__(self) -> None:
        self.failures: dict[str, BaseException] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever stops one thing must not stop the others
            self.failures[name] = error

    def end(self) -> None:
        """Raises Failed if anything failed."""
        if self.failures:
            raise Failed(self.failures)


class Duties:
    """Duties, each in a thread of its own until `stopping` is set. An error is logged when it begins and when it ends.

    `changed` is called whenever a duty begins or ceases to fail.
    """

    def __init__(self, stopping: threading.Event, changed: Callable[[], object] = lambda: None) -> None:
        self._stopping, self._changed = stopping, changed
        self._failing: dict[str, Failing] = {}
        self._threads: list[threading.Thread] = []

    @property
    def failing(self) -> dict[str, Failing]:
        """The duties whose last turn failed."""
        return dict(self._failing)

    def start(self, duties: Iterable[Duty]) -> None:
        for duty in duties:
            thread = threading.Thread(target=self._keep, args=(duty,), name=f"atlas-{duty.name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self, seconds: float) -> None:
        """Waits until the duties have ended, at most so many seconds."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _keep(self, duty: Duty) -> None:
        pause = duty.every
        while True:
            well = self._turn(duty)
            pause = duty.every if well or not duty.longest else min(2 * pause, duty.longest)
            if self._stopping.wait(pause):
                return

    def _turn(self, duty: Duty) -> bool:
        try:
            faults.point(f"duty.{duty.name}")
            duty.do()
        except BaseException as error:  # noqa: BLE001 - a library may even raise SystemExit: a duty ends with its process
            if not self._stopping.is_set():
                self._note(duty.name, error)
            return False
        if self._failing.pop(duty.name, None):
            log.warning("the duty %s works again", duty.name)
            self._tell()
        return True

    def _note(self, name: str, error: BaseException) -> None:
        told, before = kinds(error), self._failing.get(name)
        if before is not None and before.error == told:
            return
        self._failing[name] = Failing(before.since if before else datetime.now(UTC), told)
        log.error("the duty %s fails: %s", name, words(error))
        self._tell()

    def _tell(self) -> None:
        try:
            self._changed()
        except Exception as error:  # noqa: BLE001 - the database may be what is away; the next sign of life says it
            log.warning("that a duty fails cannot be saved: %s", type(error).__name__)


def kinds(error: BaseException) -> str:
    """The kinds of an error, without what failed."""
    if isinstance(error, Failed):
        return ", ".join(sorted({kinds(inner) for inner in error.failures.values()}))
    return type(error).__name__


def words(error: BaseException) -> str:
    """An error for the log: its kind, what failed, and the place in the code. Never its message."""
    if isinstance(error, Failed):
        return "; ".join(f"{name}: {words(inner)}" for name, inner in error.failures.items())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
