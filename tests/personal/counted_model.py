"""A language model that notes how many threads use it at once."""

import threading
import time
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

most = 0
_now = 0
_lock = threading.Lock()


class _Pipeline:
    def pipe(self, texts: Iterable[str], batch_size: int) -> Iterator[Any]:
        global most, _now
        for _ in texts:
            with _lock:
                _now += 1
                most = max(most, _now)
            time.sleep(0.002)
            with _lock:
                _now -= 1
            yield SimpleNamespace(ents=[])


def load(exclude: list[str]) -> _Pipeline:
    return _Pipeline()
