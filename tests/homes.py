"""Homes whose database is migrated already: to do that takes longer than most of the tests that need one."""

import tempfile
from functools import cache
from pathlib import Path

from engine.store.database import open_database


def prepare(home: Path) -> None:
    """Makes a home with an empty database, as the first start would; what is there already stays."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "atlas.db"
    if not path.exists():
        path.write_bytes(_migrated())


@cache
def _migrated() -> bytes:
    """An empty database in SQLite, migrated once in each test process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "atlas.db"
        open_database(f"sqlite:///{path}", path.parent).close()
        return path.read_bytes()
