"""One and three million rows of eleven columns without free text, from CSV to built tables, in one process."""

import json
import resource
import sqlite3
import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from bench.machine import atlas, peak_of_children_mb, tell

PIPELINE = """name: customers
owner: bench
source: {connector: csv, path: customers.csv}
key: [customer_id]
quality:
  completeness: [email, phone]
  uniqueness: [customer_id]
  validity: [{column: email, format: email}, {column: spent, min: 0}]
  consistency: [{expression: "visits >= 0"}]
  timeliness: {column: updated, max_age_hours: 48}
  reject_rows: [validity]
"""
MODEL = "-- Spending by country\nselect country, count(*) as customers, sum(spent) as spent from customers group by 1\n"


def write_customers(path: Path, rows: int, seed: int = 7, first: int = 0) -> None:
    """A CSV of people who do not exist: eleven columns, no free text."""
    chance = np.random.default_rng(seed)
    given = np.array(["Anne", "Søren", "Mette", "Jørgen", "Åse", "Lars", "Ida", "Bjørn"])
    last = np.array(["Holm", "Kjær", "Østergaard", "Lund", "Dahl", "Møller", "Brandt", "Skov"])
    country = np.array(["Denmark", "Sweden", "Norway", "Germany"])
    with path.open("wb") as file:
        for start in range(first, first + rows, 100_000):
            count = min(100_000, first + rows - start)
            number = pl.Series(np.arange(start, start + count))
            digits = pl.Series(chance.integers(20_000_000, 99_999_999, count)).cast(pl.String)
            day = pl.Series(chance.integers(1, 28, count)).cast(pl.String).str.zfill(2)
            year = pl.Series(chance.integers(40, 99, count)).cast(pl.String)
            tail = pl.Series(chance.integers(0, 9999, count)).cast(pl.String).str.zfill(4)
            pl.DataFrame(
                {
                    "customer_id": number + 1,
                    "first_name": given[chance.integers(0, 8, count)],
                    "last_name": last[chance.integers(0, 8, count)],
                    "email": "person" + number.cast(pl.String) + "@mail.example",
                    "phone": digits,
                    "cpr": day + "0" + (number % 9 + 1).cast(pl.String) + year + "-" + tail,
                    "country": country[chance.integers(0, 4, count)],
                    "postcode": pl.Series(chance.integers(1000, 9990, count)).cast(pl.String),
                    "spent": pl.Series(chance.integers(0, 900_000, count) / 100),
                    "visits": chance.integers(0, 90, count),
                    "updated": ["2026-11-20 12:00:00"] * count,
                }
            ).write_csv(file, include_header=start == first)


def measure() -> None:
    one, one_cpu = _run(1_000_000, "< 30 s")
    three, three_cpu = _run(3_000_000, "-")
    tell("three times the rows take", f"{three / one:.2f} x", "<= 3.3 x")
    tell("  in processor time, which others on the machine disturb less", f"{three_cpu / one_cpu:.2f} x", "<= 3.3 x")


def _run(rows: int, must: str) -> tuple[float, float]:
    """Seconds, and those of the processors."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pipelines" / "navigate").mkdir(parents=True)
        (folder / "pipelines" / "customers.yml").write_text(PIPELINE, encoding="utf-8")
        (folder / "pipelines" / "navigate" / "by_country.sql").write_text(MODEL, encoding="utf-8")
        write_customers(folder / "pipelines" / "customers.csv", rows)
        before = _processor_seconds()
        said, seconds = atlas(folder, "say", "run customers", "--json")
        facts = json.loads(said)["facts"]
        assert facts["rows_in"] == rows, facts["rows_in"]
        processors = _processor_seconds() - before
        planned = _seconds_of(folder, "plan")
    tell(f"{rows:,} rows x 11 columns, CSV to built tables", f"{seconds:.1f} s", must)
    tell("  of it, to see where the file can be cut", f"{planned / seconds:.1%}", "<= 10 %")
    tell("  its peak memory, or that of the run before", f"{peak_of_children_mb():.0f} MB", "< 1,000 MB")
    tell("  its processor time", f"{processors:.1f} s", "-")
    return seconds, processors


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seconds_of(folder: Path, step: str) -> float:
    """From the start of a step to its end, as the database has them."""
    with sqlite3.connect(folder / "home" / "atlas.db") as database:
        query = "select min(started_at), max(finished_at) from part where step = ?"
        start, end = map(datetime.fromisoformat, database.execute(query, [step]).fetchone())
    return (end - start).total_seconds()
