"""How long one answer takes from nothing: a new process on a migrated home."""

import statistics
import tempfile
from pathlib import Path

from bench.machine import atlas, tell


def measure() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pipelines").mkdir()
        atlas(folder, "say", "help")
        times = [atlas(folder, "say", "help")[1] for _ in range(5)]
    tell("atlas say help, median of 5 processes", f"{statistics.median(times):.2f} s", "< 2 s")
