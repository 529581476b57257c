"""One installation: its settings, folders, database and masking key, opened once a process."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from core.errors import Misconfigured
from core.settings import Settings
from engine.store import facts
from engine.store.database import HEAD, Database, locked, open_database


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
    """The key of all hashes. Raises Misconfigured if it is missing, or is not the installation's.

    A fresh installation takes the first key there is; a home with SQLite makes one. Later no key is ever made.
    """
    key = found_key(home)
    with home.database.read() as db:
        known = facts.known_masking_key(db)
    if key is None and known is not None:
        expected = "keys/masking.key of ATLAS_HOME" if home.database.embedded else "ATLAS_MASKING_KEY"
        raise Misconfigured(
            "This process has no masking key, and the installation has one. A new key would split the hashes.",
            hint=f"Copy the key of the processes that work to {expected}.",
        )
    if key is None and not home.database.embedded:
        raise Misconfigured("ATLAS_MASKING_KEY is not set.", hint="Make one: openssl rand -hex 32")
    if key is None:
        key = _own_key(home.settings.keys / "masking.key")
    if known is None or known != fingerprint(key):
        with home.database.write() as db:
            facts.hold_masking_key(db, fingerprint(key))
    return key


def found_key(home: Home) -> bytes | None:
    """The masking key that this process was given or its home holds, whether or not it is the installation's."""
    if home.settings.masking_key is not None:
        return home.settings.masking_key.get_secret_value().encode()
    path = home.settings.keys / "masking.key"
    try:
        return path.read_bytes().strip() if home.database.embedded else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Misconfigured(f"The masking key `{path}` cannot be read: {error.strerror}.") from error


def fingerprint(key: bytes) -> str:
    """Tells one masking key from another, and says nothing about it."""
    return hmac.new(key, b"atlas masking key", hashlib.sha256).hexdigest()[:16]


def may_work(home: Home) -> str:
    """The fingerprint of the masking key. Raises Misconfigured if this process must not work on runs."""
    if (revision := home.database.revision()) != HEAD:
        raise Misconfigured(
            f"The database is at migration `{revision or 'none'}`, this process needs `{HEAD}`.",
            hint="Start this process again, with the version of Atlas that migrated the database.",
        )
    return fingerprint(masking_key(home))


def _own_key(path: Path) -> bytes:
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            draft = path.with_suffix(".new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
            draft.rename(path)  # whole or not at all
        return path.read_text(encoding="ascii").strip().encode()
