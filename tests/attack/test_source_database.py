"""A source database runs nothing of its own while Atlas looks up names, and nothing in it can write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors import postgres
from core.errors import AtlasError
from core.kept import Kept
from core.secrets import Secret
from tests.attack.attempts import Attempts, Guard
from tests.attack.planted import Warehouse, plant, with_an_analyst

pytestmark = pytest.mark.services
HERE = Path()
GUARDS = [
    Guard("connectors/postgres.py", '"search_path": "pg_catalog", ', "",
          "test_source_database.py::test_a_source_database_runs_nothing_of_its_own_before_the_search_path_is_set"),
    Guard("connectors/postgres.py", 'sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value))',
          '"SELECT set_config(%s, %s, true)", [name, value]',
          "test_source_database.py::test_a_source_database_runs_nothing_of_its_own_before_the_search_path_is_set"),
    Guard("connectors/postgres.py", "connection.read_only = True", "pass",
          "test_source_database.py::test_a_view_of_a_source_writes_nothing"),
]  # fmt: skip


@pytest.fixture
def warehouse(url: str) -> Iterator[Warehouse]:
    with with_an_analyst(url) as made:
        yield made


def test_a_source_database_runs_nothing_of_its_own_before_the_search_path_is_set(
    attempts: Attempts, warehouse: Warehouse
) -> None:
    """The reader of a source has the role that its owner gave it, with the owner's defaults."""
    plant(warehouse, "public")
    shadowed = {
        "set_config": ("pg_catalog.text, pg_catalog.text, pg_catalog.bool", "pg_catalog.text", "$2"),
        "pg_relation_size": ("pg_catalog.oid", "pg_catalog.int8", "0"),
        "has_schema_privilege": ("pg_catalog.oid, pg_catalog.text", "pg_catalog.bool", "true"),
        "min": ("pg_catalog.int8", "pg_catalog.int8", "$1"),
    }
    for name, (arguments, returns, value) in shadowed.items():
        call = warehouse.trap(f"function {name}")
        warehouse.analyst.execute(
            f"CREATE FUNCTION public.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM {call}; RETURN {value}; END $$"
        )
    warehouse.owner.execute(
        "CREATE SCHEMA crm; CREATE TABLE crm.people AS SELECT 1 AS id, 'x'::pg_catalog.text AS name"
    )
    warehouse.owner.execute(f"GRANT USAGE ON SCHEMA crm TO {warehouse.role}")
    warehouse.owner.execute(f"GRANT SELECT ON crm.people TO {warehouse.role}")
    warehouse.owner.execute(f"ALTER ROLE {warehouse.role} SET search_path = public, pg_catalog")
    dsn = Secret("CRM", Kept(SecretStr(warehouse.url)))
    source = postgres.Source(connector="postgres", dsn=dsn, table="crm.people")
    (part,) = postgres.parts(source, HERE)
    rows = [row for batch in postgres.read(source, part) for row in batch.to_pylist()]  # type: ignore[union-attr]
    assert [row["name"] for row in rows] == ["x"]
    sprung = warehouse.sprung()
    for name in warehouse.traps:
        attempts.tried("source, shadowed name", name, held=name not in sprung)


def test_a_view_of_a_source_writes_nothing(attempts: Attempts, warehouse: Warehouse) -> None:
    """A view of its owner runs with the rights of the reader, in a transaction that only reads."""
    warehouse.analyst.execute("CREATE TABLE public.mine (a int); GRANT ALL ON public.mine TO PUBLIC")
    statements = {
        "insert": "INSERT INTO public.mine VALUES (1)", "create": "CREATE TABLE public.more (a int)",
        "set": "SET TRANSACTION READ WRITE; INSERT INTO public.mine VALUES (1)",
        "set_config": "PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO public.mine VALUES (1)",
        "grant": f"GRANT {warehouse.role} TO {warehouse.analyst.info.user}", "commit": "COMMIT",
        "path": "CREATE TABLE now (a int)", "role": "ALTER ROLE CURRENT_USER PASSWORD 'x'",
    }  # fmt: skip
    for name, statement in statements.items():
        warehouse.analyst.execute(
            f"CREATE OR REPLACE FUNCTION public.f() RETURNS int LANGUAGE plpgsql AS "
            f"$$ BEGIN {statement}; RETURN 1; END $$;"
            "CREATE OR REPLACE VIEW public.v AS SELECT public.f() AS a; GRANT SELECT ON public.v TO PUBLIC"
        )
        dsn = Secret("CRM", Kept(SecretStr(warehouse.url)))
        source = postgres.Source(connector="postgres", dsn=dsn, table="public.v")
        try:
            list(postgres.read(source, postgres.parts(source, HERE)[0]))
            held = False
        except AtlasError:
            held = warehouse.owner.execute("SELECT count(*) FROM public.mine").fetchone() == (0,)
        attempts.tried("source, view that writes", name, held=held)
