"""`atlas serve api` and `atlas serve bot`: one part in a process of its own."""

from pathlib import Path

from tests.program import HANGS, Program, end, wait_for
from tests.test_servers import answers, free_port


def test_the_api_alone_leaves_the_work_to_a_worker(tmp_path: Path) -> None:
    program = Program(tmp_path, ATLAS_THREADS="1")
    program.pipeline("orders", "id,total\n1,2.50\n2,3.00\n")
    assert program.run("user", "add", "anna", "--role", "operator").returncode == 0
    port = free_port()
    server = program.start("serve", "api", "--port", str(port))
    try:
        assert wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        token = program.run("token", "anna").stdout.strip()
        client = Program(tmp_path / "client", ATLAS_API_URL=f"http://127.0.0.1:{port}", ATLAS_TOKEN=token)
        asking = client.start("say", "run orders", "--json")
        assert not wait_for(lambda: asking.poll() is not None, 3)  # nobody works yet
        worker = program.start("worker")
        try:
            said, _ = asking.communicate(timeout=HANGS)
            assert '"state": "succeeded"' in said
        finally:
            assert end(worker) == 0
    finally:
        assert end(server) == 0


def test_a_bot_without_a_platform_says_so(tmp_path: Path) -> None:
    refused = Program(tmp_path).run("serve", "bot")
    assert refused.returncode == 1
    assert refused.stderr.startswith("No chat platform is configured")
