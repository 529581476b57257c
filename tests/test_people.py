"""The commands about who may use Atlas, as an administrator types them."""

import os
import pwd
import socket
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from engine.store import audit
from engine.store.audit import Act
from engine.store.database import Database, grant
from tests.program import Program

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_there_is_no_user_and_no_password_by_default(tmp_path: Path) -> None:
    program = Program(tmp_path, fresh=True)
    assert program.run("user", "list").stdout.startswith("Nobody yet.")


def test_the_first_administrator_is_added_and_gets_a_password_from_a_pipe(program: Program) -> None:
    assert program.run("user", "add", "åse", "--role", "admin", "--owns", "crm-team").returncode == 0
    assert program.run("user", "password", "åse", text="koldskål og jordbær\n").returncode == 0
    assert program.run("user", "list").stdout == "åse  admin  owns crm-team\n"
    assert program.run("user", "change", "åse", "--ended").stderr.startswith("`åse` is the only administrator.")


def test_a_weak_password_is_refused_without_being_shown(program: Program) -> None:
    program.run("user", "add", "anna")
    done = program.run("user", "password", "anna", text="anna1234567890\n")
    assert done.returncode == 1
    assert "too easy to guess" in done.stderr
    assert "anna1234567890" not in done.stderr + done.stdout


def test_a_change_is_told_with_what_somebody_owns(program: Program) -> None:
    program.run("user", "add", "anna")
    assert (
        program.run("user", "change", "anna", "--owns", "crm-team").stdout == "anna is viewer now and owns crm-team.\n"
    )
    assert "atlas user change" in program.run("user", "add", "anna").stderr


def test_a_mistyped_name_is_told_before_the_password_is_judged(program: Program) -> None:
    assert program.run("user", "password", "ana", text="short\n").stderr.startswith("There is no user `ana`.")


def test_a_port_that_cannot_be_listened_on_is_told(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = program.run("serve", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Atlas cannot listen on `127.0.0.1:{port}`." in done.stderr


def test_half_an_end_of_the_audit_log_is_a_mistake_and_not_a_broken_log(program: Program) -> None:
    done = program.run("audit", "verify", "--expected", "812:9c41")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("`812:9c41` is no end of the log.")


def test_what_is_done_on_the_command_line_is_in_the_audit_log(program: Program) -> None:
    program.run("user", "add", "anna")
    token = program.run("token", "anna", "--scope", "read:runs", "--name", "nightly").stdout.strip()
    verified = program.run("audit", "verify")
    assert verified.stdout.startswith("The audit log holds: 2 rows.")
    end = verified.stdout.split()[-1]
    assert program.run("audit", "verify", "--expected", end).returncode == 0
    assert program.run("audit", "verify", "--expected", f"1:{'0' * 64}").returncode == 1
    database = Database(f"sqlite:///{program.home / 'atlas.db'}")
    with database.read() as db:
        rows = list(audit.entries(db, who=None, action=None, about=None, since=None, before=None, limit=10))
    assert {(row.who, row.through) for row in rows} == {(ME, "command line")}
    assert token.encode() not in (program.home / "atlas.db").read_bytes()


def test_a_changed_row_is_found_on_the_command_line(program: Program) -> None:
    program.run("user", "add", "anna")
    database = Database(f"sqlite:///{program.home / 'atlas.db'}")
    with database.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(text("UPDATE audit SET who = 'somebody'"))
    done = program.run("audit", "verify")
    assert (done.returncode, done.stdout) == (1, "row 1: it was changed\n")


def test_no_token_of_the_terminal_outlives_what_was_said(program: Program) -> None:
    program.run("say", "whoami")
    with Database(f"sqlite:///{program.home / 'atlas.db'}").engine.connect() as connection:
        now = connection.scalar(text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')"))
        assert connection.scalar(text("SELECT count(*) FROM token WHERE expires_at > :now"), {"now": now}) == 0


def test_a_code_nobody_was_given_links_nobody(program: Program) -> None:
    done = program.run("link", "AAAAA-AAAAA")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, "This code is unknown, was used, or is older than ten minutes.",
    )  # fmt: skip


def test_a_new_signing_key_lies_where_only_its_owner_reads(program: Program) -> None:
    assert program.run("keys", "rotate").returncode == 0
    keys = list((program.home / "keys" / "signing").iterdir())
    assert len(keys) == 1
    assert keys[0].stat().st_mode & 0o077 == 0


@pytest.mark.services
def test_a_role_that_does_not_own_the_tables_cannot_change_the_audit_log(postgres_url: str) -> None:
    owner = Database(postgres_url)
    with owner.engine.begin() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = 'atlas_test_works'")):
            connection.execute(text("CREATE ROLE atlas_test_works NOLOGIN"))
        connection.execute(text("GRANT atlas_test_works TO CURRENT_USER"))
    grant(owner, "atlas_test_works")
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, connect_args={"options": "-c role=atlas_test_works"})
    working = Database(postgres_url + "?options=-c%20role%3Datlas_test_works")
    with working.write() as db:
        audit.append(db, Act("anna", "sign-in"), "run.start", "run 1")
    for act in ("UPDATE audit SET who = 'bo'", "DELETE FROM audit", "TRUNCATE audit",
                "ALTER TABLE audit DISABLE TRIGGER ALL", "DROP TABLE audit"):  # fmt: skip
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), engine.begin() as connection:
            connection.execute(text(act))
    with owner.read() as db:
        assert audit.verify(db).wrong == []
    engine.dispose()
    working.close()
    with owner.engine.begin() as connection:
        connection.execute(text("DROP OWNED BY atlas_test_works"))
        connection.execute(text("DROP ROLE atlas_test_works"))
    owner.close()
