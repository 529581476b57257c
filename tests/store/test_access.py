"""Who may do what, when two change it at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from core.errors import Refused, Unauthenticated
from core.settings import Settings
from engine.access import passwords, sign_in
from engine.access.signing import SigningKeys
from engine.home import Home
from engine.store import access
from engine.store.database import Database
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
