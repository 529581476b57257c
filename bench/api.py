"""How soon the API answers over 100,000 runs and 5,000 datasets on PostgreSQL, to one client and to 50 at once."""

import asyncio
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, event

from api.main import IN_PROCESS, create_app
from bench.machine import ATLAS, atlas, environment, tell
from core.settings import load
from engine.home import open_home
from tests.databases import new_database

RUNS, PIPELINES, DATASETS, CHECKS, COLUMNS = 100_000, 500, 5_000, 6, 6
REQUESTS = 1_500  # of each route, for one client and for 50
UNLIMITED = {"ATLAS_LIMIT_PER_ADDRESS": "100000/second", "ATLAS_LIMIT_PER_TOKEN": "100000/second"}
PIPELINE = "name: {}\nowner: bench\nsource: {{connector: csv, path: {}.csv}}\n"
ROUTES = {
    "/runs": "/api/v1/runs",
    "/runs?pipeline=": "/api/v1/runs?pipeline=p00042&state=failed",
    "/runs/X": "/api/v1/runs/99999",
    "/datasets": "/api/v1/datasets",
    "/datasets/X/quality": "/api/v1/datasets/p00042/quality",
    "/datasets/X/quality/trend": "/api/v1/datasets/p00042/quality/trend",
}
PROMISED = ("/runs", "/datasets", "/datasets/X/quality")
FILL = f"""
INSERT INTO run (id, pipeline, definition, state, "full", requested_by, created_at, started_at, finished_at,
                 cancel_requested, resumed, rows_in, rows_out, rows_rejected, error, tables, warnings)
SELECT n, 'p' || lpad(mod(n, {PIPELINES})::text, 5, '0'),
       json_build_object('owner', 'bench', 'quality', json_build_object('minimum_score', 90), 'x', repeat('x', 4000)),
       CASE WHEN mod(n, 20) = 0 THEN 'failed' ELSE 'succeeded' END, false, 'kim',
       now() - interval '1 minute' * ({RUNS} - n), now() - interval '1 minute' * ({RUNS} - n),
       now() - interval '1 minute' * ({RUNS} - n) + interval '3 seconds', false, 0, 10214, 10177, 37,
       CASE WHEN mod(n, 20) = 0 THEN '{{"code": "source_missing", "message": "No file.", "hint": null}}'::json END,
       '[]', '[]'
FROM generate_series(1, {RUNS}) n;
INSERT INTO part (run_id, step, ordinal, spec, state, attempt, token, wake_at, rows)
SELECT n, step, 0, '{{}}', 'done', 1, 1, now(), 10214
FROM generate_series({RUNS} - 5000, {RUNS}) n, unnest(array['plan', 'explore', 'verdicts', 'contract', 'chart']) step;
INSERT INTO score (run_id, dataset, at, overall, measured, dimensions)
SELECT n, 'p' || lpad(mod(n, {PIPELINES})::text, 5, '0'), now(), 94.1, 5,
       '{{"completeness": 91, "uniqueness": 100, "validity": 98, "accuracy": null, "consistency": 99, "timeliness": 8}}'
FROM generate_series(1, {RUNS}) n;
INSERT INTO check_result (run_id, ordinal, name, dimension, "column", failed, tested, weight, fault)
SELECT n, k, 'column ' || k || ' is filled in', 'completeness', 'column ' || k, k, 10214, 1, 'it is empty'
FROM generate_series(1, {RUNS}) n, generate_series(1, {CHECKS}) k;
INSERT INTO verdict (run_id, ordinal, dataset, "column", types, confidence, reason, action, scope, options, rows,
                     masked, found)
SELECT n, k, 'p' || lpad(mod(n, {PIPELINES})::text, 5, '0'), 'column ' || k, '["EMAIL"]', 0.98, 'they look like it',
       'hash', 'column', '{{}}', 10177, 10177, '{{"EMAIL": 10177}}'
FROM generate_series(1, {RUNS}) n, generate_series(1, {COLUMNS}) k;
INSERT INTO dataset (name, kind, owner, description, current_version_id)
SELECT CASE WHEN n < {PIPELINES} THEN 'p' ELSE 'm' END || lpad(n::text, 5, '0'),
       CASE WHEN n < {PIPELINES} THEN 'charted' ELSE 'model' END, 'bench', 'A dataset of the benchmark', n + 1
FROM generate_series(0, {DATASETS} - 1) n;
INSERT INTO version (id, dataset, number, run_id, published_at, rows, columns, masked, policy_hash, key_id, inputs)
SELECT n + 1, CASE WHEN n < {PIPELINES} THEN 'p' ELSE 'm' END || lpad(n::text, 5, '0'), 200,
       {RUNS} - {PIPELINES} + mod(n, {PIPELINES}), now(), 10177, '{{"email": "VARCHAR"}}', '["email"]', '', '', '{{}}'
FROM generate_series(0, {DATASETS} - 1) n;
ANALYZE
"""


def measure() -> None:
    with new_database() as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pipelines" / "navigate").mkdir(parents=True)
        for n in range(PIPELINES):
            (folder / "pipelines" / f"p{n:05}.yml").write_text(PIPELINE.format(f"p{n:05}", f"p{n:05}"))
        settings = {"ATLAS_DATABASE_URL": url, "ATLAS_MASKING_KEY": "k" * 32} | UNLIMITED
        atlas(folder, "db", "upgrade", **settings)
        _fill(url)
        atlas(folder, "user", "add", "bench", "--role", "admin", **settings)
        token = atlas(folder, "token", "bench", **settings)[0].strip()
        _count(folder, token, settings)
        with _server(folder, settings) as port:
            for route, path in ROUTES.items():
                for clients, most in ((1, 50), (50, 250)):
                    times = asyncio.run(_ask(port, path, token, clients))
                    p50, p95, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.95, 0.99))
                    who = f"GET {route}, {clients} at once" if clients > 1 else f"GET {route}, one client"
                    must = f"< {most} ms" if route in PROMISED else "-"
                    tell(f"{who}: p50 {p50:.1f}, p95 {p95:.1f} ms, p99", f"{p99:.1f} ms", must)


def _engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")


def _fill(url: str) -> None:
    engine = _engine(url)
    with engine.connect() as connection:
        for statement in FILL.split(";"):
            connection.exec_driver_sql(statement)
    engine.dispose()


def _count(folder: Path, token: str, settings: dict[str, str]) -> None:
    """Tells how many statements each route sends, sign-in included."""
    wanted = {name: value for name, value in (environment(folder) | settings).items() if name.startswith("ATLAS_")}
    home = open_home(load(wanted))
    client = TestClient(
        create_app(home, lambda: None), base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"}
    )
    sent: list[str] = []
    event.listen(home.database.engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
    for route, path in ROUTES.items():
        sent.clear()
        assert client.get(path).status_code == 200, route
        tell(f"GET {route}: statements", str(len(sent)), "constant")
    home.database.close()


@contextmanager
def _server(folder: Path, settings: dict[str, str]) -> Iterator[int]:
    """The API as compose runs it: in a process of its own, the work elsewhere."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    command = [*ATLAS, "serve", "api", "--port", str(port)]
    with subprocess.Popen(command, env=environment(folder) | settings, stdout=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                with socket.socket() as caller:
                    if caller.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()


async def _ask(port: int, path: str, token: str, clients: int) -> list[float]:
    """The seconds that each request took, shortest first; each client asks again as soon as it is answered."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    left = iter(range(REQUESTS + 2 * clients))
    times: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head[:40]
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            times.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return sorted(times[2 * clients :])  # the first ones open connections
