"""How long /metrics takes on PostgreSQL with 100,000 runs and 1,000,000 parts."""

import statistics
import tempfile
import time

from sqlalchemy import text

from api.metrics import Metrics
from bench.machine import tell
from core.settings import load
from engine.home import open_home
from engine.store.database import HEAD, Database, migrate
from tests.databases import new_database

RUNS = 100_000
FILL = """
insert into run (id, pipeline, definition, state, "full", requested_by, created_at, started_at, finished_at,
                 cancel_requested, resumed, rows_in, rows_out, rows_rejected, tables, warnings)
select n, 'pipeline_' || n % 5000, '{"name": "x", "source": {"connector": "csv"}}',
       (array['succeeded', 'succeeded', 'refused', 'failed', 'cancelled'])[n % 5 + 1], false, 'anna', now(), now(),
       now(), false, n % 100 / 99, 1000, 990, 10, '[]', '[]' from generate_series(:first, :last) n;
insert into part (run_id, step, ordinal, spec, state, attempt, token, wake_at, started_at, finished_at, rows, result)
select n, (array['plan', 'explore', 'explore', 'verdicts', 'contract', 'chart', 'chart', 'chart', 'publish',
                 'navigate'])[k], k, '{}', 'done', 1, 1, now(), now() - interval '1 second' * (n % 400) / 7, now(),
       1000, '{"path": "/srv/atlas/lake/chart/customers/run-1-00000-1.parquet", "rows": 1000}'
  from generate_series(:first, :last) n, generate_series(1, 10) k;
insert into verdict (run_id, ordinal, dataset, "column", types, confidence, reason, action, scope, options, rows,
                     masked, found)
select n, k, 'pipeline_' || n % 5000, 'column_' || k, '["EMAIL"]', 0.9, 'looks like it', 'hash', 'column', '{}', 990,
       k % 2 * 990, case k % 2 when 1 then '{"EMAIL": 990}' else '{}' end::json
  from generate_series(:first, :last) n, generate_series(1, 6) k;
insert into score (run_id, dataset, at, overall, measured, dimensions)
select n, 'pipeline_' || n % 5000, now(), 95.5, 5, '{}' from generate_series(:first, :last) n;
"""


def measure() -> None:
    with new_database() as url:
        _measure(url)


def _measure(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        migrate(Database(url), HEAD)
        home = open_home(load({"ATLAS_HOME": folder, "ATLAS_DATABASE_URL": url}))
        _run(home.database, 1, RUNS)
        with home.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("analyze"))
        metrics, always = Metrics(home), Metrics(home, kept_seconds=0)
        first = _seconds(metrics)
        kept = [_seconds(metrics) for _ in range(20)]
        always.text()
        later = []
        for n in range(10):
            _run(home.database, RUNS + 100 * n + 1, RUNS + 100 * n + 100)
            later.append(_seconds(always))
        home.database.close()
    tell("a scrape of 100,000 runs and 1,000,000 parts, first of a process", f"{first * 1000:.0f} ms", "< 10 s")
    tell("  later ones, 100 more runs each, median", f"{statistics.median(later) * 1000:.0f} ms", "< 250 ms")
    tell("  within 10 s of another, median", f"{statistics.median(kept) * 1000:.1f} ms", "-")


def _run(database: Database, first: int, last: int) -> None:
    with database.write() as db:
        for statement in FILL.split(";")[:-1]:
            db.execute(text(statement), {"first": first, "last": last})


def _seconds(metrics: Metrics) -> float:
    start = time.perf_counter()
    metrics.text()
    return time.perf_counter() - start
