"""Networks, as sign-ins and limits count them: the one a client is in, and the larger one around it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

UNKNOWN = "unknown"  # clients without an address count as one network


def near(address: str) -> str:
    """The network of one household or machine: an IPv4 address, or the /64 of an IPv6 address."""
    found = _parsed(address)
    return UNKNOWN if found is None else str(found) if found.version == 4 else str(ip_network((int(found), 64), False))


def wide(address: str) -> str:
    """The network that one customer of a provider can have: an IPv4 /24 or an IPv6 /48."""
    found = _parsed(address)
    if found is None:
        return UNKNOWN
    return str(ip_network((int(found), 24 if found.version == 4 else 48), False))


def is_in(address: str, allowed: Iterable[str]) -> bool:
    """Whether an address is one of some addresses and networks."""
    found = _parsed(address)
    return found is not None and any(found in ip_network(one, False) for one in allowed)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return found if found.version == 4 else found.ipv4_mapped or IPv6Address(int(found))  # without its %zone
