"""Reads a file in a process of its own, whose memory is limited: a small hostile file can ask for any amount of it.

The process gets the open file as its input and nothing else, and writes Arrow batches of text. `connectors._workbook`
and `connectors._parquet` are such programs.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import pyarrow as pa

from core import memory
from core.errors import SourceUnreadable
from core.models import LINE

ABOUT = b"about"  # the key of what a program says of the file, in the metadata of its batches
BATCH_ROWS = 1 << 15
BATCH_BYTES = 16 << 20
REFUSED = 3  # the exit code of a program that says on its error stream why it cannot read the file
LONGEST_WORDS = 10_000  # bytes of that
LEAST = 1 << 30  # bytes of memory without which no file is read
_PASSED = ("PATH", "TMPDIR", "LANG", "LC_ALL", "TZ", "PYTHONPATH")  # settings and secrets are none of its business
_OUT_OF_MEMORY = (-signal.SIGABRT, -signal.SIGKILL, -signal.SIGSEGV, -signal.SIGBUS)


class Refused(Exception):
    """A program cannot read the file: what is wrong with it, and what would help."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def batches(
    program: str, file: BinaryIO, name: str, asked: dict[str, Any]
) -> Generator[tuple[pa.RecordBatch | None, dict[str, Any]]]:
    """The batches, and what the program says about the file; None now and then while it works: a run can stop then."""
    file.seek(0)
    process = subprocess.Popen(  # noqa: S603 (it is our own program)
        [sys.executable, "-P", "-m", f"connectors.{program}", json.dumps({**asked, "memory": _memory()})],
        stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={key: os.environ[key] for key in _PASSED if key in os.environ},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while not select.select([process.stdout], [], [], 1.0)[0]:
            yield None, {}
        try:
            with pa.ipc.open_stream(process.stdout) as stream:
                about = json.loads((stream.schema.metadata or {})[ABOUT])
                for batch in stream:
                    yield batch, about
        except (pa.ArrowInvalid, OSError, KeyError, ValueError):
            _raise(process, name)
        if process.wait(60):
            _raise(process, name)
    finally:
        process.kill()
        process.communicate()


def _memory() -> int:
    """Bytes of address space, of which a process takes more than it fills."""
    return max(memory.at_most(memory.quarter()), LEAST)


def _raise(process: "subprocess.Popen[bytes]", name: str) -> None:
    said = process.stderr.read(LONGEST_WORDS) if process.stderr else b""
    code = process.wait(60)
    if code == REFUSED:
        with suppress(ValueError, KeyError):
            told = json.loads(said)
            raise SourceUnreadable(f"`{name}` {told['what']}.", hint=told["hint"] or None)
    if code in _OUT_OF_MEMORY or b"memory" in said.lower():
        raise SourceUnreadable(
            f"`{name}` needs more memory than a source may take, {_memory() // memory.MB:,} MB.",
            hint="Save what is needed of it as a file of its own, or as CSV.",
        )
    raise SourceUnreadable(
        f"`{name}` cannot be read because the file is broken.",
        hint="Open it in the program that made it and save it again.",
    )


def slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The same rows in batches that take some memory each, and no more."""
    rows = max(1, min(BATCH_ROWS, batch.num_rows * BATCH_BYTES // max(batch.nbytes, 1)))
    for at in range(0, batch.num_rows, rows):
        yield batch.slice(at, rows)


def main(read: Callable[[dict[str, Any], Any], None]) -> None:
    """What a program does: reads within its memory, and says why if it cannot."""
    import resource

    asked = json.loads(sys.argv[1])
    with open("/proc/self/statm" if os.path.exists("/proc/self/statm") else os.devnull) as sizes:  # noqa: PTH110, PTH123
        now = int((sizes.read() or "0").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + asked["memory"], now + asked["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        read(asked, sys.stdout.buffer)
        sys.stdout.flush()
    except Refused as refused:
        print(json.dumps({"what": refused.what, "hint": refused.hint}), file=sys.stderr)  # noqa: T201
        sys.exit(REFUSED)
    except MemoryError:
        print("memory", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except BrokenPipeError:
        os._exit(0)


def still_at_work() -> pa.RecordBatch:
    """No rows and no columns: it shows that time has passed."""
    return pa.RecordBatch.from_arrays([pa.array([], pa.int64())], names=[LINE])
