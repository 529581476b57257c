"""What another user of the server creates in the database of the metadata never runs with the rights of Atlas."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Misconfigured
from engine.store.database import HEAD, Database, migrate, open_database
from tests.attack.attempts import Attempts, Guard
from tests.attack.planted import Warehouse, with_an_analyst

pytestmark = pytest.mark.services
GUARDS = [
    Guard("engine/store/database.py", " -c search_path=public", "",
          "test_metadata_database.py::test_no_default_moves_the_search_path_of_the_metadata"),
    Guard("engine/store/database.py", "    database.check_is_closed()\n    if revision", "    if revision",
          "test_metadata_database.py::test_metadata_beside_objects_of_others_are_not_used"),
    Guard("engine/store/database.py", "    database.check_is_closed()\n    config", "    config",
          "test_metadata_database.py::test_metadata_beside_objects_of_others_are_not_used"),
]  # fmt: skip


@pytest.fixture
def server(url: str) -> Iterator[Warehouse]:
    with with_an_analyst(url) as made:
        made.owner.execute(f"ALTER DATABASE {made.database} OWNER TO {made.role}")
        made.owner.execute(f"REVOKE CREATE ON SCHEMA public FROM {made.analyst.info.user}")
        made.owner.execute(f"GRANT CREATE ON SCHEMA public TO {made.role}")
        yield made
        made.owner.execute(f"ALTER DATABASE {made.database} OWNER TO CURRENT_USER")


def refused(url: str, home: Path) -> bool:
    """Whether both ways into the database are refused: to use it, and to migrate it."""
    for way in (lambda: open_database(url, home), lambda: migrate(Database(url), HEAD)):
        try:
            way()
        except Misconfigured as error:
            if "Another user" in error.message:
                continue
        return False
    return True


def test_metadata_beside_objects_of_others_are_not_used(attempts: Attempts, server: Warehouse, tmp_path: Path) -> None:
    analyst = server.analyst.info.user
    migrate(Database(server.url), HEAD)
    open_database(server.url, tmp_path).close()
    for to in (analyst, "PUBLIC"):
        server.owner.execute(f"GRANT CREATE ON SCHEMA public TO {to}")
        name = "everybody may create" if to == "PUBLIC" else "an analyst may create"
        attempts.tried("metadata, objects of others", name, held=refused(server.url, tmp_path))
        server.analyst.execute(
            "CREATE FUNCTION public.hashtext(pg_catalog.text) RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
        server.owner.execute(f"REVOKE CREATE ON SCHEMA public FROM {to}")
        held = refused(server.url, tmp_path)
        attempts.tried("metadata, objects of others", f"a function left behind, where {name}", held=held)
        server.owner.execute("DROP FUNCTION public.hashtext")
    open_database(server.url, tmp_path).close()


def test_no_default_moves_the_search_path_of_the_metadata(
    attempts: Attempts, server: Warehouse, tmp_path: Path
) -> None:
    """A schema with the name of the user of Atlas, which PostgreSQL searches first, holds no table of ours."""
    migrate(Database(server.url), HEAD)
    for schema in (server.role, "evil"):
        server.analyst.execute(f"CREATE SCHEMA {schema}; GRANT ALL ON SCHEMA {schema} TO PUBLIC")
        server.analyst.execute(f"CREATE TABLE {schema}.alembic_version (version_num text)")
        server.analyst.execute(f"GRANT ALL ON {schema}.alembic_version TO PUBLIC")
    for name, setting in {"user": "", "role": f"ROLE {server.role}", "database": f"DATABASE {server.database}"}.items():
        if setting:
            server.owner.execute(f"ALTER {setting} SET search_path = evil, public")
        database = Database(server.url)
        held = database.revision() == HEAD
        database.close()
        attempts.tried("metadata, search path", name, held=held)
        if setting:
            server.owner.execute(f"ALTER {setting} RESET search_path")
