"""The vault: what tokens stand for, encrypted with a key that is made of the masking key and is kept nowhere."""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import AtlasError
from engine.duties import Apart
from engine.home import Home
from engine.store import datasets, privacy, runs, vault
from engine.store.database import Database
from engine.store.tables import Secret

if TYPE_CHECKING:
    import polars as pl

NONCE = 12
KEPT = timedelta(hours=24)  # a reader may still be in the middle of a version that was current a moment ago


def keep(
    database: Database,
    dataset: str,
    key: bytes,
    tokens: "Iterable[tuple[str, pl.DataFrame]]",
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Keeps what tokens (kind; token and value) stand for, before anything that holds them is published.

    Most of a run are known from the one before: only new ones are encrypted, some thousand in a transaction.
    """
    import polars as pl  # here: the API opens one token, and needs no columns for that

    cipher = _cipher(key)
    by_type: dict[str, list[pl.DataFrame]] = {}
    for type_, pairs in tokens:
        by_type.setdefault(type_, []).append(pairs)
    for type_, found in by_type.items():
        for some in pl.concat(found).unique("token", maintain_order=True).iter_slices(vault.AT_ONCE):
            progress()
            with database.read() as db:
                known = vault.known(db, dataset, some["token"].to_list())
            new = some.filter(~pl.col("token").is_in(list(known)))
            rows = [(token, _sealed(cipher, token, value)) for token, value in new.iter_rows()]
            if rows:
                with database.write() as db:
                    vault.add(db, dataset, type_, rows)


def opened(secret: Secret, key: bytes) -> str:
    """What a token stands for. Raises AtlasError if this key does not open it."""
    try:
        value = _cipher(key).decrypt(secret.value[:NONCE], secret.value[NONCE:], secret.token.encode())
    except InvalidTag as error:
        raise AtlasError(
            f"What `{secret.token}` stands for cannot be decrypted.", hint="Was the database changed by hand?"
        ) from error
    return value.decode()


def sweep(home: Home, now: float) -> int:
    """Forgets what no published row holds any more, a day after it was kept; of datasets that no run is busy with."""
    import polars as pl

    before = datetime.fromtimestamp(now, UTC) - KEPT
    apart, gone = Apart(), 0
    with home.database.read() as db:
        kept = vault.datasets(db)
    for dataset in sorted(kept):
        with apart(dataset):
            with home.database.read() as db:
                old = vault.tokens(db, dataset, before)
                in_use = _published(_columns(home, dataset)) if old else pl.Series(dtype=pl.String)
            left = pl.Series(old, dtype=pl.String)
            left = left.filter(~left.is_in(in_use.implode()))
            for at in range(0, len(left), vault.AT_ONCE):
                some = left[at : at + vault.AT_ONCE].to_list()
                with home.database.write() as db:
                    if dataset in runs.busy(db):  # its parts may count on what is kept
                        break
                    vault.remove(db, dataset, some)
                gone += len(some)
    apart.end()
    return gone


def _columns(home: Home, dataset: str) -> list[tuple[tuple[Path, ...], str]]:
    """Where tokens of a dataset stand: the files of the current version, and a column."""
    with home.database.read() as db:
        for _, version in datasets.current(db, [dataset]):
            files = datasets.table(db, *datasets.get(db, dataset)).files
            verdicts = privacy.verdicts(db, version.run_id)
            return [(files, v.column) for v in verdicts if v.action == "tokenize"]
    return []


def _published(columns: list[tuple[tuple[Path, ...], str]]) -> "pl.Series":
    import polars as pl

    found = [pl.Series(dtype=pl.String)]
    for files, column in columns:
        for file in files:
            found.append(pl.read_parquet(file, columns=[column]).to_series().unique())
    return pl.concat(found).drop_nulls().unique()


def _cipher(key: bytes) -> AESGCM:
    return AESGCM(hmac.new(key, b"atlas vault", hashlib.sha256).digest())


def _sealed(cipher: AESGCM, token: str, value: str) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + cipher.encrypt(nonce, value.encode(), token.encode())  # it opens under its own token alone
