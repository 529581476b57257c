"""The child process in which SQL that people write runs: it does one request after the other for its parent."""

import ctypes
import importlib
import json
import os
import pickle
import queue
import resource
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from core import memory, threads
from core.errors import AtlasError
from engine.sql import child
from engine.sql.child import AT, ERROR, HEADER, LARGEST, QUESTION, REPLY, RESULT, Hello, Link

# every request there is: where its function stands. It is called with the arguments and the link to the parent.
REQUESTS = {
    "select": ("engine.sql.sandbox", "selected"),
    "expression": ("engine.sql.sandbox", "expressed"),
    "faults": ("engine.sql.sandbox", "faults"),
    "trace": ("engine.lineage.columns", "traced"),
    "build": ("engine.navigate.build", "run_select"),
    "columns": ("engine.navigate.build", "plan_select"),
    "measure": ("engine.contract.measure", "measure"),
    "mark": ("engine.contract.marks", "mark"),
    "reject": ("engine.contract.rejects", "find"),
}
_SODA = ("soda_core.contracts.contract_verification", "soda_duckdb.common.data_sources.duckdb_data_source")
_PR_SET_PDEATHSIG = 1


def does(name: str) -> Callable[..., Any]:
    """The function of a request."""
    module, function = REQUESTS[name]
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


class _Parent:
    """The parent at the other end of the socket. Without it this process ends at once, whatever it does."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._messages: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="parent", daemon=True).start()

    def next(self) -> tuple[bytes, bytes]:
        return self._messages.get()

    def at(self, what: str) -> None:
        self.say(AT, json.dumps(what[:1000]).encode())

    def asked(self, question: bytes) -> bytes:
        self.say(QUESTION, question)
        kind, answer = self.next()
        assert kind == REPLY
        return answer

    def say(self, kind: bytes, body: bytes) -> None:
        self._channel.sendall(HEADER.pack(kind, len(body)) + body)

    def _read(self) -> None:
        try:
            with self._channel.makefile("rb") as stream:
                while len(header := stream.read(HEADER.size)) == HEADER.size:
                    kind, length = HEADER.unpack(header)
                    self._messages.put((kind, stream.read(length)))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)  # nothing else of this process may run on, not even its clean-up


def main() -> None:
    child.inside = True
    channel = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # the output of a library must not get among the answers
        os.dup2(nowhere, number)
    parent = _Parent(channel)
    hello: Hello = pickle.loads(parent.next()[1])  # noqa: S301 - the parent started this process
    _end_with(hello.parent)
    if hello.niceness > os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, hello.niceness)
    if hello.threads is not None:
        threads.pin(hello.threads)
    if hello.preload:
        for module in (*(module for module, _ in REQUESTS.values()), *_SODA):
            importlib.import_module(module)
    _limit_memory(hello.memory)
    while True:
        _, request = parent.next()
        name, arguments = pickle.loads(request)  # noqa: S301 - the same
        parent.say(*_done(name, arguments, parent))


def _done(name: str, arguments: tuple[Any, ...], link: Link) -> tuple[bytes, bytes]:
    try:
        body = to_json(does(name)(*arguments, link))
        assert len(body) <= LARGEST
        return RESULT, body
    except AtlasError as error:
        told: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    except MemoryError:
        told = {"memory": True}
    except Exception as error:  # noqa: BLE001 - a bug must reach the log of the parent, which has one
        if isinstance(error, OSError) and error.errno is not None:
            told = {"errno": error.errno}
        else:
            # the message of a library's exception may quote a cell: only its kind and place are passed on
            frames = "".join(traceback.format_tb(error.__traceback__))[-20_000:]
            told = {"bug": type(error).__name__, "frames": frames}
    return ERROR, json.dumps(told).encode()


def _end_with(parent: int) -> None:
    """This process ends with its parent even if it is too busy to notice that the socket was closed."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _limit_memory(most: int) -> None:
    """DuckDB holds the first limit by spilling to disk, the parent watches the second, the kernel holds the third.

    The kernel counts what is reserved and not used, too: at twice the limit it stops what grows faster than is watched.
    """
    memory.pin(max(most - 200 * memory.MB, most // 4) * 3 // 4)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump holds rows
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (2 * most, 2 * most))
        with suppress(OSError):  # a container may not allow it
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # rather this process than its parent


if __name__ == "__main__":
    main()
