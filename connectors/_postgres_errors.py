"""What PostgreSQL's errors mean for who runs a pipeline. Its own words stay here: they hold users and values."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import AtlasError, SourceMissing, SourceUnavailable, SourceUnreadable

LONGEST = 2_000  # characters of an error that are looked at; the time of the patterns grows with the square
_CONNECTING: tuple[tuple[str, type[AtlasError], str, str], ...] = (
    (r"password authentication failed|no password supplied|role .* does not exist", SourceUnreadable,
     "refuses the user or the password", "Correct the secret that `dsn` names."),
    (r"database .* does not exist", SourceMissing,
     "does not exist", "Correct the database in the secret that `dsn` names."),
    (r"no pg_hba.conf entry.*(no encryption|SSL off)", SourceUnreadable,
     "lets nobody in without TLS", "Put sslmode=verify-full, or sslmode=require, into the DSN."),
    (r"no pg_hba.conf entry|not permitted to log in|permission denied for database", SourceUnreadable,
     "does not let this user in from this machine", "Its administrator allows it in pg_hba.conf and by GRANT CONNECT."),
    (r"does not support SSL|certificate|SSL error|root.crt", SourceUnreadable,
     "cannot be reached with TLS as `sslmode` in the DSN asks", "Correct sslmode and sslrootcert in the DSN."),
    (r"could not translate host name|[Nn]ame or service not known|failed to resolve", SourceUnavailable,
     "cannot be found: no such host", "Correct the host in the secret that `dsn` names."),
)  # fmt: skip
_STATES: tuple[tuple[str, type[AtlasError], str, str], ...] = (
    ("42501", SourceUnreadable, "may not be read by its user", "Let its owner GRANT USAGE ON SCHEMA and GRANT SELECT."),
    ("42P01", SourceMissing, "is no longer there", "Correct `table` in the pipeline file."),
    ("42703", SourceUnreadable, "lost a column while it was read", "Run it again."),
    ("57014", SourceUnavailable, "took longer than the statement timeout, or was stopped there",
     "Try again when it is less busy."),
    ("55P03", SourceUnavailable, "is locked by somebody else", "Try again when that is done."),
    ("22", SourceUnreadable, "has a row that cannot be read as text in UTF-8", "Correct it there, or read a view."),
    ("0A", SourceUnreadable, "cannot be read in this way", "Make a view of it, and read that."),
    ("25006", SourceUnreadable, "writes when it is read", "A view must not change anything."),
)  # fmt: skip


@contextmanager
def told(name: str) -> Iterator[None]:
    """Raises SourceUnavailable where a retry can help, SourceMissing or SourceUnreadable where it cannot."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise _meaning(
            name, error.sqlstate, str(error)[:LONGEST], isinstance(error, psycopg.OperationalError)
        ) from None


def _meaning(name: str, state: str | None, text: str, operational: bool) -> AtlasError:
    if state is None:
        for pattern, kind, what, hint in _CONNECTING:
            if re.search(pattern, text, re.DOTALL):
                return kind(f"`{name}` {what}.", hint=hint)
    for begin, kind, what, hint in _STATES:
        if state is not None and state.startswith(begin):
            return kind(f"`{name}` {what}.", hint=hint)
    if operational:
        return SourceUnavailable(
            f"`{name}` cannot be reached, or the connection broke.", hint="Is the server up, and its port open to us?"
        )
    return SourceUnreadable(f"`{name}` cannot be read: PostgreSQL says {state}.", hint="See the server's own log.")
