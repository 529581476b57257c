"""Opens the database, embedded or a server: short write transactions, migrations under a lock."""

import fcntl
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from core.errors import BadInput, Misconfigured

STOPPED = 20  # seconds after which the server ends a transaction that nothing happens in
_HEARS_OF_A_DEAD_SERVER = {  # in half a minute; TCP alone takes two hours
    "connect_timeout": 5, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
# whether another user than the owners and Atlas can put objects into the schema of the tables, or has put a function
# there: it could run with the rights of Atlas
_OPEN = """
WITH trusted AS (
    SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper OR rolname OPERATOR(pg_catalog.=) CURRENT_USER
    UNION SELECT datdba FROM pg_catalog.pg_database
           WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
    UNION SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'public'
    UNION SELECT relowner FROM pg_catalog.pg_class
           WHERE oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass('public.alembic_version')
)
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_namespace s, pg_catalog.aclexplode(s.nspacl) a
     WHERE s.nspname OPERATOR(pg_catalog.=) 'public' AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
       AND a.grantee OPERATOR(pg_catalog.<>) ALL (SELECT oid FROM trusted)
) OR EXISTS (
    SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) p.pronamespace
     WHERE s.nspname OPERATOR(pg_catalog.=) 'public'
       AND p.proowner OPERATOR(pg_catalog.<>) ALL (SELECT oid FROM trusted)
)
"""
IDLE = 1.0  # seconds after which a connection is asked whether it still stands
HEAD = "0015"  # the newest migration; a test holds it against Alembic's own answer


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
        # on a server each statement sees what is committed then anyway: no BEGIN and ROLLBACK around it
        reader = self.engine if self.embedded else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._read = sessionmaker(reader, expire_on_commit=False)

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

    def check_is_closed(self) -> None:
        """Raises Misconfigured if another user of the server can make something run with the rights of Atlas."""
        if self.embedded:
            return
        with self.engine.connect() as connection:
            if connection.exec_driver_sql(_OPEN).scalar():
                raise Misconfigured(
                    "Another user may create objects in the schema `public` of ATLAS_DATABASE_URL, or has one.",
                    hint="REVOKE CREATE ON SCHEMA public FROM PUBLIC, drop that function, or use another database.",
                )

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
    database.check_is_closed()
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

    database.check_is_closed()
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


def is_away(error: DBAPIError) -> bool:
    """Whether an error is about the way to the database, or about who came first, and not about what was asked."""
    return error.connection_invalidated or isinstance(error, OperationalError)


def grant(database: Database, role: str) -> None:
    """Lets a role of PostgreSQL work with the tables without owning them: the audit log it can only add to.

    Raises BadInput for another database.
    """
    if database.embedded:
        raise BadInput("SQLite has no roles.", hint="Leave --grant-to out.")
    with database.engine.begin() as connection:
        name = connection.dialect.identifier_preparer.quote_identifier(role)
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}",
            "REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER ON audit FROM {}",
            "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {}",
        ):
            connection.exec_driver_sql(statement.format(name))


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
    # a schema with the user's own name would come first by default, and ALTER ROLE can set any search path
    address = make_url(_psycopg(url))
    options = {"options": f"{address.query.get('options', '')} -c search_path=public"}
    # parameters of a statement may be personal data: errors do not hold them
    engine = create_engine(
        address,
        pool_size=10,
        max_overflow=10,
        hide_parameters=True,
        connect_args={**_HEARS_OF_A_DEAD_SERVER, **options},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        # a worker that is stopped in the middle of a transaction must not keep its rows from all others
        connection.autocommit = True
        connection.execute(f"SET idle_in_transaction_session_timeout = '{STOPPED}s'")
        connection.autocommit = False

    @event.listens_for(engine, "checkin")
    def used(_: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def taken(connection: Any, record: Any, _: Any) -> None:
        # the server may have restarted meanwhile; asking each time would double the round trips of a request
        if time.monotonic() - record.info.get("used", math.inf) > IDLE and not _answers(engine, connection):
            raise DisconnectionError

    return engine


def _answers(engine: Engine, connection: Any) -> bool:
    try:
        return bool(engine.dialect.do_ping(connection))
    except engine.dialect.loaded_dbapi.Error:
        return False


def _psycopg(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)
