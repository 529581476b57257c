"""A child process for SQL that people write, and how its parent talks to it, watches it and ends it."""

import json
import logging
import math
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from core import memory, threads
from core.errors import AtlasError, BadPipeline, QueryStopped, SourceUnreadable
from core.memory import MB

if TYPE_CHECKING:
    from core.settings import Settings  # a child starts sooner without it

log = logging.getLogger("atlas.child")

Wanted = Callable[[], None]
Answered = Callable[[bytes], bytes]  # answers a question of a child; raises Died if it makes no sense

LOOK_EVERY = 0.05  # seconds between two looks at a child that works: is it wanted, in time, within its memory?
LARGEST = 64 * MB  # bytes of a result; more is no answer of ours
LARGEST_NOTE = 100_000  # bytes of an error or of the name of a rule
HEADER = struct.Struct(">cI")  # the kind of a message, and its length in bytes
HELLO, REQUEST, REPLY = b"h", b"q", b"m"  # from the parent
RESULT, ERROR, QUESTION, AT = b"r", b"e", b"a", b"n"  # from the child
inside = False  # whether this process is a child: it has none of its own
# a child needs these; settings and secrets of Atlas are none of its business
_PASSED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", *threads.LIBRARIES,
           "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")  # fmt: skip
_RAISED: dict[str, type[AtlasError]] = {error.code: error for error in (BadPipeline, SourceUnreadable, QueryStopped)}


@dataclass(frozen=True)
class Limits:
    """How much memory (MB, by default a quarter of the machine's) and time one request may take.

    `seconds` are by the clock on the wall. `computing` are seconds of the child's processor, which a busy machine does
    not use up; the start of a child is among them.
    """

    memory_mb: int | None = None
    seconds: float = 600.0
    computing: float | None = None

    @classmethod
    def of(cls, settings: "Settings") -> "Limits":
        return cls(settings.query_memory_mb, settings.query_seconds)

    @property
    def memory(self) -> int:
        return memory.quarter() if self.memory_mb is None else self.memory_mb * MB


@dataclass(frozen=True)
class Hello:
    """What a child is given at its start; memory in bytes."""

    parent: int
    memory: int
    threads: int | None
    niceness: int
    preload: bool


class Link(Protocol):
    """What a request may say to its parent while it works."""

    def at(self, what: str) -> None:
        """Names what is worked on now, for the error if this process dies of it: "The rule `x` of `orders.yml`"."""

    def asked(self, question: bytes) -> bytes:
        """The parent's answer."""


class Bug(Exception):
    """A child raised what it should not have: the name of that exception."""


class Died(Exception):
    """The child has ended, or speaks what it should not."""


class Child:
    """A process that does one request at a time. It has no settings, no secrets and no file of ours open."""

    def __init__(
        self, memory: int, niceness: int, *, preload: bool, program: Sequence[str] = ("-m", "engine.sql.inside")
    ) -> None:
        self.memory, self.niceness = memory, niceness
        ours, theirs = socket.socketpair()
        self._socket, self._buffer = ours, bytearray()
        with theirs:
            self._process = spawner().submit(_start, theirs, program).result()
        self._unsent = bytearray()
        hello = pickle.dumps(Hello(os.getpid(), memory, threads.pinned(), niceness, preload))
        ours.sendall(HEADER.pack(HELLO, len(hello)) + hello)  # at once: it may have much to load
        ours.setblocking(False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def used(self) -> int:
        """Bytes of memory it holds now; 0 if it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    @property
    def computed(self) -> float:
        """Seconds of a processor that it has used; 0 if it has ended."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    @property
    def is_idle(self) -> bool:
        """Whether it lives and says nothing: one that speaks without being asked is not asked again."""
        return self._process.poll() is None and not self._buffer and not self._poll(select.POLLIN, 0)

    def end(self) -> None:
        """Kills it and whatever it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._socket.close()

    def ask(self, request: bytes, what: str, limits: Limits, wanted: Wanted, answered: Answered | None) -> bytes:
        """The result of a request, as JSON. Raises what `call` raises; the child must be ended then."""
        end = time.monotonic() + limits.seconds
        computed_end = None if limits.computing is None else self.computed + limits.computing
        look_at = 0.0
        try:
            self._post(REQUEST, request)
            while True:
                if time.monotonic() >= look_at:
                    wanted()
                    self._hold_limits(what, limits, end)
                    if computed_end is not None and self.computed > computed_end:
                        raise QueryStopped(f"{what} took more than {_in_words(limits.computing or 0)} of computing.")
                    look_at = time.monotonic() + LOOK_EVERY
                message = self._receive(LOOK_EVERY, {RESULT: LARGEST, QUESTION: self.memory})
                if message is None:
                    continue
                kind, body = message
                if kind == RESULT:
                    return body
                if kind == ERROR:
                    raise _told(body, what)
                if kind == AT:
                    what = str(_json(body))[:1000]
                else:
                    if answered is None:
                        raise Died
                    self._post(REPLY, answered(body))
        except (Died, ConnectionError):
            raise QueryStopped(f"{what} crashed the database engine; it was stopped.") from None

    def _hold_limits(self, what: str, limits: Limits, end: float) -> None:
        if time.monotonic() > end:
            raise QueryStopped(
                f"{what} took longer than {_in_words(limits.seconds)} and was stopped. ATLAS_QUERY_SECONDS allows more."
            )
        if self.used > self.memory:
            raise QueryStopped(
                f"{what} needed more than {self.memory // MB:,} MB of memory and was stopped. "
                "ATLAS_QUERY_MEMORY_MB allows more."
            )

    def _post(self, kind: bytes, body: bytes) -> None:
        self._unsent += HEADER.pack(kind, len(body)) + body

    def _receive(self, seconds: float, largest: dict[bytes, int]) -> tuple[bytes, bytes] | None:
        """A whole message, if it is there within some seconds; sends meanwhile what is still to be sent."""
        whole = self._is_whole()  # then nothing more is read: a child that floods is read one message at a time
        wanted = (0 if whole else select.POLLIN) | (select.POLLOUT if self._unsent else 0)
        events = self._poll(wanted, 0 if whole else seconds)
        if events & select.POLLOUT:
            with suppress(BlockingIOError):
                del self._unsent[: self._socket.send(self._unsent[: 1 << 20])]
        if not whole and events & ~select.POLLOUT:
            with suppress(BlockingIOError):
                read = self._socket.recv(1 << 20)
                if not read:
                    raise Died
                self._buffer += read
        if len(self._buffer) < HEADER.size:
            return None
        kind, length = HEADER.unpack_from(self._buffer)
        if kind not in (RESULT, ERROR, QUESTION, AT) or length > largest.get(kind, LARGEST_NOTE):
            raise Died
        if not self._is_whole():
            return None
        body = bytes(self._buffer[HEADER.size : HEADER.size + length])
        del self._buffer[: HEADER.size + length]
        return kind, body

    def _is_whole(self) -> bool:
        size = len(self._buffer)
        return size >= HEADER.size and size >= HEADER.size + HEADER.unpack_from(self._buffer)[1]

    def _poll(self, events: int, seconds: float) -> int:
        poll = select.poll()  # a descriptor may have a higher number than select() takes
        poll.register(self._socket, events)
        return sum(found for _, found in poll.poll(math.ceil(seconds * 1000)))


@cache
def spawner() -> ThreadPoolExecutor:
    """The thread that starts every child: Linux ends a child with the thread that started it, and this one stays.

    It has the niceness of the thread that calls this first, and no child can have less.
    """
    thread = ThreadPoolExecutor(1, "atlas-children")
    thread.submit(int).result()
    return thread


def _start(stdin: socket.socket, program: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - it runs our own program
        [sys.executable, "-P", *program], stdin=stdin.fileno(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, process_group=0,  # Ctrl-C at a terminal is for the worker alone
        env={name: value for name, value in os.environ.items() if name in _PASSED},
    )  # fmt: skip


def niceness() -> int:
    """How far the calling thread gives way to others: its child does the same."""
    if sys.platform == "linux":  # there a thread has a niceness of its own
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    return os.getpriority(os.PRIO_PROCESS, 0)  # type: ignore[unreachable]


def _told(body: bytes, what: str) -> Exception:
    """The error that a child reports."""
    told = _json(body)
    if not isinstance(told, dict):
        raise Died
    match told:
        case {"code": str(code), "message": str(message), "hint": str() | None as hint} if code in _RAISED:
            return _RAISED[code](message, hint=hint)
        case {"errno": int(number)}:
            return OSError(number, os.strerror(number))
        case {"memory": True}:
            return QueryStopped(f"{what} needed more memory than it may have. ATLAS_QUERY_MEMORY_MB allows more.")
        case {"bug": str(kind), "frames": str(frames)}:
            log.error("a bug in the process that runs SQL: %s\n%s", kind[:100], frames[:LARGEST_NOTE])
            return Bug(kind[:100])
    raise Died


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Died from None


def _in_words(seconds: float) -> str:
    number, unit = (seconds / 60, "minute") if seconds % 60 == 0 else (seconds, "second")
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
