"""How fast a customer table is masked: beside Presidio's own batch path, and beside DuckDB's copy of the same CSV."""

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.pii import customers, ours, peers

KINDS = {"no free text": None, "templates": customers.templates, "prose": customers.prose}
SIZES = {
    "no free text": (10_000, 100_000, 1_000_000),
    "templates": (10_000, 100_000),
    "prose": (10_000,),
}
LONG = dict.fromkeys(KINDS, (10_000, 100_000, 1_000_000))
SHORT = {"no free text": (10_000, 100_000), "templates": (10_000,), "prose": (2_000,)}
MEMORY = (1_000_000, 3_000_000)
PRESIDIO = {"default": (True, None, 50), "batch_size=256": (True, 256, 256), "NoOp": (False, None, 150)}
TIMES = 3
ONCE_OVER = 100.0  # seconds from which one time is enough
THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, and what it must and should be."""

    name: str
    value: str
    must: str = "-"
    aim: str = "-"


def figures(sizes: dict[str, tuple[int, ...]] = SIZES, memory: tuple[int, ...] = MEMORY) -> Iterator[Figure]:
    """All figures of one run, each when it is known."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, text in KINDS.items():
            files = {rows: folder / f"{rows}.csv" for rows in sizes[kind]}
            for rows, file in files.items():
                customers.write(file, rows, text)
            yield from _kind(kind, files, folder)
        for rows in memory:
            file = folder / "memory.csv"
            customers.write(file, rows)
            peak = float(_printed("-m", "bench.pii.ours", str(file)))
            yield Figure(f"peak memory, {rows:,} rows without free text", f"{peak:,.0f} MB", "< 1,000", "< 700")


def _kind(kind: str, files: dict[int, Path], folder: Path) -> Iterator[Figure]:
    smallest = files[min(files)]
    presidio: dict[str, float] = {}
    for name, (model, batch, rows) in PRESIDIO.items():
        mask, table = peers.presidio(model, batch), peers.table(smallest, rows)
        mask({column: cells[:2] for column, cells in table.items()})
        presidio[name] = rows / _median(partial(mask, table))
        yield Figure(f"{kind}: Presidio {name}, on {rows} rows", f"{presidio[name]:,.1f} rows/s")
    ours.mask(smallest, _empty(folder), THREADS)
    for rows, file in files.items():
        copied, masked = _side_by_side(
            lambda file=file: peers.copy(file, _empty(folder) / "copy.parquet", THREADS),
            lambda file=file: ours.mask(file, _empty(folder), THREADS),
        )
        speed = rows / masked
        yield Figure(f"{kind}, {rows:,} rows: DuckDB, CSV to Parquet", f"{rows / copied:,.0f} rows/s")
        yield Figure(f"{kind}, {rows:,} rows: Atlas", f"{speed:,.0f} rows/s")
        for name, slow in presidio.items():
            yield Figure(f"  times Presidio {name}", f"{speed / slow:,.0f}", *_wanted(kind, rows, name))
        yield Figure("  share of DuckDB's copy", f"{copied / masked:.3f}", *_wanted(kind, rows, "DuckDB"))


def _wanted(kind: str, rows: int, beside: str) -> tuple[str, str]:
    """What a ratio must and should be, where something is asked of it."""
    if kind == "no free text" and rows == 1_000_000:
        return {"NoOp": (">= 500", ">= 1,000"), "DuckDB": (">= 0.25", ">= 0.5")}.get(beside, ("-", "-"))
    if beside == "batch_size=256" and kind != "no free text":
        return (">= 25", ">= 60") if kind == "templates" else (">= 12", ">= 25")
    return "-", "-"


def _side_by_side(*works: Callable[[], object]) -> list[float]:
    """The median seconds of each, by turns: what else the machine does then slows all of them."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(TIMES):
        for work, seconds in zip(works, times, strict=True):
            seconds.append(_seconds(work))
        if sum(seconds[-1] for seconds in times) > ONCE_OVER:
            break
    return [statistics.median(seconds) for seconds in times]


def _median(work: Callable[[], object]) -> float:
    return _side_by_side(work)[0]


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _empty(folder: Path) -> Path:
    """A folder with nothing in it, beside what was written before."""
    return Path(tempfile.mkdtemp(dir=folder))


def _printed(*words: str) -> str:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout
