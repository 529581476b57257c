"""Where a PostgreSQL database is, by its DSN: what of it is taken, and what may be said of it."""

import re
from dataclasses import dataclass
from typing import Any

from core.errors import Misconfigured
from core.secrets import Secret

_TAKEN = frozenset(
    "host hostaddr port dbname user password sslmode sslrootcert sslcert sslkey sslpassword sslcrl sslnegotiation "
    "channel_binding require_auth gssencmode target_session_attrs connect_timeout".split()
)
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_PLAIN = {"host": r"[\w.,:/\-]*", "hostaddr": r"[\w.,:%]*", "port": r"[\d,]*", "dbname": r"[^@:/?\x00-\x1f]+"}
_FORM = "Write postgresql://user:password@host:5432/database, special letters of the password as %40 and the like."


@dataclass(frozen=True, repr=False)
class Address:
    """`name` is for everybody: host, port and database; `options` hold the password."""

    name: str
    options: dict[str, Any]


def address(dsn: Secret) -> Address:
    """Raises Misconfigured if the DSN cannot be read, or says more than where the database is and who asks.

    `options`, `service`, `passfile` and the like could set what the session does, or read and write files here.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = {key: str(value) for key, value in conninfo_to_dict(dsn.for_database()).items() if value is not None}
    except ProgrammingError:
        given = {}  # its message holds the DSN
    if not given:
        raise Misconfigured(f"The secret `{dsn.name}` is no address of a PostgreSQL database.", hint=_FORM)
    if refused := sorted(given.keys() - _TAKEN):
        raise Misconfigured(
            f"The secret `{dsn.name}` has the option `{refused[0]}`, which is not taken.",
            hint=f"Taken: {', '.join(sorted(_TAKEN))}.",
        )
    if not given.get("dbname"):
        raise Misconfigured(f"The secret `{dsn.name}` names no database.", hint=_FORM)
    for key, plain in _PLAIN.items():
        if not re.fullmatch(plain, given.get(key, "x" if key == "dbname" else "")):  # a piece of the password, often
            raise Misconfigured(f"The {key} in the secret `{dsn.name}` cannot be right.", hint=_FORM)
    host = given.get("host") or given.get("hostaddr") or "localhost"
    return Address(f"{host}:{given.get('port') or 5432}/{given['dbname']}", {**_PATIENCE, **given})
