"""Databases of their own on a real PostgreSQL, for a test or a benchmark."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

POSTGRES = os.environ.get("ATLAS_TEST_POSTGRES", "postgresql://postgres@127.0.0.1/postgres")


def named(name: str) -> str:
    """The URL of a database on the same server."""
    return f"{POSTGRES.rpartition('/')[0]}/{name}"


@contextmanager
def new_database(name: str | None = None) -> Iterator[str]:
    """An empty one as long as it is needed; its URL. Raises psycopg.OperationalError where no server answers."""
    name = name or f"atlas_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield named(name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
