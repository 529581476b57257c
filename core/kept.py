"""A secret as the installation keeps it: the value, and the hosts that may receive it."""

import re
from dataclasses import dataclass
from ipaddress import ip_address

from pydantic import SecretStr

from core.errors import Misconfigured

PORTS = {"http": 80, "https": 443}
_DATABASE = re.compile(r"://|(?:^|\s)(?:host|hostaddr|dbname|password)\s*=", re.IGNORECASE)


@dataclass(frozen=True)
class Kept:
    """A value with the hosts that may receive it; `listed` is where an administrator writes those hosts."""

    value: SecretStr
    hosts: frozenset[str] = frozenset()
    listed: str = ""

    def for_host(self, name: str, scheme: str, host: str, port: int) -> str:
        """The value, for a header of a request to this host. Raises Misconfigured if the host may not receive it.

        `host` is lower case and without brackets. Only hosts in the list receive the value, over https; an IP address
        of loopback may receive it over http.
        """
        value = self.value.get_secret_value()
        place = f"[{host}]" if ":" in host else host
        place += "" if port == PORTS[scheme] else f":{port}"
        if _DATABASE.search(value):
            raise Misconfigured(
                f"The secret `{name}` is the address of a database and can only be a `dsn`.",
                hint="Use a secret that holds nothing but the token.",
            )
        if scheme != "https" and not _is_loopback(host):
            raise Misconfigured(
                f"The secret `{name}` may not be sent to `{place}` over http.", hint="Write https:// in `url`."
            )
        if place not in self.hosts:
            raise Misconfigured(
                f"The secret `{name}` may not be sent to `{place}`.",
                hint=f"If that host may receive it, an administrator adds {place} to {self.listed}.",
            )
        return value

    def for_database(self) -> str:
        """The value, for a driver that takes it as the address of a database. Such a value names its own host."""
        return self.value.get_secret_value()


def hosts(written: str) -> frozenset[str]:
    """The hosts of a list, separated by commas or line ends. A # begins a comment."""
    lines = (line.partition("#")[0] for line in written.splitlines())
    return frozenset(host for line in lines for host in (part.strip().lower() for part in line.split(",")) if host)


def _is_loopback(host: str) -> bool:
    """Whether a host is a loopback address. A name is not, because a name server decides where it leads."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
