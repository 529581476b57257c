"""Runs SQL that people write in a child process: a crash, a memory hog or an endless query ends that child alone."""

import pickle
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.errors import BadPipeline, QueryStopped, SourceUnreadable, TooMany
from core.memory import MB
from engine.sql import child
from engine.sql.child import Answered, Child, Limits, Wanted, niceness
from engine.sql.inside import does

T = TypeVar("T")
DEFAULT = Limits()
WAIT_FOR_BUSY = 0.3  # seconds: a child that is free soon is quicker than one more
PLANNING_SECONDS = 10.0  # longest time of computing for SQL that is only read
PATIENCE = 120.0  # seconds: more than that time of computing takes on a machine that is busy
MOST_PLANNING = 4  # requests of that kind at a time in one process
KEPT = 500 * MB  # a child that has grown beyond this is not kept warm


def call(
    name: str,
    *arguments: Any,
    returns: type[T],
    what: str,
    limits: Limits = DEFAULT,
    wanted: Wanted = lambda: None,
    answered: Answered | None = None,
    leaves: Sequence[Path] = (),
) -> T:
    """Does a request of the closed list in `engine.sql.inside` in a child, and gives its result.

    `what` names it in errors: "The model `x`". `wanted` is asked all the time; what it raises ends the child at once.
    `leaves` are files and folders that must not stay if it comes to nothing. Raises the request's own errors, and
    QueryStopped if the child crashed or passed a limit.
    """
    request = pickle.dumps((name, arguments))
    done = False
    try:
        with children.one(limits) as one:
            body = one.ask(request, what, limits, wanted, answered)
            result = _checked(body, returns, what)
        done = True
        return result
    finally:
        if not done:
            for path in leaves:
                _remove(path)


def plan(name: str, *arguments: Any, returns: type[T]) -> T:
    """Does a request that only parses or plans SQL, in a child or by this process if it is one.

    Raises TooMany if too many people ask for that at a time.
    """
    if child.inside:
        done: T = does(name)(*arguments, None)
        return done
    if not _planning.acquire(timeout=PLANNING_SECONDS):
        raise TooMany("Too much SQL is being checked at this moment.", seconds=PLANNING_SECONDS)
    try:
        return call(name, *arguments, returns=returns, what="The SQL", limits=Limits(None, PATIENCE, PLANNING_SECONDS))
    finally:
        _planning.release()


def warm(limits: Limits) -> None:
    """Starts a child in the background if there is none: it has loaded its libraries by the time it is needed."""
    children.warm(limits)


class _Children:
    """The children of this process: one for each request at a time, of which one stays warm."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._idle: list[Child] = []
        self._busy: list[Child] = []

    @contextmanager
    def one(self, limits: Limits) -> Iterator[Child]:
        """A child that nobody else uses; it is ended if the block raises anything but an error of the request."""
        child = self._take(limits)
        keep = False
        try:
            yield child
            keep = True
        except (BadPipeline, SourceUnreadable):
            keep = True
            raise
        finally:
            self._give_back(child, keep=keep and child.is_idle and child.used <= KEPT)

    def warm(self, limits: Limits) -> None:
        with self._changed:
            if not any(self._fits(child, limits) for child in [*self._idle, *self._busy]):
                self._idle.append(Child(limits.memory, niceness(), preload=True))

    def _take(self, limits: Limits) -> Child:
        with self._changed:
            if self._busy and not self._free(limits):
                self._changed.wait_for(lambda: self._free(limits), WAIT_FOR_BUSY)
            for child in self._free(limits):
                self._idle.remove(child)
                if child.is_idle:
                    self._busy.append(child)
                    return child
                child.end()
        child = Child(limits.memory, niceness(), preload=False)
        with self._changed:
            self._busy.append(child)
        return child

    def _give_back(self, child: Child, *, keep: bool) -> None:
        with self._changed:
            self._busy.remove(child)
            if keep:
                others = [other for other in self._idle if other.niceness == child.niceness]
                self._idle = [other for other in self._idle if other not in others] + [child]
            self._changed.notify_all()
        for gone in others if keep else [child]:
            gone.end()

    def _free(self, limits: Limits) -> list[Child]:
        return [child for child in self._idle if self._fits(child, limits)]

    def _fits(self, child: Child, limits: Limits) -> bool:
        return child.niceness == niceness() and (limits.memory_mb is None or child.memory == limits.memory)


children = _Children()
_planning = threading.Semaphore(MOST_PLANNING)


def _checked(body: bytes, returns: type[T], what: str) -> T:
    """A result, if it is one: a child that was taken over may say anything."""
    try:
        result: T = _adapter(returns).validate_json(body)  # type: ignore[arg-type]
        return result
    except ValidationError:
        raise QueryStopped(f"{what} crashed the database engine; it was stopped.") from None


@cache
def _adapter(returns: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(returns)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
