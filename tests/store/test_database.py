"""The database: migrated up and down, opened by many at once, no update lost."""

import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError

from core.errors import Misconfigured
from engine.store import facts
from engine.store.database import HEAD, STOPPED, Database, is_away, migrate, open_database
from engine.store.tables import Fact, Table
from tests.processes import PROCESSES


def test_the_newest_migration_is_the_one_this_code_needs() -> None:
    config = Config()
    config.set_main_option("script_location", "engine/store/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_a_migration_down_leaves_nothing(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'atlas.db'}", tmp_path)
    migrate(database, "base", down=True)
    assert inspect(database.engine).get_table_names() == ["alembic_version"]


def _open(folder: str) -> str:
    return Database.__name__ if open_database(f"sqlite:///{folder}/atlas.db", Path(folder)).revision() else "none"


def test_six_first_starts_at_once_all_succeed(tmp_path: Path) -> None:
    with PROCESSES.Pool(6) as pool:
        assert pool.map(_open, [str(tmp_path)] * 6) == ["Database"] * 6


def _count(folder: str) -> None:
    database = Database(f"sqlite:///{folder}/atlas.db")
    for _ in range(50):
        with database.write() as db:
            fact = db.scalars(select(Fact).where(Fact.name == "count")).one()
            fact.value = str(int(fact.value) + 1)


def test_no_update_is_lost_between_processes(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'atlas.db'}", tmp_path)
    with database.write() as db:
        db.add(Fact(name="count", value="0"))
    with PROCESSES.Pool(3) as pool:
        pool.map(_count, [str(tmp_path)] * 3)
    with database.read() as db:
        assert db.scalars(select(Fact.value)).one() == "150"


def test_another_masking_key_is_refused(database: Database) -> None:
    with database.write() as db:
        facts.hold_masking_key(db, "first")
    with database.write() as db:
        facts.hold_masking_key(db, "first")
    with pytest.raises(Misconfigured, match="not the installation"), database.write() as db:
        facts.hold_masking_key(db, "second")


@pytest.mark.services
def test_a_worker_that_is_stopped_in_a_transaction_keeps_its_rows_only_for_a_while(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.read() as db:
        assert db.scalar(text("SHOW idle_in_transaction_session_timeout")) == f"{STOPPED}s"

    def stops() -> None:
        with database.write() as db:
            db.execute(text("SET LOCAL idle_in_transaction_session_timeout = '300ms'"))
            time.sleep(0.8)
            db.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError) as ended:
        stops()
    assert is_away(ended.value)
    with database.write() as db:  # and the next one gets another connection
        assert db.scalar(text("SELECT 1")) == 1
    database.close()
