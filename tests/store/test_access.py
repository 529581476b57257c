"""Who may do what, when two change it at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from core.errors import Refused, Unauthenticated
from core.settings import Settings
from engine.access import passwords, sign_in
from engine.access.signing import SigningKeys
from engine.home import Home
from engine.store import access, sign_ins
from engine.store.database import Database
from engine.store.tables import SignIn
from tests.program import wait_for

OLD = "an old sentence of hers"


def _waits(database: Database) -> bool:
    """Whether a transaction waits for another one."""
    if database.embedded:
        return True  # each transaction that writes waits for the one before
    with database.read() as db:
        return bool(db.connection().exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar())


def test_two_administrators_who_end_each_other_at_once_leave_one(database: Database) -> None:
    with database.write() as db:
        access.add_user(db, "anna", "admin")
        access.add_user(db, "bo", "admin")

    def demote() -> None:
        with suppress(Refused), database.write() as db:
            access.change(db, "bo", role="viewer")

    with ThreadPoolExecutor(1) as pool:
        with database.write() as db:
            access.change(db, "anna", role="viewer")
            second = pool.submit(demote)
            assert wait_for(lambda: second.done() or _waits(database))
        second.result(30)
    with database.read() as db:
        assert sorted(user.role for user in access.users(db, None, 9)) == ["admin", "viewer"]


def test_two_processes_that_are_the_first_at_the_same_moment_have_one_owner_of_the_home(database: Database) -> None:
    def second() -> int:
        with database.write() as db:
            return access.owner_of_the_home(db, "anna").id

    with ThreadPoolExecutor(1) as pool:
        with database.write() as db:
            owner = access.owner_of_the_home(db, "anna").id
            other = pool.submit(second)
            assert wait_for(lambda: other.done() or _waits(database))
        assert other.result(30) == owner


def test_of_two_names_that_look_alike_and_are_added_at_once_one_is_refused(database: Database) -> None:
    def second() -> None:
        with database.write() as db:
            access.add_user(db, "Anna", "viewer")

    with ThreadPoolExecutor(1) as pool:
        with database.write() as db:
            access.add_user(db, "anna", "admin")
            other = pool.submit(second)
            assert wait_for(lambda: other.done() or _waits(database))
        with pytest.raises(Refused):
            other.result(30)


def test_a_sign_in_does_not_outlive_a_password_that_changes_meanwhile(database: Database, settings: Settings) -> None:
    home, keys = Home(settings, database), SigningKeys(settings.home / "keys", "test", make=True)
    settings.home.mkdir(parents=True, exist_ok=True)
    with database.write() as db:
        access.set_password(db, access.add_user(db, "anna", "admin"), passwords.hashed(OLD, "anna"))
    hashed = passwords.hashed("a new sentence of hers", "anna")

    def late() -> str | None:
        try:
            return sign_in.sign_in(home, keys, "anna", OLD, "::1", None, known=True).refresh
        except Unauthenticated:
            return None

    with ThreadPoolExecutor(1) as pool:
        with database.write() as db:
            access.set_password(db, access.user(db, "anna"), hashed)
            second = pool.submit(late)
            assert wait_for(lambda: second.done() or _waits(database))
        assert second.result(30) is None


def test_a_token_does_not_outlive_a_password_that_changes_while_it_is_made(database: Database) -> None:
    with database.write() as db:
        anna = access.add_user(db, "anna", "steward")
        begun = sign_ins.begin(db, anna)[0].id

    def reset() -> None:
        with database.write() as db:
            access.set_password(db, access.user(db, "anna"), "another")

    with ThreadPoolExecutor(1) as pool:
        with database.write() as db:
            token = access.issue(db, access.user(db, "anna"), 600, name="late", sign_in=begun)
            second = pool.submit(reset)
            assert wait_for(lambda: second.done() or _waits(database))
        second.result(30)
    with database.read() as db:
        assert access.bearer(db, token) is None
    with pytest.raises(Unauthenticated), database.write() as db:  # let in before, but too late to make one
        access.issue(db, access.user(db, "anna"), 600, name="later", sign_in=begun)


def test_a_token_does_not_outlive_one_that_is_ended_while_it_makes_it(database: Database) -> None:
    with database.write() as db:
        first = access.token(db, access.issue(db, access.add_user(db, "anna", "steward"), 600)).id

    def end() -> None:
        with database.write() as db:
            access.revoke(db, first, None)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as db:
            token = access.issue(db, access.user(db, "anna"), 600, name="late", made_from=first)
            second = pool.submit(end)
            assert wait_for(lambda: second.done() or _waits(database))
        second.result(30)
    with database.read() as db:
        assert access.bearer(db, token) is None
    with pytest.raises(Unauthenticated), database.write() as db:
        access.issue(db, access.user(db, "anna"), 600, name="later", made_from=first)


def test_a_sign_in_of_the_past_is_kept_while_a_token_goes_back_to_it_and_its_number_is_not_given_again(
    database: Database,
) -> None:
    with database.write() as db:
        anna = access.add_user(db, "anna", "steward")
        first, second, third = (sign_ins.begin(db, anna)[0].id for _ in range(3))
        token = access.issue(db, anna, 600, name="nightly", sign_in=first)
        db.execute(update(SignIn).values(expires_at=datetime.now(UTC) - timedelta(days=1)))
        fourth = sign_ins.begin(db, anna)[0].id
        kept = set(db.scalars(select(SignIn.id)))
    assert fourth > third > second > first
    assert kept == {first, third, fourth}
    with database.write() as db:
        access.set_password(db, access.user(db, "anna"), "another")
        assert access.bearer(db, token) is None
