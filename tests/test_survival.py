"""Interrupted or joined in the middle: nothing is half done, and the next one goes on."""

import signal
import time
from pathlib import Path

import pytest

from tests.program import Program, wait_for

ROWS = 150_000


@pytest.fixture(scope="module")
def csv() -> str:
    lines = (f"{n},person{n}@mail.example,{n % 97}" for n in range(ROWS))
    return "id,email,points\n" + "\n".join(lines) + "\n"


def test_ctrl_c_cancels_the_run_and_offers_to_go_on(tmp_path: Path, csv: str) -> None:
    program = Program(tmp_path)
    program.pipeline("people", csv)
    process = program.start("say", "run people")
    assert wait_for(lambda: any((program.home / "lake/explore").glob("people/run-1/*")), 30)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - start < 6
    assert "retry 1" in said
    status = program.say("status 1")
    assert status["facts"]["state"] == "cancelled"
    assert program.say("retry 1")["facts"]["state"] == "succeeded"


def test_a_second_sentence_joins_the_run_that_goes_on(tmp_path: Path, csv: str) -> None:
    program = Program(tmp_path)
    program.pipeline("people", csv)
    first = program.start("say", "run people", "--json")
    assert wait_for(lambda: any((program.home / "lake/explore").glob("people/run-1/*")), 30)
    second = program.say("run people")
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert second["facts"]["run"] == 1
    assert second["facts"]["state"] == "succeeded"
