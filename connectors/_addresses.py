"""What a source may reach: named hosts over http and https, at public addresses unless a setting says more."""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from core.errors import Refused, SourceUnavailable

Resolve = Callable[[str, int], list[str]]

PORTS = {"http": 80, "https": 443}
# a last label of digits is an old spelling of an IPv4 address: 127.1, 0x7f.0.0.1, 2130706433
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+\Z|0x[0-9a-f]*\Z)[a-z0-9_-]{1,63}"
)
_NOT_PUBLIC = [
    ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32",  # the last: Azure's wire server
        "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",  # Teredo and its like, documentation, 6to4
    )
]  # fmt: skip
# where clouds answer with the credentials of a machine: a name that is allowed must not lead here
_METADATA = [
    ip_network(network)
    for network in (
        "100.100.100.200/32", "168.63.129.16/32", "169.254.0.0/16", "192.0.0.192/32", "fd00:ec2::254/128",
        "fd20:ce::254/128", "fe80::/10", "64:ff9b::/32", "2002::/16",
        "::a9fe:0/112", "::ffff:a9fe:0/112", "::ffff:a83f:8110/128",  # written as IPv6
    )
]  # fmt: skip
_PUBLIC6 = ip_network("2000::/3")  # outside it: loopback, private, link-local, multicast, IPv4-mapped, NAT64


@dataclass(frozen=True)
class Address:
    """An address of the web, taken apart; `target` is its path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def place(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def name(self) -> str:
        """How it is called in messages: no query, which may hold what is secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{host}{port}{self.target.partition('?')[0]}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def address(url: str) -> Address:
    """Takes an address apart. Raises ValueError, which does not quote it, if anything about it is in doubt."""
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise ValueError(
            "has a space, a backslash or a letter outside ASCII; write them percent-encoded, names as xn--…"
        )
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise ValueError("is no address; write it like https://api.example.dk/v1/customers") from None
    if split.scheme not in PORTS:
        raise ValueError("must begin with https:// or http://")
    if "@" in split.netloc:
        raise ValueError("holds a user or password; write them as `auth`")
    if port == 0 or split.netloc.endswith(":"):
        raise ValueError("has no valid port")
    found = host(re.sub(r":\d+\Z", "", split.netloc))
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    return Address(split.scheme, found, port or PORTS[split.scheme], target)


def host(written: str) -> str:
    """A host as names are compared: lower case, an IPv6 address without brackets. Raises ValueError."""
    lower = written.lower()
    literal = lower[1:-1] if lower.startswith("[") and lower.endswith("]") else ""
    try:
        if literal and "%" not in literal:
            return str(IPv6Address(literal))
        return str(IPv4Address(lower))
    except ValueError:
        if not literal and _NAME.fullmatch(lower):
            return lower
    raise ValueError("names no host; write its name without a dot at its end, or an address like 192.0.2.7")


def resolve(name: str, port: int) -> list[str]:
    """The addresses a name has now. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]


def public(ip: str) -> bool:
    """Whether an address is one of the public internet, in a form that holds no other address."""
    try:
        found = ip_address(ip)
    except ValueError:
        return False
    if found.version == 6 and (found not in _PUBLIC6 or getattr(found, "scope_id", None)):
        return False
    return not _within(found, _NOT_PUBLIC)


def reachable(name: str, port: int, private: Sequence[str], resolve: Resolve = resolve) -> list[str]:
    """The addresses of a host, every one of them checked: connect to one of these, never to the name.

    Raises Refused if one may not be reached, SourceUnavailable if there is none.
    """
    try:
        found = [name] if _is_literal(name) else resolve(name, port)
    except OSError:
        found = []
    if not found:
        raise SourceUnavailable(f"There is no host `{name}`.", hint="Is its name right, and does this machine know it?")
    if not all(public(ip) or _allowed(name, ip, private) for ip in found):
        raise Refused(
            f"`{name}` is not on the public internet, and sources inside a network are not read.",
            hint=f"If it is meant, an administrator sets ATLAS_REST_ALLOW_PRIVATE={name}",
        )
    return found


def _is_literal(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _allowed(name: str, ip: str, private: Sequence[str]) -> bool:
    """Whether the setting names this host, or a network of its address. A name opens no metadata service of a cloud."""
    try:
        found = ip_address(ip)
    except ValueError:
        return False
    if (name in private or f"[{name}]" in private) and (_is_literal(name) or not _within(found, _METADATA)):
        return True
    networks = []
    for item in private:
        try:
            networks.append(ip_network(item))
        except ValueError:
            continue  # a name
    return _within(found, networks)


def _within(ip: IPv4Address | IPv6Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(ip.version == network.version and ip in network for network in networks)
