"""This process, as it says of itself in the database that it lives: what it does, and which of its duties fail."""

import logging
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from engine.duties import Failing
from engine.home import Home
from engine.runs import owner
from engine.store import follow_ups, processes
from engine.store.tolerant import unread

log = logging.getLogger("atlas.worker")

SEEN_SECONDS = 15.0
HOST = socket.gethostname()
NOBODY = "No worker is running that can work; start one: atlas worker"


def lives(home: Home, does: str, reason: str | None, failing: Mapping[str, Failing]) -> None:
    """Says that this process lives; `reason` is why it does no work."""
    facts = {
        "does": does, "host": HOST, "pid": os.getpid(), "version": version("atlas-dataops"), "reason": reason,
        "failing": {name: [it.since.isoformat(), it.error] for name, it in failing.items()},
    }  # fmt: skip
    with home.database.write() as db:
        processes.lives(db, _id(does), facts)


def ended(home: Home, does: str) -> None:
    """Says that this process ends. A database that is away is no reason to stay."""
    try:
        with home.database.write() as db:
            processes.ended(db, _id(does))
    except SQLAlchemyError as error:
        log.warning("that this process ends cannot be saved: %s", type(error).__name__)


def failing(db: Session) -> dict[str, tuple[datetime, str]]:
    """The duties and follow-ups that fail in any process that lives: since when, and the kinds of error."""
    found: dict[str, tuple[datetime, str]] = {}
    for row in processes.listed(db):
        try:
            told = {
                name: (datetime.fromisoformat(since).astimezone(UTC), str(error))
                for name, (since, error) in row.failing.items()
            }
        except (TypeError, ValueError):
            told = None
        if told is None or unread(row.failing):
            told = {"a process": (row.seen_at, "what it says of its duties cannot be read")}
        for name, it in told.items():
            found[name] = min(found.get(name, it), it)
    after = {f"after a run: {name}": told for name, told in follow_ups.failing(db).items()}
    return dict(sorted((found | after).items()))


def _id(does: str) -> str:
    return f"{owner.this_process()} {does}"
