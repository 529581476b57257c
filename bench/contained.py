"""What it costs that SQL runs in a child process: a run, a contract and a model over 1M rows, beside the same without.

Without it, this process does what the child would do; both take turns on the same data.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl

from bench.machine import environment, tell
from bench.million import MODEL, PIPELINE, write_customers
from core.models import LINE, ColumnType, RawFile, Table
from core.pipeline import Pipeline
from core.pipeline_file import read
from engine.contract.measure import measured
from engine.contract.rows import Raw
from engine.navigate import build
from engine.navigate.models import Model
from engine.sql import contained, inside

ROWS = 1_000_000
TURNS = 5
HEAVY = """select country, postcode, count(*) as customers, sum(spent) as spent, max(updated) as updated,
    count(distinct email) as addresses from customers group by all order by all"""


CONTAINED = "from atlas.cli import main; main()"
WITHOUT = f"from bench.contained import uncontained; uncontained(); {CONTAINED}"


class Without:
    """The link of a request that this process does itself."""

    def at(self, what: str) -> None:
        pass

    def asked(self, question: bytes) -> bytes:
        raise NotImplementedError


def call(name: str, *arguments: Any, **_: Any) -> Any:
    return inside.does(name)(*arguments, Without())


def uncontained() -> None:
    """From here on this process contains nothing."""
    contained.call = call
    contained.warm = lambda _: None


def measure() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "pipelines" / "customers.csv"
        (folder / "pipelines" / "navigate").mkdir(parents=True)
        (folder / "pipelines" / "customers.yml").write_text(PIPELINE, encoding="utf-8")
        (folder / "pipelines" / "navigate" / "by_country.sql").write_text(MODEL, encoding="utf-8")
        write_customers(source, ROWS)
        raw = pl.read_csv(source, infer_schema=False).with_row_index(LINE, 2).cast({LINE: pl.Int64})
        raw.write_parquet(folder / "raw.parquet")
        typed = pl.read_csv(source)
        typed.write_parquet(folder / "customers.parquet")
        pipeline = read(folder / "pipelines" / "customers.yml")
        _compare("the contract of 1M rows", lambda: _contract(folder, pipeline))
        _compare("a model over 1M rows", lambda: _model(folder, typed))
        _compare("a run of 1M rows, command to exit", lambda: _run(folder, "-c", CONTAINED),
                 lambda: _run(folder, "-c", WITHOUT), 3)  # fmt: skip


def _compare(
    name: str, contained_: Callable[[], None], without: Callable[[], None] | None = None, turns: int = TURNS
) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns + 1):
        for way, did in enumerate((contained_, without or contained_)):
            with mock.patch.object(contained, "call", call if way and without is None else contained.call):
                begun = time.perf_counter()
                did()
                if turn or without:  # libraries are loaded in the first turn
                    times[way].append(time.perf_counter() - begun)
    here, there = map(statistics.median, times)
    tell(f"{name}: in a child / in the same process", f"{here:.2f} / {there:.2f} s", "-")
    tell("  its ratio, medians of alternating turns", f"{here / there:.3f} x", "<= 1.05 x")


def _contract(folder: Path, pipeline: Pipeline) -> None:
    types = {"spent": ColumnType("decimal", scale=2), "visits": ColumnType("integer"),
             "updated": ColumnType("datetime", "%Y-%m-%d"), "customer_id": ColumnType("integer")}  # fmt: skip
    columns = pl.read_parquet_schema(folder / "raw.parquet")
    kinds = {column: types.get(column, ColumnType()) for column in columns if column != LINE}
    files = [RawFile(str(folder / "raw.parquet"), ROWS)]
    raw = Raw(files, kinds, "UTC", {}, lambda _, values: values, datetime.now(UTC))
    measured(pipeline, raw, folder / "spill", lambda: None)


def _model(folder: Path, typed: pl.DataFrame) -> None:
    table = Table("customers", (folder / "customers.parquet",), dict.fromkeys(typed.columns, "VARCHAR"), rows=ROWS)
    build.build(Model("m", HEAVY, "", ("customers",)), {"customers": table}, folder / "m.parquet", "UTC")


def _run(folder: Path, *program: str) -> None:
    subprocess.run([sys.executable, *program, "say", "run customers"],
                   env={**environment(folder), "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
                   capture_output=True, check=True)  # fmt: skip
