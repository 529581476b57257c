"""Connections that say little, wait long or come in crowds, and answers that grow: a server in a process of its own."""

import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.attack.attempts import Attempts, Guard
from tests.program import Program, end, wait_for

GUARDS = [
    Guard("atlas/patience.py", "self._room.make(self)", "pass",
          "test_connections.py::test_more_idle_connections_than_there_is_room_for_keep_nobody_out"),
    Guard("atlas/patience.py", "elif self.of.total() > MOST:", "elif False:",
          "test_connections.py::test_more_idle_connections_than_there_is_room_for_keep_nobody_out"),
    Guard("atlas/patience.py", "if self.of[new.network] > MOST_OF_ONE and not new.from_proxy:", "if False:",
          "test_connections.py::test_one_network_takes_no_room_from_another"),
    Guard("atlas/patience.py", "if asked and not self.flow.write_paused:", "if asked:",
          "test_connections.py::test_clients_that_do_not_read_keep_nobody_out"),
    Guard("api/watching.py", "if self._waiting[who] >= MOST_OF_ONE:", "if False:",
          "test_connections.py::test_polls_and_streams_of_one_caller_are_few"),
    Guard("api/deps.py", 'return self.principal if self.user is None else f"user:{self.user}"', "return self.principal",
          "test_connections.py::test_polls_and_streams_of_one_caller_are_few"),
    Guard("atlas/patience.py", "AT_A_TIME = 16_384", "AT_A_TIME = 10**9",
          "test_connections.py::test_a_request_that_is_too_large_is_refused"),
    Guard("engine/catalog.py", "MOST_LISTED = 10", "MOST_LISTED = 10**6",
          "test_connections.py::test_no_hint_lists_every_pipeline"),
]  # fmt: skip
PIPELINES = 1000


class Server:
    def __init__(self, program: Program, port: int, tokens: list[str]) -> None:
        self.program, self.port, self.tokens = program, port, tokens
        self.url = f"http://127.0.0.1:{port}"

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))

    def alive(self, source: str = "127.0.9.9") -> float:
        """Seconds until somebody in another network hears that the server is alive; many if it is not."""
        begun = time.perf_counter()
        with suppress(OSError, TimeoutError), self.connect(source) as one:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            if one.recv(100).startswith(b"HTTP/1.1 200"):
                return time.perf_counter() - begun
        return 99.0

    def headers(self, token: int = 0) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[token]}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # more connections than a shell lets a process have
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    limits = dict.fromkeys(("ATLAS_LIMIT_PER_ADDRESS", "ATLAS_LIMIT_PER_TOKEN"), "99999/second")
    program = Program(tmp_path_factory.mktemp("connections"), **limits)
    program.pipeline("orders", "id\n1\n")
    text = "name: {}\nowner: x\nsource: {{connector: csv, path: x.csv}}\n"
    for number in range(PIPELINES):
        (program.pipelines / f"p{number:05}.yml").write_text(text.format(f"p{number:05}"))
    assert program.run("user", "add", "anna", "--role", "operator").returncode == 0
    tokens = [program.run("token", "anna").stdout.strip() for _ in range(2)]
    log = (program.folder / "log").open("w")
    command = [*program.start.__globals__["COMMAND"], "serve", "api", "--port", str(port)]
    process = subprocess.Popen(command, env=program.environment, cwd=program.folder, stdout=log, stderr=log, text=True)
    found = Server(program, port, tokens)
    try:
        assert wait_for(lambda: found.alive() < 9)
        yield found
    finally:
        end(process)


ASK = b"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
IDLE = {
    "no byte": b"",
    "one byte": b"G",
    "an empty line": b"\r\n",
    "half a request line": b"GET /healthz HT",
    "a request line": b"GET /healthz HTTP/1.1\r\n",
    "half a header": b"GET /healthz HTTP/1.1\r\nHost: loc",
    "no end of headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
    "no body": ASK + b"Content-Length: 100\r\n\r\n",
    "half a body": ASK + b"Content-Length: 100\r\n\r\n{",
    "no chunk": ASK + b"Transfer-Encoding: chunked\r\n\r\n",
    "half a chunk": ASK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
    "no last chunk": ASK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "waits for 100 Continue": ASK + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    "answered, and kept": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "answered, and half of the next": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /",
    "the hello of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("networks", [1, 9])
@pytest.mark.parametrize("kind", IDLE)
def test_connections_that_ask_nothing_keep_nobody_out(
    server: Server, attempts: Attempts, kind: str, networks: int
) -> None:
    with ExitStack() as open_ones:
        for number in range(505):
            with suppress(OSError):
                one = open_ones.enter_context(server.connect(f"127.0.7.{1 + number % networks}"))
                one.sendall(IDLE[kind])
        seconds = [server.alive() for _ in range(3)]
    attempts.tried("idle connections", f"{kind}, {networks} networks", held=max(seconds) < 5)


@pytest.mark.parametrize("kind", ["one byte", "no body"])
def test_more_idle_connections_than_there_is_room_for_keep_nobody_out(
    server: Server, attempts: Attempts, kind: str
) -> None:
    with ExitStack() as open_ones:
        for number in range(1100):
            with suppress(OSError):
                one = open_ones.enter_context(server.connect(f"127.0.7.{1 + number % 11}"))
                one.sendall(IDLE[kind])
        seconds = [server.alive() for _ in range(3)]
    attempts.tried("idle connections", f"1,100 with {kind}", held=max(seconds) < 5)


def test_one_network_takes_no_room_from_another(server: Server, attempts: Attempts) -> None:
    with ExitStack() as open_ones:
        slow = [open_ones.enter_context(server.connect("127.0.6.6")) for _ in range(5)]
        for one in slow:
            one.sendall(GET)
        for _ in range(600):  # more than a server takes; quickly, for the slow ones have 10 seconds
            with suppress(OSError):
                open_ones.enter_context(server.connect("127.0.7.1")).sendall(b"G")
        for number, one in enumerate(slow):
            heard = b""
            with suppress(OSError):
                one.sendall(b"\r\n")
                heard = one.recv(100)
            attempts.tried("idle connections", f"slow request {number}", held=heard.startswith(b"HTTP/1.1 200"))


@pytest.mark.parametrize("networks", [1, 9])
def test_clients_that_do_not_read_keep_nobody_out(server: Server, attempts: Attempts, networks: int) -> None:
    """Each asks for much at once: an answer that cannot be sent is no reason to keep its connection."""
    asked = f"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.tokens[0]}\r\n\r\n"
    asks = asked.encode() * 45
    with ExitStack() as open_ones:
        for number in range(125 if networks == 1 else 505):
            one = open_ones.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.settimeout(5)
            with suppress(OSError):
                one.bind((f"127.0.8.{1 + number % networks}", 0))
                one.connect(("127.0.0.1", server.port))
                one.sendall(asks)
        # what is still being answered is not closed; once all wait for their clients there is room again
        held = wait_for(lambda: server.alive("127.0.8.1") < 5, 20) and server.alive() < 5
    attempts.tried("clients that do not read", f"{networks} networks", held=held)


def answer(server: Server, *pieces: bytes) -> bytes:
    heard = b""
    with server.connect() as one, suppress(OSError):
        for piece in pieces:
            one.sendall(piece)
        while some := one.recv(65_536):
            heard += some
    return heard


GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
LARGE = {
    "a long path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a long query": b"GET /healthz?" + b"a=1&" * 25_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a long method": b"A" * 100_000 + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long header": GET + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "a long name of a header": GET + b"X" * 100_000 + b": a\r\n\r\n",
    "many headers": GET + b"X: a\r\n" * 20_000 + b"\r\n",
    "many empty headers": GET + b"X:\r\n" * 25_000 + b"\r\n",
    "many cookies": GET + b"Cookie: a=b\r\n" * 8_000 + b"\r\n",
    "many Hosts": GET + b"Host: localhost\r\n" * 6_000 + b"\r\n",
    "a long token": GET + b"Authorization: Bearer " + b"a" * 100_000 + b"\r\n\r\n",
    "a long extension of a chunk": ASK
    + b"Transfer-Encoding: chunked\r\n\r\n1;"
    + b"a" * 100_000
    + b"\r\n{\r\n0\r\n\r\n",
    "long trailers": ASK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
    "a body that is too long": ASK + b"Content-Length: 1000001\r\nConnection: close\r\n\r\n",
    "chunks that are too many": ASK + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                                + (b"ffff\r\n" + b"a" * 65_535 + b"\r\n") * 17,
    "a length without end": ASK + b"Content-Length: " + b"9" * 100 + b"\r\nConnection: close\r\n\r\n",
    "empty lines": b"\r\n" * 60_000,
    "no line": b"a" * 200_000,
}  # fmt: skip


@pytest.mark.parametrize("kind", LARGE)
def test_a_request_that_is_too_large_is_refused(server: Server, attempts: Attempts, kind: str) -> None:
    begun = time.perf_counter()
    heard = answer(server, LARGE[kind])
    refused = not heard or heard.startswith(
        (b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 413", b"HTTP/1.1 422", b"HTTP/1.1 431")
    )
    attempts.tried("large requests", kind, held=refused and time.perf_counter() - begun < 15)


@pytest.mark.parametrize("way", ["long polls", "streams"])
def test_polls_and_streams_of_one_caller_are_few(server: Server, attempts: Attempts, way: str) -> None:
    """Two tokens, many addresses, all at once: 20 wait, the others are refused, and nobody else notices."""
    client = httpx.Client(base_url=server.url, headers=server.headers(), timeout=60)
    run = client.post("/api/v1/runs", json={"pipeline": "orders"}).json()
    where = f"/api/v1/runs/{run['run']}"
    path, params = {"long polls": (where, {"seen": run["revision"], "wait": 30}), "streams": (f"{where}/events", {})}[
        way
    ]

    def ask(number: int) -> int:
        transport = httpx.HTTPTransport(local_address=f"127.0.8.{number % 200 + 1}")
        with httpx.Client(transport=transport, base_url=server.url, headers=server.headers(number % 2)) as one:
            return one.get(path, params=params, timeout=60).status_code

    with ThreadPoolExecutor(100) as pool:
        asked = [pool.submit(ask, number) for number in range(100)]
        wait_for(lambda: sum(one.done() for one in asked) >= 80, 20)
        seconds = [server.alive() for _ in range(5)]
        client.post(f"{where}/cancel")  # what waits for news has them
        statuses = sorted(one.result() for one in asked)
    for number, status in enumerate(statuses):
        attempts.tried(way, f"{number + 1} of 100 at once", held=(status == 200) == (number < 20))
    attempts.tried(way, "somebody else meanwhile", held=max(seconds) < 3)
    # who has ended is counted no more
    assert [client.get(path, params={**params, "wait": 0.1} if params else {}).status_code for _ in range(25)] == [
        200
    ] * 25


HINTS = [
    ("GET", "/api/v1/pipelines/zzz", None), ("GET", "/api/v1/pipelines/p0000x", None),
    ("GET", "/api/v1/datasets/zzz/quality", None), ("GET", "/api/v1/datasets/zzz/quality/trend", None),
    ("GET", "/api/v1/runs?pipeline=zzz", None), ("GET", "/api/v1/why/zzz", None),
    ("GET", "/api/v1/models/zzz/rows", None), ("POST", "/api/v1/runs", {"pipeline": "zzz"}),
    ("POST", "/api/v1/runs", {"pipeline": "p" * 255}), ("POST", "/api/v1/pipelines/zzz/validate", None),
    ("PUT", "/api/v1/schedules/zzz", {"cron": "0 6 * * *"}), ("GET", "/api/v1/lineage/explain?node=zzz", None),
    ("PUT", "/api/v1/datasets/zzz/subscriptions/me", None), ("GET", f"/api/v1/pipelines/{'p0' * 120}", None),
]  # fmt: skip


def test_no_hint_lists_every_pipeline(server: Server, attempts: Attempts) -> None:
    client = httpx.Client(base_url=server.url, headers=server.headers(), timeout=60)
    for method, path, body in HINTS:
        begun = time.perf_counter()
        told = client.request(method, path, json=body)
        seconds = time.perf_counter() - begun
        names = told.text.count("p0") if "p0p0" not in path else 0
        held = told.status_code < 500 and len(told.content) < 2_000 and names <= 21 and seconds < 3
        attempts.tried("hints", f"{method} {path[:40]}", held=held)
