"""Sources that are not what they should be: each ends in an answer that names it and says what would help."""

import gzip
import http.server
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import POSTGRES
from tests.program import HANGS, Program

BOMB = gzip.compress(b'["' + b"x" * (65 << 20) + b'"]', 9)


class Handler(http.server.BaseHTTPRequestHandler):
    """A server on loopback that answers as the path says."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status, headers, body = {
            "/html": (200, {}, b"<html>Sign in</html>"),
            "/endless": (200, {}, b'[{"id": 1}]'),
            "/circle": (302, {"Location": "/circle"}, b""),
            "/huge": (200, {"Content-Encoding": "gzip"}, BOMB),
            "/letters": (200, {}, b'[{"name": "\xff\xfe"}]'),
        }[path]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.services
def test_each_is_told_in_the_chat_with_its_source_and_a_remedy_and_nothing_is_published(
    tmp_path: Path, port: int
) -> None:
    program = Program(
        tmp_path, ATLAS_REST_ALLOW_PRIVATE="127.0.0.1", ATLAS_SECRET_DSN=POSTGRES,
        ATLAS_SECRET_GONE="postgresql://atlas@127.0.0.1:1/crm",
        ATLAS_SECRET_STRANGER="postgresql://nobody_of_that_name@127.0.0.1/postgres",
    )  # fmt: skip
    at = f"127.0.0.1:{port}"
    sources = {
        "html": f'{{connector: rest, url: "http://{at}/html"}}',
        "endless": f'{{connector: rest, url: "http://{at}/endless", pagination: {{by: page}}}}',
        "circle": f'{{connector: rest, url: "http://{at}/circle"}}',
        "huge": f'{{connector: rest, url: "http://{at}/huge"}}',
        "letters": f'{{connector: rest, url: "http://{at}/letters"}}',
        "gone": '{connector: postgres, dsn: "${secret:GONE}", table: t}',
        "stranger": '{connector: postgres, dsn: "${secret:STRANGER}", table: t}',
        "missing": '{connector: postgres, dsn: "${secret:DSN}", table: no_such_table_here}',
    }
    for name, source in sources.items():
        (program.pipelines / f"{name}.yml").write_text(f"name: {name}\nowner: tests\nsource: {source}\n")
    told = program.run("chat", text="".join(f"run {name}\n" for name in sources) + "datasets\n").stdout
    for answer in (
        f"html failed in Explore: {at}/html answers with HTML or XML, not with JSON",
        f"endless failed in Explore: {at}/endless answers with the same page again: its pages would never end",
        f"circle failed in Explore: {at}/circle redirects more than 5 times, perhaps in a circle",
        f"huge failed in Explore: {at}/huge answers with a page of more than 64 MB",
        f"letters failed in Explore: The answer of {at}/letters is not UTF-8",
        "gone failed in Explore after 3 tries: 127.0.0.1:1/crm cannot be reached",
        "stranger failed in Explore: 127.0.0.1:5432/postgres refuses the user or the password",
        "missing failed in Explore: 127.0.0.1:5432/postgres has no table no_such_table_here",
    ):
        assert answer in told, told
    for remedy in (
        "Is it the address of the API, and not of a page?", "Correct pagination.", "write the address it ends at",
        "Ask for less", "Ask its owner for UTF-8", "Is the server up", "Correct the secret that dsn names",
    ):  # fmt: skip
        assert remedy in told, told
    assert told.count("Nothing was published") == len(sources)


def test_a_run_over_a_pipe_ends_at_once_instead_of_waiting_for_a_writer(tmp_path: Path) -> None:
    program = Program(tmp_path)
    os.mkfifo(program.pipelines / "pipe.csv")
    program.reads("pipe", "{connector: csv, path: pipe.csv}")
    program.reads("pipes", "{connector: csv, path: 'p*.csv'}")
    began = time.monotonic()
    told = program.run("chat", text="run pipe\nrun pipes\ncancel\nruns\n").stdout
    assert told.count("pipe.csv is not a regular file, but a pipe, a socket or a device") == 2, told
    assert len(re.findall("failed +today", told)) == 2, told
    assert time.monotonic() - began < HANGS / 3
