"""Opens the database, embedded or a server: short write transactions, migrations under a lock."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from core.errors import Misconfigured

HEAD = "0001"  # the newest migration; a test holds it against Alembic's own answer


class Database:
    """Reading and writing sessions. A write transaction holds no file or network call."""

    def __init__(self, url: str) -> None:
        self.embedded = url.startswith("sqlite")
        try:
            self.engine = _sqlite(url) if self.embedded else _server(url)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:  # none of them quotes the password
            raise Misconfigured(
                "ATLAS_DATABASE_URL is no address of a database.", hint="postgresql://USER@HOST/NAME or sqlite:///FILE"
            ) from error
        writer = self.engine.execution_options(sqlite_begin="IMMEDIATE") if self.embedded else self.engine
        self._write = sessionmaker(writer, expire_on_commit=False)
        self._read = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back by an error."""
        with self._write.begin() as db:
            yield db

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._read() as db:
            yield db

    def revision(self) -> str | None:
        """The migration the database is at; None if it is empty."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    def close(self) -> None:
        self.engine.dispose()


def open_database(url: str, home: Path) -> Database:
    """The database, ready for use: SQLite is migrated here, a server by `atlas db upgrade`."""
    database = Database(url)
    try:
        revision = database.revision()
    except OperationalError as error:
        raise Misconfigured(
            "The database of ATLAS_DATABASE_URL does not answer or refuses the sign-in.", hint="Is it running?"
        ) from error
    if revision == HEAD:
        return database
    if not database.embedded:
        raise Misconfigured(
            f"The database is at migration `{revision or 'none'}`, this Atlas needs `{HEAD}`.", hint="atlas db upgrade"
        )
    with locked(home / "init.lock"):
        if database.revision() != HEAD:
            migrate(database, HEAD)
    return database


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock between processes; a killed one gives it back."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def migrate(database: Database, revision: str, *, down: bool = False) -> None:
    """Takes the database up or down to a migration."""
    from alembic import command  # loaded only when there is something to migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 20}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        for pragma in ("busy_timeout=20000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        # deferred transactions that turn into writes fail at once or lose updates; IMMEDIATE waits its turn
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _server(url: str) -> Engine:
    # what a statement was given may be somebody's data: errors go without it
    return create_engine(_psycopg(url), pool_pre_ping=True, hide_parameters=True)


def _psycopg(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)
