"""Asks a server for one page: at a checked address, within bounds of time and size, again if that can help."""

import base64
import random
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import httpcore

from connectors._addresses import PORTS, Address, Resolve, address, reachable
from core.errors import AtlasError, Misconfigured, Refused, SourceMissing, SourceUnavailable, SourceUnreadable

PAGE_BYTES = 64 << 20
TOTAL_BYTES = 1 << 30
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
PAGE_SECONDS = 120.0
TRIES = 4
LATER_TRIES = 8  # tries for later pages: losing all pages read so far costs more than waiting a minute
LONGEST_WAIT = 60.0  # the longest wait that a server may ask for; longer waits are left to the engine
REDIRECTS = 5

# a server writes what they are matched with: each takes a time that grows with the length alone, not with its square
_LINK = re.compile(r'<([^<>]*)>((?:[^<"]|"[^"]*")*)')
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"([^"]*)"|([^\s;,"]+))')
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_NETWORK = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.RemoteProtocolError)


class Answer:
    """What a server answered with: the status, the body, and the address that it came from in the end."""

    def __init__(self, status: int, body: bytes, at: Address, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.status, self.body, self.at, self._headers = status, body, at, headers

    def header(self, name: str) -> str:
        return ", ".join(_values(self._headers, name.encode()))

    @property
    def next(self) -> str | None:
        """The address of `Link: <…>; rel="next"`."""
        for link in _LINK.finditer(self.header("link")):
            for name, quoted, word in _PARAMETER.findall(link[2]):
                if name.lower() == "rel" and "next" in (quoted or word).lower().split():
                    return link[1]
        return None


class Caller:
    """Calls one source. `credentials` gives the header that is sent to the source's own host, and to no other.

    It raises Misconfigured where the secret may not be sent to the address it is given.
    """

    def __init__(
        self, start: Address, allowed: set[tuple[str, int]], private: Sequence[str],
        credentials: Callable[[Address], tuple[str, str] | None], resolve: Resolve,
    ) -> None:  # fmt: skip
        self._start, self._credentials = start, credentials
        own = {start.place} | ({(start.host, PORTS["https"])} if start.port == PORTS["http"] else set())
        self._own, self._allowed = own, own | allowed
        self._network = _Pinned(private, resolve)
        self._pool = httpcore.ConnectionPool(network_backend=self._network, max_connections=1, keepalive_expiry=30)
        self._total = 0

    def close(self) -> None:
        self._pool.close()

    def get(self, at: Address, also: Collection[int] = ()) -> Iterator[Answer | None]:
        """The answer, and None before it whenever some time of waiting has passed.

        `also` are statuses that are an answer beside 200 and 204; such an answer has no body.
        """
        most = LATER_TRIES if self._total else TRIES
        for tried in range(1, most + 1):
            try:
                yield self._follow(at, also)
                return
            except _Again as error:
                wait = error.wait if error.wait is not None else random.uniform(0.5, 1) * 2 ** (tried - 1) / 2  # noqa: S311
                if tried == most or wait > LONGEST_WAIT:
                    raise error.told from None
            end = time.monotonic() + wait
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(left, 0.5))
                yield None

    def check(self, at: Address) -> None:
        """Raises Refused if an address that a server named does not belong to the source."""
        if at.place not in self._allowed:
            raise Refused(
                f"`{self._start.name}` leads to another host, `{at.host}:{at.port}`.",
                hint=f'If that is meant, add it to the source: allow: ["{at.host}:{at.port}"]',
            )
        if self._start.scheme == "https" and at.scheme == "http":
            raise Refused(f"`{self._start.name}` leads from https to http.", hint="Ask its owner to keep to https.")

    def linked(self, link: str, at: Address) -> Address:
        """The address that a server named, if it is one of the source's."""
        try:
            found = address(urljoin(str(at), link))
        except ValueError:
            raise SourceUnreadable(
                f"`{self._start.name}` leads to what is no http address.",
                hint="Ask its owner, or correct `pagination`.",
            ) from None
        self.check(found)
        return found

    def _follow(self, at: Address, also: Collection[int]) -> Answer:
        self._network.until = time.monotonic() + PAGE_SECONDS
        for _ in range(REDIRECTS + 1):
            answer, location = self._ask(at, also)
            if answer is not None:
                return answer
            at = self.linked(location, at)
        raise SourceUnreadable(
            f"`{self._start.name}` redirects more than {REDIRECTS} times, perhaps in a circle.",
            hint="Open it in a browser, and write the address it ends at.",
        )

    def _ask(self, at: Address, also: Collection[int]) -> tuple[Answer | None, str]:
        """The answer, or where it is to be looked for."""
        port = "" if at.port == PORTS[at.scheme] else f":{at.port}"
        name = f"[{at.host}]" if ":" in at.host else at.host
        headers = [("Host", name + port), ("Accept", "application/json"), ("Accept-Encoding", "gzip"),
                   ("User-Agent", "atlas")]  # fmt: skip
        if at.place in self._own and (credentials := self._credentials(at)):
            headers.append(credentials)
        timeout = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": CONNECT_SECONDS}
        try:
            url = httpcore.URL(
                scheme=at.scheme.encode(), host=at.host.encode(), port=at.port, target=at.target.encode()
            )
            with self._pool.stream("GET", url, headers=headers, extensions={"timeout": timeout}) as response:
                if response.status in (301, 302, 303, 307, 308):
                    return None, _header(response, b"location")
                if response.status == 204 or response.status in also:
                    return Answer(response.status, b"", at), ""
                if response.status != 200:
                    raise self._refused(at, response)
                return Answer(200, self._body(at, response), at, response.headers), ""
        except _NETWORK as error:
            raise _Again(self._lost(at, error)) from None

    def _lost(self, at: Address, error: Exception) -> AtlasError:
        if isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError) or "CERTIFICATE" in str(
            error
        ):
            return SourceUnavailable(
                f"The certificate of `{at.host}` is not one that can be trusted for this name.",
                hint="Is the name right? A company's own authority is named by SSL_CERT_FILE.",
            )
        if isinstance(error, httpcore.TimeoutException):
            return SourceUnavailable(
                f"`{at.name}` did not answer in time.", hint="Is the server well? Try again later."
            )
        if isinstance(error, httpcore.ConnectError):
            return SourceUnavailable(
                f"`{at.name}` cannot be reached.", hint="Is the server up, and may this machine connect to it?"
            )
        return SourceUnavailable(f"`{at.name}` broke off its answer.", hint="Is the server well? Try again later.")

    def _refused(self, at: Address, response: httpcore.Response) -> Exception:
        status = response.status
        if status in _AGAIN:
            wait = _retry_after(_header(response, b"retry-after"))
            later = f" It asks to be left alone for {wait:.0f} s." if wait else ""
            return _Again(SourceUnavailable(f"`{at.name}` answered {status}.{later}", hint="Try again later."), wait)
        if status in (401, 403):
            sent = at.place in self._own and self._credentials(at)
            what = "does not accept the credentials" if sent else "asks for credentials"
            return SourceUnreadable(
                f"`{at.name}` {what}: it answered {status}.", hint="Look at `auth` of the source and at its secret."
            )
        if status in (404, 410):
            return SourceMissing(f"There is nothing at `{at.name}`: it answered {status}.", hint="Correct `url`.")
        return SourceUnreadable(f"`{at.name}` answered {status}.", hint="Its owner can tell what it expects.")

    def _body(self, at: Address, response: httpcore.Response) -> bytes:
        """The body, unpacked no further than it is allowed to be long."""
        encoding = _header(response, b"content-encoding").lower().strip()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise SourceUnreadable(f"`{at.name}` packs its answer, and not with gzip.", hint="Ask its owner for gzip.")
        unpack = zlib.decompressobj(31) if "gzip" in encoding else None
        body = bytearray()
        try:
            for chunk in response.iter_stream():
                most = min(PAGE_BYTES, TOTAL_BYTES - self._total) + 1
                body += unpack.decompress(chunk, max(1, most - len(body))) if unpack else chunk
                if len(body) >= most:
                    whole = most <= PAGE_BYTES
                    what = (
                        f"more than {TOTAL_BYTES >> 20} MB" if whole else f"a page of more than {PAGE_BYTES >> 20} MB"
                    )
                    raise SourceUnreadable(
                        f"`{at.name}` answers with {what}.", hint="Ask for less: smaller pages, or a filter in `url`."
                    )
        except zlib.error:
            raise SourceUnreadable(f"`{at.name}` says gzip and sends something else.", hint="Ask its owner.") from None
        if unpack is not None and not unpack.eof:
            raise _Again(SourceUnavailable(f"`{at.name}` broke off its answer.", hint="Try again later."))
        self._total += len(body)
        return bytes(body)


class _Again(Exception):
    """What another try may help; `told` if it does not, `wait` what the server asks for."""

    def __init__(self, told: AtlasError, wait: float | None = None) -> None:
        self.told, self.wait = told, wait


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses of a name that were checked, so a later answer of the name server changes nothing."""

    def __init__(self, private: Sequence[str], resolve: Resolve) -> None:
        self._private, self._resolve = private, resolve
        self._sockets = httpcore.SyncBackend()
        self.until = 0.0  # when the page must have come

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        try:
            found = reachable(host, port, self._private, self._resolve)
        except SourceUnavailable as error:
            raise _Again(error) from None
        for ip in dict.fromkeys(found):
            try:
                options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
                stream = self._sockets.connect_tcp(ip, port, self.in_time(timeout), socket_options=options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Timed(stream, self)
        raise failed

    def in_time(self, timeout: float | None) -> float:
        """The time-out, or what is left for the page. Raises ReadTimeout if that is nothing."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if timeout is None else min(timeout, left)


class _Timed(httpcore.NetworkStream):
    """A connection on which no page takes longer than it may, however slowly its bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, network: _Pinned) -> None:
        self._stream, self._network = stream, network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._network.in_time(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._network.in_time(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._network.in_time(timeout))
        return _Timed(stream, self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def bearer(token: str) -> str:
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def sendable(value: str, secret: str) -> str:
    """The value of a header. Raises Misconfigured, naming the secret, if it cannot be one."""
    if not re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", value):
        raise Misconfigured(
            f"The secret `{secret}` holds what no header can.", hint="Is there a line end or a letter too many?"
        )
    return value


def _values(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _header(response: httpcore.Response, name: bytes) -> str:
    return ", ".join(_values(response.headers, name))


def _retry_after(value: str) -> float | None:
    """The seconds to wait, of seconds or a date."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
