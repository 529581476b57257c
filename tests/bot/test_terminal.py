"""The chat as people and scripts meet it: a real terminal, a pipe, Ctrl-C, a reader that goes away."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE = 20.0


def host(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tests.bot.host", str(folder), *more]


def piped(folder: Path, said: bytes, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(host(folder), input=said, capture_output=True, cwd=ROOT, timeout=DEADLINE)


class Chat:
    """A person at a terminal."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            host(folder, *more), stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"}, preexec_fn=_controlling_terminal,
        )  # fmt: skip
        self.seen = ""
        self.passed = 0  # how much of it was looked at, as plain text

    def says(self, line: str) -> None:
        os.write(self.master, f"{line}\n".encode())

    def presses(self, key: bytes) -> None:
        os.write(self.master, key)

    def sees(self, text: str) -> str:
        """Waits until a text stands on the screen; gives what came until then."""
        end = time.monotonic() + DEADLINE
        while (at := (plain := _plain(self.seen)).find(text, self.passed)) < 0:
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} was not seen in {plain[self.passed :]!r}"
            self.seen += os.read(self.master, 65536).decode("utf-8", "replace")
        begun, self.passed = self.passed, at + len(text)
        return plain[begun : self.passed]

    def ends(self) -> int:
        return self.process.wait(DEADLINE)


def _controlling_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches the program


def _plain(raw: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", raw).replace("\r", "")


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    opened = Chat(tmp_path)
    yield opened
    _close(opened)


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Chat]:
    """A chat whose run goes on until somebody stops it."""
    opened = Chat(tmp_path, "endless")
    yield opened
    _close(opened)


def _close(chat: Chat) -> None:
    if chat.process.poll() is None:
        chat.process.kill()
        chat.process.wait()
    os.close(chat.master)
    os.close(chat.slave)


def test_a_pipe_gets_each_answer_in_order_as_plain_lines(tmp_path: Path) -> None:
    done = piped(tmp_path, b"whoami\n\nrun customers\nqualty customers")
    assert done.stderr == b""
    assert done.returncode == 2
    assert done.stdout.decode() == (
        "You are kim, operator. You may see runs, see pipelines and datasets, see quality and start and cancel runs.\n"
        "Times are told in Europe/Copenhagen.\n"
        "Next: help\n"
        "Run #12 of customers\n"
        "  Explore    10,214 rows from 3 files\n"
        "  Chart      2 columns masked, 37 rows rejected\n"
        "  Navigate   1 table\n"
        "Done in 2.4 s: 10,214 in, 10,177 out, 37 rejected.\n"
        "Quality 94.1 (5 of 6 measured), 2.3 down. email is empty in 9.0 % of 10,214 rows (1.5 points).\n"
        "Personal data: name hashed; notes cleaned in 1,204 places.\n"
        "Next: why customers · dead customers · show customers_by_city\n"
        "There is no command qualty. Did you mean quality customers?  [quality customers]\n"
    )


def test_a_question_is_answered_by_the_next_line(tmp_path: Path) -> None:
    done = piped(tmp_path, b"status\nrun\ncustomers\nrun custmers\nyes\n")
    assert b"Which pipeline? customers" in done.stdout
    assert done.stdout.count(b"Run #12 of customers") == 2
    assert done.returncode == 0


@pytest.mark.parametrize("said", [b"", b"\n\n\n", b"\xff\xfe\x00whoami\n", b"\xef\xbb\xbfwhoami\n", b"x" * 3_000_000])
def test_any_bytes_on_a_pipe_end_without_an_exception(tmp_path: Path, said: bytes) -> None:
    done = piped(tmp_path, said)
    assert done.stderr == b""
    assert done.returncode in (0, 2)


def test_a_standard_input_that_is_closed_ends_the_chat(tmp_path: Path) -> None:
    command = " ".join([*host(tmp_path), "<&-"])
    done = subprocess.run(["sh", "-c", command], capture_output=True, cwd=ROOT, timeout=DEADLINE)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_reader_that_goes_away_ends_the_chat_quietly(tmp_path: Path) -> None:
    command = f"yes whoami | head -n 2000 | {' '.join(host(tmp_path))} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, cwd=ROOT, timeout=DEADLINE)
    assert done.stdout.startswith(b"You are kim")
    assert done.stderr == b""


def test_a_person_at_a_terminal_sees_the_run_edited_in_place(chat: Chat) -> None:
    chat.sees("> ")
    chat.says("run customers")
    chat.sees("6,000 rows so far, 1 of 3 files …")
    seen = chat.sees("Next: why customers · dead customers · show customers_by_city")
    assert "Done in 2.4 s" in seen
    chat.sees("> ")
    chat.presses(b"\x04")
    assert chat.ends() == 0


def test_the_tab_key_and_the_history_help_at_the_prompt(chat: Chat) -> None:
    chat.sees("> ")
    chat.presses(b"qual\t")
    chat.sees("quality ")
    chat.says("")
    chat.sees("Which dataset?")
    chat.sees("> ")
    chat.presses(b"\x1b[A")
    chat.sees("quality")


def test_ctrl_c_at_the_prompt_ends_the_chat_and_leaves_the_terminal_as_it_was(chat: Chat) -> None:
    chat.sees("> ")
    chat.presses(b"\x03")
    assert chat.ends() == 0
    assert termios.tcgetattr(chat.slave)[3] == chat.before[3]


def test_ctrl_c_during_a_run_cancels_it_and_offers_to_try_again(endless: Chat) -> None:
    endless.sees("> ")
    endless.says("run customers")
    endless.sees("Chart")
    endless.process.send_signal(signal.SIGINT)
    seen = endless.sees("[retry 12]")
    assert "was cancelled" in seen
    assert "Nothing was published; customers is still the version of run #11" in seen
    endless.sees("> ")
    endless.says("whoami")
    endless.sees("You are kim")


def test_leaving_by_a_word_ends_the_chat(chat: Chat) -> None:
    chat.sees("> ")
    chat.says("exit")
    assert chat.ends() == 0
