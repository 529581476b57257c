"""PostgreSQL as the warehouse of whole runs: it shows what is published, whatever dies in between."""

import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.databases import named, new_database
from tests.program import Program, end, wait_for

pytestmark = pytest.mark.services
MODEL = "select id, note from people order by id desc"
BY_NUMBER = "SELECT id, note FROM navigate.people_model"


@pytest.fixture
def program(tmp_path: Path, url: str) -> Program:
    found = Program(
        tmp_path, ATLAS_DATABASE_URL=url, ATLAS_WAREHOUSE_URL=url, ATLAS_MASKING_KEY="k" * 32, ATLAS_LEASE_SECONDS="2"
    )
    assert found.run("db", "upgrade").returncode == 0
    people(found, "one")
    return found


def people(program: Program, note: str) -> None:
    rows = "".join(f"{n},{note}\n" for n in range(1, 4))
    program.pipeline("people", f"id,note\n{rows}", model=MODEL)


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchall()


def test_a_model_is_a_table_of_postgresql_and_is_shown_as_ever(tmp_path: Path, program: Program, url: str) -> None:
    assert program.say("run people")["facts"]["state"] == "succeeded"
    assert ask(url, BY_NUMBER) == [(3, "one"), (2, "one"), (1, "one")]
    without = Program(tmp_path / "without")
    people(without, "one")
    without.say("run people")
    shown = [p.say("show people_model") for p in (program, without)]
    assert shown[0]["facts"] == shown[1]["facts"]
    people(program, "two")
    program.say("run people")
    assert ask(url, BY_NUMBER) == [(3, "two"), (2, "two"), (1, "two")]


def test_a_worker_that_dies_between_publishing_and_the_swap_leaves_the_version_before(
    program: Program, url: str
) -> None:
    program.say("run people")
    people(program, "two")
    with psycopg.connect(url) as holding, psycopg.connect(url, autocommit=True) as watching:
        holding.execute(BY_NUMBER)
        dies = program.start("say", "run people")
        published = "SELECT count(*) = 2 FROM version WHERE dataset = 'people_model'"
        waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'CREATE OR REPLACE VIEW%people_model%'"
        for query in (published, waits):
            assert wait_for(lambda query=query: watching.execute(query).fetchone() == (True,))
        dies.kill()
        dies.communicate()
        assert watching.execute(BY_NUMBER).fetchall() == [(3, "one"), (2, "one"), (1, "one")]
    assert program.say("show people_model")["facts"]["rows"][0] == [3, "two"]
    ran = program.say("run people")
    assert (ran["facts"]["run"], ran["facts"]["state"]) == (2, "succeeded")
    assert ask(url, BY_NUMBER) == [(3, "two"), (2, "two"), (1, "two")]
    assert ask(url, "SELECT count(*) FROM navigate_tables.copies") == [(1,)]


def test_what_is_ruled_personal_is_masked_in_the_warehouse_too(program: Program, url: str) -> None:
    people(program, "Dagny Quistgaard")
    program.say("run people")
    assert program.run("say", "pii people.note is not pii because it is a made up name").returncode == 0
    program.say("run people --full")
    program.say("pii people.note is PERSON")
    program.say("run people")  # joins the run that masks, or reads again
    found = ask(url, BY_NUMBER)
    assert [number for number, _ in found] == [3, 2, 1]
    assert all(note.startswith("h_") for _, note in found)
    assert ask(url, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'copy%'") == [(1,)]


def test_what_a_run_could_not_bring_follows_when_the_warehouse_is_back(program: Program, url: str) -> None:
    name = f"atlas_test_{uuid.uuid4().hex[:12]}"
    away = named(name)
    program.environment["ATLAS_WAREHOUSE_URL"] = away
    ran = program.say("run people")
    assert ran["facts"]["state"] == "succeeded"
    assert f"{name} does not answer" in ran["text"]
    worker = program.start("worker")
    with new_database(name):
        try:
            there = "SELECT count(*) FROM pg_views WHERE schemaname = 'navigate'"
            assert wait_for(lambda: ask(away, there) == [(1,)])
            assert ask(away, BY_NUMBER) == [(3, "one"), (2, "one"), (1, "one")]
        finally:
            assert end(worker) == 0


def test_another_kind_of_warehouse_is_refused(tmp_path: Path) -> None:
    program = Program(tmp_path, ATLAS_WAREHOUSE_URL="mysql://anna:hunter2@db/bi")
    refused = program.run("say", "help")
    assert (refused.returncode, "hunter2" in refused.stderr) == (1, False)
    assert "`ATLAS_WAREHOUSE_URL`: must begin with postgresql://." in refused.stderr
