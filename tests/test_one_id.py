"""One id leads from what somebody said to the request, the run and each of its parts."""

import json
import socket
from pathlib import Path
from typing import Any

from tests.program import HANGS, Program, wait_for
from tests.test_servers import answers, free_port

PERSON = "Canary Kjærgaard"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_an_id_leads_from_the_chat_to_the_parts_of_a_run(tmp_path: Path) -> None:
    """The bot, the server and the worker in processes of their own, over HTTP."""
    server = Program(tmp_path / "server", ATLAS_LOG_LEVEL="INFO")
    server.pipeline("orders", f"id,name\n1,{PERSON}\n2,Bo\n", model="select count(*) as n from orders")
    assert server.run("user", "add", "anna", "--role", "operator").returncode == 0
    token = server.run("token", "anna").stdout.strip()
    port = free_port()
    process = server.start("serve", "--port", str(port))
    try:
        assert wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        http = {"ATLAS_API_URL": f"http://127.0.0.1:{port}", "ATLAS_TOKEN": token, "ATLAS_LOG_LEVEL": "INFO"}
        client = Program(tmp_path / "client", **http)
        assert client.say("run orders")["facts"]["state"] == "succeeded"
        assert client.say("runs")["ok"]
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b'GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: a\tb {"level"\r\n\r\n')
            assert b"401" in raw.recv(4096).partition(b"\r\n")[0]
    finally:
        process.send_signal(15)
        _, log = process.communicate(timeout=HANGS)
    bot = lines((client.home / "logs" / "atlas.log").read_text(encoding="utf-8"))
    said, asked_for_runs = [line for line in bot if line["message"] == "asked"]
    assert (said["skill"], asked_for_runs["skill"]) == ("run", "runs")
    assert said["request"] != asked_for_runs["request"]
    mine = [line for line in lines(log) if line.get("request") == said["request"]]
    parts = [line for line in mine if line["logger"] == "atlas.worker"]
    steps = ["plan", "explore", "verdicts", "rejects", "contract", "chart", "publish", "navigate"]
    assert sorted((line["step"], line["outcome"]) for line in parts) == sorted((step, "done") for step in steps)
    assert {line["run"] for line in parts} == {1}
    assert len({line["part"] for line in parts}) == len(steps)
    tasks = [line["task"] for line in parts if "task" in line]  # the pulse may find a part before its message is sent
    assert all(tasks)  # of the call that was heard: whoever heard it went on with what followed
    requests = [line for line in mine if line["logger"] == "atlas.api"]
    assert ("POST", "/api/v1/runs", 202) in [(line["method"], line["route"], line["status"]) for line in requests]
    assert {line["user"] for line in requests} == {1}
    assert "anna" not in log
    assert PERSON not in log
    assert '{\\"level' not in log
