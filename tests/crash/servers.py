"""A PostgreSQL, a Redis and a receiver of lineage events that belong to the matrix alone, on ports of their own."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import redis
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL"]  # nothing stays behind, however the matrix ends


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Postgres:
    """A cluster in a folder, as a user who is not root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "postgres", free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._as = list(DIES_WITH_US)
        self.folder.mkdir()
        if os.geteuid() == 0:
            self._as += ["--reuid", "postgres", "--regid", "postgres", "--init-groups"]
            shutil.chown(self.folder, "postgres", "postgres")
            folder.chmod(0o711)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
        self._programs = found[-1].parent if found else Path(shutil.which("postgres") or "").parent
        self._data = self.folder / "data"
        subprocess.run(
            [*self._as, self._programs / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-N"],
            cwd=self.folder, check=True, capture_output=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder.parent / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, self._programs / "postgres", "-D", self._data, "-p", str(self.port), "-k", self.folder,
                 "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
                cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        server = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        end = time.monotonic() + 30
        while True:
            try:
                with server.connect() as connection:
                    connection.execute(text("select 1"))
            except OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                server.dispose()
                return

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def restart(self, how: signal.Signals) -> None:
        self.stop(how)
        time.sleep(0.5)
        self.start()


class Redis:
    """A server that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, socket_timeout=10)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*DIES_WITH_US, "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no"],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + 10
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        self.stop()
        time.sleep(0.5)
        self.start()


class Receiver:
    """Takes lineage events as Marquez does, and counts them."""

    def __init__(self) -> None:
        receiver = self
        self.received = 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received += 1
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
