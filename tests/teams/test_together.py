"""What is begun in one chat is seen in the other, and ended from the terminal."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.mocks import slack as mock_slack
from tests.mocks import teams as mock
from tests.mocks.teams import CHANNEL
from tests.program import Program, wait_for
from tests.teams.office import at_work


@contextmanager
def source_without_end() -> Iterator[str]:
    """A REST API that has another page each time, and takes a moment for it."""
    ended = threading.Event()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ended.wait(0.1)
            page = f'[{{"id": "{self.path}"}}]'.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


def test_a_run_begun_in_slack_is_watched_in_teams_and_cancelled_from_the_terminal(tmp_path: Path) -> None:
    with source_without_end() as url, mock_slack.running() as slack, mock.running() as teams:
        terminal = Program(tmp_path, ATLAS_REST_ALLOW_PRIVATE="127.0.0.1")
        source = f'source: {{connector: rest, url: "{url}", records: $, pagination: {{by: page, parameter: page}}}}'
        (terminal.pipelines / "endless.yml").write_text(f"name: endless\nowner: web-team\n{source}\n", encoding="utf-8")
        with at_work(tmp_path, slack, teams, ATLAS_REST_ALLOW_PRIVATE="127.0.0.1") as office:
            assert office.office.send(slack.command("run endless", channel=mock_slack.CHANNEL)).status_code == 200
            assert wait_for(lambda: any("Run #1 of endless" in m.text for m in slack.messages))
            assert office.send(teams.activity("run endless", channel=CHANNEL)).status_code == 200
            assert wait_for(lambda: any("Run #1 of endless" in m.text for m in teams.messages))
            assert "Run #1 of endless is cancelled" in terminal.say("cancel 1")["text"]
            assert wait_for(office.office.idle)
            for messages in (slack.messages, teams.messages):
                assert ["Run #1 of endless was cancelled" in m.text for m in messages] == [True]
            assert (slack.wrong, teams.wrong) == ([], [])
