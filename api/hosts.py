"""The names this API answers to, and the one web page that may call it: its own (DNS rebinding, other origins)."""

import re
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.inside import is_inside
from api.problems import answer
from core.errors import Forbidden

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": "80", "https": "443"}


class WrongHost(Forbidden):
    code = "wrong_host"


class WrongOrigin(Forbidden):
    code = "wrong_origin"


class Hosts:
    """On loopback: loopback names and `names`. Elsewhere: `names` and addresses, or whatever, if there are no names."""

    def __init__(self, app: ASGIApp, names: frozenset[str], *, loopback: bool) -> None:
        self.app, self.loopback = app, loopback
        self.names = names | LOOPBACK if loopback else names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_inside(scope):
            try:
                self._check(scope["scheme"], Headers(scope=scope))
            except Forbidden as error:
                await answer(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self, scheme: str, headers: Headers) -> None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        own = _site(scheme, hosts[0]) if len(hosts) == 1 else None
        if own is None or not self._answers_to(own[1]):
            raise WrongHost("This server answers only to its own name.", hint="ATLAS_HOSTS lists its names.")
        if origins and [_site(*_parts(origin)) for origin in origins] != [own]:
            raise WrongOrigin(
                "A page of another origin may not call this server.",
                hint="Behind a proxy that ends TLS, ATLAS_TRUSTED_PROXIES must name the proxy.",
            )

    def _answers_to(self, name: str) -> bool:
        # an address is safe: nobody else's name can have led to it
        return not self.names or name in self.names or (not self.loopback and _is_address(name))


def _parts(origin: str) -> tuple[str, str]:
    scheme, _, host = origin.partition("://")
    return scheme, host


def _site(scheme: str, host: str) -> tuple[str, str, str] | None:
    """Scheme, name and port; None if the host is not written as a host alone."""
    scheme = scheme.lower()
    match = _HOST.fullmatch(host.lower())
    return (scheme, match["name"], match["port"] or _PORTS.get(scheme, "")) if match else None


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
