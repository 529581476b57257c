"""The same on servers: PostgreSQL holds the truth, Redis wakes a worker, the chat speaks HTTP."""

import socket
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import create_engine, text

from tests.conftest import POSTGRES, REDIS, REQUIRED
from tests.program import Program, end, wait_for

pytestmark = pytest.mark.services


@pytest.fixture
def servers(postgres_url: str) -> Iterator[dict[str, str]]:
    """Settings for a database and a broker of their own."""
    del postgres_url  # it says whether PostgreSQL answers
    try:
        redis.Redis.from_url(REDIS).ping()
    except redis.ConnectionError:
        if REQUIRED:
            raise
        pytest.skip("Redis does not answer; ATLAS_TEST_REDIS says where it is")
    name = f"atlas_test_{uuid.uuid4().hex[:12]}"
    server = create_engine(POSTGRES.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    redis.Redis.from_url(REDIS).flushdb()
    yield {
        "ATLAS_DATABASE_URL": POSTGRES.rpartition("/")[0] + f"/{name}",
        "ATLAS_BROKER_URL": REDIS,
        "ATLAS_MASKING_KEY": "k" * 32,
    }
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


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
        assert wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz"), 30)
        client = Program(tmp_path / "client", ATLAS_API_URL=f"http://127.0.0.1:{port}", ATLAS_TOKEN=token)
        ran = client.say("run orders")
        assert (ran["facts"]["state"], ran["facts"]["rows_out"]) == ("succeeded", 2)
        assert client.say("show orders_model")["facts"]["rows"] == [["5.50"]]
        denied = client.say("pii orders")
        assert (denied["exit"], "you are operator" in denied["text"]) == (1, True)
        assert not (client.home / "atlas.db").exists()
    finally:
        assert [end(worker), end(server)] == [0, 0]
