"""What is said is stored once, worked on by one, and forgotten when it is answered."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from engine.personal.seal import Seal
from engine.store import inbox
from engine.store.database import Database
from engine.store.tables import Said

KIM = "slack:T1:U1"


def store(database: Database, key: str = "slack:T1:1", person: str = KIM, seconds: float = 30) -> int | None:
    with database.write() as db:
        return inbox.store(db, [inbox.New(key, person, b"sealed")], seconds).get(key)


def take(database: Database, *platforms: str) -> list[inbox.Waiting]:
    with database.write() as db:
        return inbox.take(db, platforms or ("slack",), 30, 20)


def test_what_is_said_twice_is_stored_once(database: Database) -> None:
    assert store(database) is not None
    assert store(database) is None
    assert store(database, person="slack:T1:U2") is None


def test_what_comes_in_at_once_is_stored_in_one_piece_and_each_key_once(database: Database) -> None:
    store(database, "slack:T1:1")
    with database.write() as db:
        said = [inbox.New(f"slack:T1:{n}", KIM, b"sealed") for n in (1, 2, 3, 2)]
        numbers = inbox.store(db, said, 0)
    assert sorted(numbers) == ["slack:T1:2", "slack:T1:3"]
    assert sorted((row.key, row.id) for row in take(database)) == sorted(numbers.items())


def test_what_somebody_works_on_is_not_taken_and_what_nobody_does_is_taken_once(database: Database) -> None:
    number = store(database)
    assert take(database) == []
    store(database, "slack:T1:2", seconds=0)
    taken = take(database)
    assert [(row.key, row.tries, row.sealed) for row in taken] == [("slack:T1:2", 2, b"sealed")]
    assert take(database) == []
    assert number is not None


def test_each_platform_takes_its_own(database: Database) -> None:
    store(database, seconds=0)
    store(database, "teams:T1:1", "teams:T1:U1", seconds=0)
    assert [row.person for row in take(database, "teams")] == ["teams:T1:U1"]


def test_what_is_answered_is_forgotten_and_its_key_is_not(database: Database) -> None:
    number = store(database, seconds=0)
    assert number is not None
    with database.write() as db:
        assert inbox.done(db, {number: 1}) == {number}
        row = db.scalar(select(Said))
        assert row is not None
        assert row.sealed is None
    assert take(database) == []
    assert store(database) is None


def test_who_lost_it_to_another_writes_nothing_any_more(database: Database) -> None:
    number = store(database, seconds=0)
    assert number is not None
    [taken] = take(database)
    other = store(database, "slack:T1:2")
    assert other is not None
    with database.write() as db:
        assert inbox.hold(db, {number: 1, other: 1}, 30) == {other}
        assert inbox.done(db, {number: 1}) == set()
        assert inbox.hold(db, {number: taken.tries}, 30) == {number}
        assert inbox.done(db, {number: taken.tries, other: 1}) == {number, other}
        assert inbox.done(db, {number: taken.tries}) == set()


def test_what_is_held_by_a_clock_that_ran_ahead_is_free(database: Database) -> None:
    store(database, seconds=3 * 3600)
    assert len(take(database)) == 1
    assert take(database) == []


def test_what_never_works_is_given_up_and_what_is_too_old_is_not_begun(database: Database) -> None:
    store(database, seconds=0)
    for _ in range(inbox.MOST_TRIES - 1):
        with database.write() as db:
            db.execute(update(Said).values(held_until=datetime.now(UTC) - timedelta(seconds=1)))
        assert len(take(database)) == 1
    with database.write() as db:
        db.execute(update(Said).values(held_until=datetime.now(UTC) - timedelta(seconds=1)))
    assert take(database) == []
    store(database, "slack:T1:2", seconds=0)
    with database.write() as db:
        db.execute(update(Said).where(Said.done_at.is_(None)).values(at=datetime.now(UTC) - timedelta(days=2)))
    assert take(database) == []


def test_words_are_read_with_the_same_key_beside_the_same_message_alone() -> None:
    seal = Seal(b"k" * 32)
    sealed = seal.close(b"run customers", "slack:T1:1 slack:T1:U1")
    assert b"customers" not in sealed
    assert seal.open(sealed, "slack:T1:1 slack:T1:U1") == b"run customers"
    assert seal.open(sealed, "slack:T1:1 slack:T1:U2") is None
    assert Seal(b"x" * 32).open(sealed, "slack:T1:1 slack:T1:U1") is None
