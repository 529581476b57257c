"""How long a small run takes inside a live chat, once warm, and how soon it starts."""

import sqlite3
import statistics
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path

from bench.machine import ATLAS, environment, tell

CUSTOMERS = "customer_id,name,email,country\n" + "".join(
    f"{n},Person Nummer{n},person{n}@mail.example,Denmark\n" for n in range(100)
)
PIPELINE = """name: customers
owner: bench
source: {connector: csv, path: customers.csv}
key: [customer_id]
quality: {completeness: [email], uniqueness: [customer_id], validity: [{column: email, format: email}]}
"""


def measure() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pipelines" / "navigate").mkdir(parents=True)
        (folder / "pipelines" / "customers.yml").write_text(PIPELINE, encoding="utf-8")
        (folder / "pipelines" / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
        model = "-- Customers by country\nselect country, count(*) as customers from customers group by 1\n"
        (folder / "pipelines" / "navigate" / "by_country.sql").write_text(model, encoding="utf-8")
        times = _in_a_chat(folder, 6)
        started = _until_started(folder)
    tell("a run over 100 rows in a live chat, first", f"{times[0]:.2f} s", "-")
    tell("a run over 100 rows in a live chat, warm, median of 5", f"{statistics.median(times[1:]):.2f} s", "< 1 s")
    tell("a sentence to its run's first step, median", f"{statistics.median(started[1:]) * 1000:.0f} ms", "< 300 ms")


def _in_a_chat(folder: Path, runs: int) -> list[float]:
    """Seconds from a sentence to its answer, for each of some runs in one chat."""
    with subprocess.Popen(
        [*ATLAS, "chat"], env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            chat.stdin.write("run customers\n")
            chat.stdin.flush()
            for line in chat.stdout:
                if line.startswith("Next:"):
                    break
            times.append(time.perf_counter() - start)
        chat.stdin.close()
    return times


def _until_started(folder: Path) -> list[float]:
    """Seconds from the creation of each run to the start of its first part, as the database has them."""
    query = "select r.created_at, min(p.started_at) from run r join part p on p.run_id = r.id group by r.id"
    with sqlite3.connect(folder / "home" / "atlas.db") as database:
        times = [[datetime.fromisoformat(value) for value in row] for row in database.execute(query)]
    return [(started - created).total_seconds() for created, started in times]
