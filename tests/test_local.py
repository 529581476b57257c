"""deploy/local.sh: the processes of production on this machine, against a real PostgreSQL and Redis."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import REDIS
from tests.program import HANGS, ROOT, Program, wait_for
from tests.test_servers import free_port

pytestmark = pytest.mark.services
SCRIPT = str(ROOT / "deploy" / "local.sh")
ROWS = 60_000


@pytest.fixture
def program(tmp_path: Path, url: str) -> Program:
    """A database, a broker and a port of its own."""
    return Program(
        tmp_path, ATLAS_DATABASE_URL=url, ATLAS_WAREHOUSE_URL=url,
        ATLAS_BROKER_URL=REDIS.rpartition("/")[0] + "/13", ATLAS_API_LISTEN=f"127.0.0.1:{free_port()}",
        ATLAS_LEASE_SECONDS="5",
    )  # fmt: skip


def start(program: Program) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [SCRIPT, "2"], env=program.environment, cwd=program.folder, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def until_ready(script: subprocess.Popen[str]) -> dict[str, int]:
    """The processes by name, once it says that all is ready."""
    assert script.stdout is not None
    found: dict[str, int] = {}
    for line in script.stdout:
        if named := re.match(r"(.*) is process (\d+)", line):
            found[named[1]] = int(named[2])
        if line.startswith("Atlas is ready"):
            break
    return found


def call(program: Program, token: str, path: str, body: object = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://{program.environment['ATLAS_API_LISTEN']}/api/v1/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_run_outlives_a_worker_and_everything_ends_together(program: Program) -> None:
    for part in range(4):
        lines = "".join(f"{n},{n % 7}.50\n" for n in range(part * ROWS, (part + 1) * ROWS))
        (program.pipelines / f"orders-{part}.csv").write_text(f"id,total\n{lines}", encoding="utf-8")
    program.pipeline("orders", "", model="select count(*) as orders, sum(total) as total from orders")
    (program.pipelines / "orders.csv").unlink()
    text = "name: orders\nowner: web-team\nsource: {connector: csv, path: orders-*.csv}\n"
    (program.pipelines / "orders.yml").write_text(text, encoding="utf-8")
    script = start(program)
    try:
        processes = until_ready(script)
        assert list(processes) == ["api", "worker 1", "worker 2", "beat"]
        assert program.run("user", "add", "anna", "--role", "operator").returncode == 0
        token = program.run("token", "anna").stdout.strip()
        number = call(program, token, "runs", {"pipeline": "orders"})["run"]
        url = program.environment["ATLAS_DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as database:
            begun = "SELECT count(*) > 0 FROM part WHERE step <> 'plan' AND state <> 'ready'"
            assert wait_for(lambda: database.execute(begun).fetchone() == (True,))
            os.kill(processes["worker 1"], signal.SIGKILL)
            assert wait_for(lambda: call(program, token, f"runs/{number}")["state"] not in ("queued", "running"))
            ended = call(program, token, f"runs/{number}")
            assert (ended["state"], ended["rows_in"], ended["rows_out"]) == ("succeeded", 4 * ROWS, 4 * ROWS)
            shown = call(program, token, "models/orders_model/rows")["rows"]
            (found,) = database.execute("SELECT orders, total FROM navigate.orders_model").fetchall()
            assert [found[0], str(found[1])] == shown[0]
    finally:
        script.send_signal(signal.SIGINT)
        said, _ = script.communicate(timeout=HANGS)
    assert script.returncode == 0, said
    assert wait_for(lambda: not any(lives(pid) for pid in processes.values()), 5)


@pytest.mark.parametrize(
    ("missing", "said"),
    [("ATLAS_DATABASE_URL", "ATLAS_DATABASE_URL is not set."), ("ATLAS_BROKER_URL", "ATLAS_BROKER_URL is not set.")],
)
def test_it_says_what_it_needs(program: Program, missing: str, said: str) -> None:
    del program.environment[missing]
    refused = subprocess.run([SCRIPT], env=program.environment, capture_output=True, text=True, timeout=HANGS)
    assert (refused.returncode, refused.stderr.startswith(said)) == (1, True)


def test_a_taken_port_ends_all_of_it(program: Program) -> None:
    host, _, port = program.environment["ATLAS_API_LISTEN"].partition(":")
    with socket.create_server((host, int(port))):
        script = start(program)
        said, _ = script.communicate(timeout=HANGS)
    assert script.returncode == 1
    assert "cannot listen" in said
    time.sleep(0.2)
    assert not any(lives(int(pid)) for pid in re.findall(r"is process (\d+)", said))
