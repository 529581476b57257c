"""Tokens: written in place of values, kept in the vault, shown again to who may, forgotten when no row holds them."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import select

from atlas.embedded import Embedded
from core.errors import AtlasError
from core.models import Verdict
from core.settings import Settings, load
from engine.home import Home, masking_key, open_home
from engine.personal import vault
from engine.personal.mask import Masker
from engine.runs.sweep import sweep
from engine.store import access, datasets
from engine.store import vault as stored
from engine.store.database import Database
from engine.store.tables import Secret
from tests.bot.test_skills import Person
from tests.test_rulings import start, work

ADDRESSES = [f"Vaulted.Person{n}@Kanarie.example" for n in range(30)]
FILE = """name: people
owner: crm
source: {connector: csv, path: people.csv}
key: [id]
privacy: {columns: {mail: tokenize}}
"""
DAY = 86_400


def written(settings: Settings, addresses: list[str]) -> None:
    rows = [f"{n},{address}" for n, address in enumerate(addresses)]
    (settings.pipelines / "people.csv").write_text("\n".join(["id,mail", *rows, ""]))
    (settings.pipelines / "people.yml").write_text(FILE)


def run(home: Home, addresses: list[str]) -> list[str]:
    """The charted column after a run over these addresses."""
    written(home.settings, addresses)
    start(home, full=True)
    work(home)
    with home.database.read() as db:
        files = datasets.table(db, *datasets.get(db, "people")).files
    return pl.concat(pl.read_parquet(file)["mail"] for file in files).to_list()


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    opened = open_home(settings)
    with opened.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    yield opened
    opened.database.close()


def test_a_token_is_published_and_its_value_is_kept_encrypted(home: Home) -> None:
    tokens = run(home, ADDRESSES)
    assert len(set(tokens)) == len(ADDRESSES)
    assert all(token.startswith("t_") and len(token) == 28 for token in tokens)
    with home.database.read() as db:
        kept = {row.token: row for row in db.scalars(select(Secret))}
    assert [vault.opened(kept[token], masking_key(home)) for token in tokens] == [a.lower() for a in ADDRESSES]
    written_down = b"".join(path.read_bytes() for path in home.settings.home.glob("atlas.db*"))
    assert b"kanarie.example" not in written_down.lower()


def test_the_same_values_have_the_same_tokens_and_no_hash_tells_a_token(home: Home) -> None:
    tokens = run(home, ADDRESSES[:3])
    assert run(home, [f" {a.upper()} " for a in ADDRESSES[:3]]) == tokens
    hashed = Masker({"mail": Verdict("mail", ("EMAIL",), 1, "", "hash", {}, "column")}, masking_key(home))
    hashes = hashed(pl.DataFrame({"mail": ADDRESSES[:3]}))["mail"].to_list()
    assert not {h[2:] for h in hashes} & {t[2:] for t in tokens}


def test_a_value_opens_under_its_own_token_and_key_alone(home: Home) -> None:
    run(home, ADDRESSES)
    with home.database.read() as db:
        first, second = db.scalars(select(Secret).limit(2))
    with pytest.raises(AtlasError, match="cannot be decrypted"):
        vault.opened(first, b"another key")
    second.value = first.value
    with pytest.raises(AtlasError, match="cannot be decrypted"):
        vault.opened(second, masking_key(home))


def test_many_values_are_kept_in_bulk_and_known_ones_are_not_written_again(database: Database) -> None:
    names = [f"Person {n}" for n in range(12_000)]
    masker = Masker({"who": Verdict("who", ("PERSON",), 1, "", "tokenize", {}, "column")}, b"key")
    masker(pl.DataFrame({"who": [*names, None, names[0]]}))
    vault.keep(database, "people", b"key", masker.tokens)
    with database.read() as db:
        first = db.execute(select(Secret.token, Secret.value, Secret.created_at)).all()
    assert len(first) == len(names)
    vault.keep(database, "people", b"key", masker.tokens)
    with database.read() as db:
        assert set(db.execute(select(Secret.token, Secret.value, Secret.created_at))) == set(first)
        assert vault.opened(db.scalars(select(Secret).limit(1)).one(), b"key") in names


def test_what_no_published_row_holds_any_more_is_forgotten_after_a_day(home: Home) -> None:
    tokens = run(home, ADDRESSES)
    run(home, ADDRESSES[:10])
    sweep(home)
    with home.database.read() as db:
        assert len(stored.tokens(db, "people", _tomorrow())) == len(ADDRESSES)
    sweep(home, time.time() + 2 * DAY)
    with home.database.read() as db:
        assert set(stored.tokens(db, "people", _tomorrow())) == set(tokens[:10])


def test_nothing_is_forgotten_while_a_run_may_count_on_it(home: Home) -> None:
    run(home, ADDRESSES)
    run(home, ADDRESSES[:10])
    start(home)
    assert vault.sweep(home, time.time() + 2 * DAY) == 0


def test_the_answer_in_the_chat_is_for_the_person_alone(tmp_path: Path) -> None:
    (tmp_path / "pipelines" / "navigate").mkdir(parents=True)
    settings = load({"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(tmp_path / "pipelines")})
    written(settings, ADDRESSES)
    atlas = Embedded(settings)
    try:
        with atlas.home.database.write() as db:
            access.add_user(db, "dpo", "dpo")
            access.add_user(db, "steward", "steward")
        assert Person(atlas).says("run people").ok
        with atlas.home.database.read() as db:
            token = db.scalars(select(Secret.token).limit(1)).one()
        told = Person(atlas, "dpo").says(f"reveal {token} because he asked")
        assert told.ok, told.text
        assert told.holds == "subjects"
        assert told.text.startswith(f"{token} stands for vaulted.person")
        assert "in people." in told.text
        refused = Person(atlas, "steward").says(f"reveal {token}")
        assert not refused.ok
        assert "dpo or admin" in refused.text
        assert not Person(atlas, "dpo").says("reveal").understood
        said = Person(atlas, "dpo").says("reveal ida@example.dk")
        assert not said.ok, json.dumps(said.facts)
    finally:
        atlas.close()


def _tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)
