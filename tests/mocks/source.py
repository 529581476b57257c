"""A REST API on loopback that answers as a test tells it."""

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

Query = dict[str, str]
Answering = Callable[[Query, "Server"], Any]


class Server:
    """A server on loopback that answers each path as it is told: JSON, or (status, headers, body)."""

    def __init__(self) -> None:
        self.paths: dict[str, Answering] = {}
        self.heard: list[tuple[str, Query, dict[str, str]]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                split = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(split.query).items()}
                server.heard.append((split.path, query, dict(self.headers)))
                answer = server.paths[split.path](query, server)
                status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
                if not isinstance(body, bytes):
                    body = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = "Content-Length" in headers

            def log_message(self, *_: object) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def at(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def secure(self, context: ssl.SSLContext) -> None:
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class Endless:
    """A source of `pages` that has a next page, every 50 ms, until `end` is set: a run that takes as long as a test."""

    def __init__(self, server: Server) -> None:
        self.end = threading.Event()
        server.paths["/people"] = self._page
        self.settings = {"ATLAS_REST_ALLOW_PRIVATE": "127.0.0.0/8"}
        self.source = (
            f"{{connector: rest, url: '{server.at('/people')}', records: $.items, "
            "pagination: {by: cursor, next: $.next, parameter: after}}"
        )

    def _page(self, query: Query, _: Server) -> Any:
        first = int(query.get("after", 0))
        over = self.end.wait(0.05)
        items = [{"id": n, "email": f"person{n}@mail.example"} for n in range(first, first + 10)]
        return {"items": items} if over else {"items": items, "next": first + 10}


@contextmanager
def endless() -> Iterator[Endless]:
    server = Server()
    source = Endless(server)
    try:
        yield source
    finally:
        source.end.set()
        server.stop()
