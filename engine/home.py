"""One installation: its settings, folders, database and masking key, opened once a process."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from core.errors import Misconfigured
from core.settings import Settings
from engine.store import facts
from engine.store.database import Database, locked, open_database


@dataclass(frozen=True)
class Home:
    """What every part of the engine is handed."""

    settings: Settings
    database: Database


def open_home(settings: Settings) -> Home:
    """The home, made if it is not there yet. Raises Misconfigured."""
    home = settings.home.absolute()
    try:
        for folder in (home, settings.charted_zone, settings.warehouse, settings.reports):
            folder.mkdir(parents=True, exist_ok=True)
        for closed in (settings.keys, settings.raw_zone):
            closed.mkdir(parents=True, exist_ok=True, mode=0o700)
            closed.chmod(0o700)
    except OSError as error:
        raise Misconfigured(f"ATLAS_HOME `{home}` cannot be used: {error.strerror}.") from error
    keep_caches(settings)
    opened = Home(settings, open_database(settings.database, home))
    _belong_together(opened, home / "installation")
    return opened


def _belong_together(home: Home, path: Path) -> None:
    """Files and database are of one installation. Raises Misconfigured if not: each would sweep the other's files."""
    if path.exists():
        with home.database.read() as db:
            known = facts.known_installation(db)
        if known == path.read_text(encoding="ascii").strip():
            return
        raise Misconfigured(
            f"ATLAS_HOME `{path.parent}` belongs to another database than ATLAS_DATABASE_URL.",
            hint="Set both as they were, or take an empty ATLAS_HOME.",
        )
    with home.database.write() as db:
        name = facts.installation(db)
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.write_text(name, encoding="ascii")
            draft.rename(path)  # whole or not at all: others may look right now


def keep_caches(settings: Settings) -> None:
    """Libraries keep what they cache in the home, never in the person's own folder. Before they are imported."""
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        os.environ[variable] = str(settings.home.absolute() / "cache")


def masking_key(home: Home) -> bytes:
    """The key of all hashes. Raises Misconfigured if it is missing, or not the one this home was started with."""
    from engine.chart.hashing import fingerprint  # here: most commands never mask

    settings = home.settings
    if settings.masking_key is not None:
        key = settings.masking_key.get_secret_value().encode()
    elif home.database.embedded:
        key = _own_key(settings.keys / "masking.key")
    else:
        raise Misconfigured("ATLAS_MASKING_KEY is not set.", hint="Make one: openssl rand -hex 32")
    with home.database.write() as db:
        facts.hold_masking_key(db, fingerprint(key))
    return key


def _own_key(path: Path) -> bytes:
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            draft = path.with_suffix(".new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
            draft.rename(path)  # whole or not at all
        return path.read_text(encoding="ascii").strip().encode()
