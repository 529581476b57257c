"""Stops a query in DuckDB when nobody wants its answer any more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb

from core.errors import AtlasError

LOOK_EVERY = 0.3  # seconds


@contextmanager
def stopped_by(connection: duckdb.DuckDBPyConnection, wanted: Callable[[], None]) -> Iterator[None]:
    """Asks now and then whether the work is still wanted: if `wanted` raises an AtlasError, the query is interrupted
    and that error comes out of the block, whatever whoever asked the query made of the interruption."""
    ended = threading.Event()
    caught: list[AtlasError] = []

    def watch() -> None:
        while not ended.wait(LOOK_EVERY):
            try:
                wanted()
            except AtlasError as error:
                caught.append(error)
                connection.interrupt()  # again and again: between two statements it is lost

    watcher = threading.Thread(target=watch, name="atlas-interrupt", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        if caught:
            raise caught[0] from None
