"""The audit log: append-only, chained, and everything that is wrong with it is found."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from engine.store import audit
from engine.store.audit import Act
from engine.store.database import Database
from engine.store.tables import Refusals


def write(database: Database, rows: int = 5) -> None:
    for number in range(rows):
        with database.write() as db:
            audit.append(db, Act("anna", "sign-in", f"request-{number}"), "run.start", f"run {number}")


def wrong(database: Database) -> list[str]:
    with database.read() as db:
        return [f"{row}: {what}" for row, what in audit.verify(db).wrong]


def past_the_trigger(database: Database, *statements: str) -> None:
    """As somebody would who owns the tables."""
    on_server = not database.embedded
    off = ["ALTER TABLE audit DISABLE TRIGGER ALL"] if on_server else ["DROP TRIGGER audit_no_update",
                                                                        "DROP TRIGGER audit_no_delete"]  # fmt: skip
    with database.engine.begin() as connection:
        for statement in (*off, *statements):
            connection.execute(text(statement))
        if on_server:
            connection.execute(text("ALTER TABLE audit ENABLE TRIGGER ALL"))


def test_a_log_nobody_touched_holds(database: Database) -> None:
    assert wrong(database) == []
    write(database)
    assert wrong(database) == []


@pytest.mark.parametrize(
    ("act", "found"),
    [
        ("UPDATE audit SET who = 'bo' WHERE number = 3", ["3: it was changed"]),
        ("UPDATE audit SET at = '2020-01-01 00:00:00' WHERE number = 3", ["3: it was changed"]),
        ("UPDATE audit SET request_id = NULL WHERE number = 3", ["3: it was changed"]),
        ("DELETE FROM audit WHERE number = 3", ["4: row 3 before it is missing"]),
        ("DELETE FROM audit WHERE number IN (2, 3)", ["4: row 2 to 3 before it is missing"]),
        ("DELETE FROM audit WHERE number = 1", ["2: row 1 before it is missing"]),
        ("DELETE FROM audit WHERE number = 5", ["4: the log ended at row 5 once"]),
        ("DELETE FROM audit", ["0: the log ended at row 5 once"]),
    ],
)
def test_a_row_that_was_changed_or_is_missing_is_found(database: Database, act: str, found: list[str]) -> None:
    write(database)
    past_the_trigger(database, act)
    assert wrong(database) == found


def test_rows_in_another_order_are_found(database: Database) -> None:
    write(database)
    swap = [f"UPDATE audit SET number = {new} WHERE number = {old}" for old, new in ((2, 99), (3, 2), (99, 3))]
    past_the_trigger(database, *swap)
    assert [line.partition(":")[0] for line in wrong(database)] == ["2", "2", "3", "3", "4"]


def test_a_log_that_was_written_anew_does_not_hold_what_was_noted(database: Database) -> None:
    write(database)
    with database.read() as db:
        noted = audit.verify(db).end
        assert audit.verify(db, expected=noted).wrong == []
    past_the_trigger(database, "DELETE FROM audit", "DELETE FROM fact")
    write(database, 6)
    with database.read() as db:
        assert audit.verify(db).wrong == []
        assert [what for _, what in audit.verify(db, expected=noted).wrong] == [
            "the end that was noted earlier is not in it"
        ]


@pytest.mark.parametrize("act", ["UPDATE audit SET who = 'bo'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_database_refuses_to_change_or_delete(database: Database, act: str) -> None:
    if database.embedded and act.startswith("TRUNCATE"):
        return  # SQLite has none
    write(database)
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(act))
    assert wrong(database) == []


def test_many_at_once_write_one_chain(database: Database) -> None:
    def one(number: int) -> None:
        with database.write() as db:
            audit.append(db, Act("anna", "sign-in"), "run.start", f"run {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(40)))
    with database.read() as db:
        found = audit.verify(db)
    assert (found.rows, found.wrong) == (40, [])


def test_a_write_that_fails_leaves_no_row(database: Database) -> None:
    def fails() -> None:
        with database.write() as db:
            audit.append(db, Act("anna", "sign-in"), "run.start", "run 1")
            raise ArithmeticError

    check: Callable[[], None] = fails
    with pytest.raises(ArithmeticError):
        check()
    write(database, 1)
    assert wrong(database) == []


def test_refusals_are_counted_once_they_are_many_and_each_count_becomes_a_row(database: Database) -> None:
    def one(_: int) -> None:
        with database.write() as db:
            audit.refuse(db, Act("bo", "token 1"), "POST /api/v1/runs", "dataset orders", "forbidden")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(audit.MOST_OF_A_KIND + 7)))
    with database.write() as db:
        assert audit.verify(db).rows == audit.MOST_OF_A_KIND
        counted = db.scalars(select(Refusals)).one()
        assert (counted.written, counted.folded) == (audit.MOST_OF_A_KIND, 7)
        db.execute(update(Refusals).values(hour=counted.hour - timedelta(hours=1)))
    write(database, 1)
    with database.read() as db:
        assert audit.verify(db).rows == audit.MOST_OF_A_KIND + 2
    with database.read() as db:
        found = list(audit.entries(db, who="bo", action=None, about=None, since=None, before=None, limit=1))
        assert found[0].about.startswith("7 more from ")
        assert db.scalar(select(func.count()).select_from(Refusals)) == 0
    assert wrong(database) == []
