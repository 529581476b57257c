"""A table of one and of five million rows, read from PostgreSQL into raw files: seconds, and the most memory it took.

ATLAS_TEST_POSTGRES says where a server is on which a database may be made, which is dropped afterwards.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.machine import tell

FILL = """
CREATE TABLE people AS SELECT n AS id, 'person' || n || '@mail.example' AS email, n * 1.25 AS paid,
    timestamptz '2026-01-01 12:00+00' + n * interval '1 second' AS updated_at, md5(n::text)::uuid AS code,
    jsonb_build_object('n', n) AS more FROM generate_series(1, {rows}) n;
ALTER TABLE people ADD PRIMARY KEY (id);
ANALYZE people
"""


def measure() -> None:
    for rows, must in ((1_000_000, "-"), (5_000_000, "as for 1,000,000")):
        seconds, megabytes = _in_a_process(rows)
        tell(f"{rows:,} rows x 6 columns of PostgreSQL into raw files", f"{seconds:.1f} s", "-")
        tell("  its peak memory", f"{megabytes:.0f} MB", must)


def _in_a_process(rows: int) -> tuple[float, float]:
    import psycopg

    from tests.databases import new_database

    with new_database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as made:
            made.execute(FILL.format(rows=rows))
        command = [sys.executable, "-m", "bench.postgres_source", str(rows)]
        done = subprocess.run(command, env=os.environ | {"DSN": dsn}, check=True, capture_output=True, text=True)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def read(rows: int) -> None:
    """Reads the table, part by part, as the step Explore does."""
    from connectors import postgres
    from core.secrets import Secret
    from core.settings import load
    from engine.explore import ingest

    dsn = Secret("DSN", load({"ATLAS_SECRET_DSN": os.environ["DSN"]}).secret("DSN"))
    source = postgres.Source(connector="postgres", dsn=dsn, table="people")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        read = [
            ingest.ingest(postgres.read(source, part), Path(folder) / "raw", str(number), lambda _: None).rows
            for number, part in enumerate(postgres.parts(source, Path()))
        ]
    assert sum(read) == rows, read
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"{time.perf_counter() - start:.1f} {peak:.0f}")


if __name__ == "__main__":
    read(int(sys.argv[1]))
