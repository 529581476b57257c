"""Killed or interrupted at any moment: nothing half published, and the next one goes on."""

import signal
import time
from pathlib import Path

import pytest

from tests.program import Program, wait_for

ROWS = 150_000
MODEL = "-- How many\nselect count(*) as n from people\n"


@pytest.fixture(scope="module")
def csv() -> str:
    lines = (f"{n},person{n}@mail.example,{n % 97}" for n in range(ROWS))
    return "id,email,points\n" + "\n".join(lines) + "\n"


def layer(program: Program) -> str:
    answer = program.say("status people")
    return str(answer["facts"].get("step") or answer["facts"].get("state") or "")


@pytest.mark.parametrize("moment", [0.05, 0.5, 1.2])
def test_a_killed_run_is_taken_over_and_loses_nothing(tmp_path: Path, csv: str, moment: float) -> None:
    program = Program(tmp_path)
    program.pipeline("people", csv, model=MODEL)
    assert program.run("say", "status").returncode == 0
    process = program.start("say", "run people")
    assert wait_for(lambda: any((program.home / "lake/explore").glob("people/run-1/*")), 30)
    time.sleep(moment)
    process.kill()
    process.communicate()
    shown = program.say("show people_model")
    assert shown["exit"] == 1 or shown["facts"]["rows"] == [[ROWS]]
    again = program.say("run people")
    facts = again["facts"]
    assert (facts["state"], facts["rows_in"], facts["rows_out"]) == ("succeeded", ROWS, ROWS)
    assert program.say("show people_model")["facts"]["rows"] == [[ROWS]]
    assert program.say("datasets")["facts"]["items"][0]["version"] in (1, 2)


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


def test_many_at_once_on_one_new_home(tmp_path: Path) -> None:
    program = Program(tmp_path)
    names = [f"things_{n}" for n in range(5)]
    for name in names:
        program.pipeline(name, "id\n1\n2\n")
    processes = [program.start("say", f"run {name}", "--json") for name in names]
    for process in processes:
        process.communicate(timeout=110)
    assert [process.returncode for process in processes] == [0] * 5
    items = program.say("datasets")["facts"]["items"]
    assert sorted((item["dataset"], item["rows"]) for item in items) == [(name, 2) for name in names]
