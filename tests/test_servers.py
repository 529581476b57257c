"""The same on servers: PostgreSQL holds the truth, Redis wakes a worker, the chat speaks HTTP."""

import socket
import urllib.request
from pathlib import Path

import polars as pl
import pytest
import redis
from polars.testing import assert_frame_equal

from bench.pii import customers
from tests.conftest import REDIS, REQUIRED
from tests.program import Program, end, wait_for

pytestmark = pytest.mark.services


@pytest.fixture
def servers(url: str) -> dict[str, str]:
    """Settings for a database and a broker of their own."""
    try:
        redis.Redis.from_url(REDIS).ping()
    except redis.ConnectionError:
        if REQUIRED:
            raise
        # where services are required, as in CI, it has failed by now
        pytest.skip("Redis does not answer; ATLAS_TEST_REDIS says where it is")
    redis.Redis.from_url(REDIS).flushdb()
    return {"ATLAS_DATABASE_URL": url, "ATLAS_BROKER_URL": REDIS, "ATLAS_MASKING_KEY": "k" * 32}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_run_over_http_on_postgresql_and_redis(tmp_path: Path, servers: dict[str, str]) -> None:
    program = Program(tmp_path, **servers)
    program.pipeline("orders", "id,total\n1,2.50\n2,3.00\n", model="select sum(total) as total from orders")
    refused = program.run("say", "help")
    assert refused.returncode == 1
    assert "atlas db upgrade" in refused.stderr
    assert program.run("db", "upgrade").returncode == 0
    assert program.run("user", "add", "anna", "--role", "operator").returncode == 0
    token = program.run("token", "anna").stdout.strip()
    port = free_port()
    worker, server = program.start("worker"), program.start("serve", "--port", str(port))
    try:
        assert wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        client = Program(tmp_path / "client", ATLAS_API_URL=f"http://127.0.0.1:{port}", ATLAS_TOKEN=token)
        ran = client.say("run orders")
        assert (ran["facts"]["state"], ran["facts"]["rows_out"]) == ("succeeded", 2)
        assert client.say("show orders_model")["facts"]["rows"] == [["5.50"]]
        denied = client.say("pii orders")
        assert (denied["exit"], "you are operator" in denied["text"]) == (1, True)
        assert not (client.home / "atlas.db").exists()
    finally:
        assert [end(worker), end(server)] == [0, 0]


def test_embedded_and_with_three_workers_on_servers_the_same_input_gives_the_same_output(
    tmp_path: Path, servers: dict[str, str]
) -> None:
    def program(name: str, **settings: str) -> Program:
        made = Program(tmp_path / name, **settings)
        made.pipeline("customers", "", "privacy: {columns: {phone: tokenize}}\n")
        source = made.pipelines / "customers.yml"
        source.write_text(source.read_text("utf-8").replace("customers.csv", "customers-*.csv"), encoding="utf-8")
        (made.pipelines / "customers.csv").unlink()
        for n in range(4):
            customers.write(made.pipelines / f"customers-{n}.csv", 60 + n, customers.templates)
        return made

    def published(made: Program) -> pl.DataFrame:
        files = sorted((made.home / "lake" / "chart" / "customers").glob("*.parquet"))
        return pl.concat(map(pl.read_parquet, files)).sort(pl.all())

    alone = program("alone", ATLAS_MASKING_KEY=servers["ATLAS_MASKING_KEY"])
    assert alone.say("run customers")["facts"]["state"] == "succeeded"
    shared = program("shared", **servers)
    assert shared.run("db", "upgrade").returncode == 0
    assert shared.run("user", "add", "anna", "--role", "operator").returncode == 0
    token = shared.run("token", "anna").stdout.strip()
    port = free_port()
    processes = [shared.start("worker"), shared.start("worker"), shared.start("serve", "--port", str(port))]
    try:
        assert wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        client = Program(tmp_path / "client", ATLAS_API_URL=f"http://127.0.0.1:{port}", ATLAS_TOKEN=token)
        assert client.say("run customers")["facts"]["state"] == "succeeded"
    finally:
        assert [end(process) for process in processes] == [0, 0, 0]
    rows = published(shared)
    assert len(rows) == 246
    assert_frame_equal(rows, published(alone))
