"""Killed in every step and interrupted at the worst moments: readers see the old or the new, and the next goes on."""

import random
import signal
import time
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from subprocess import Popen
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.settings import load
from engine.home import open_home
from engine.store import runs
from tests.program import HANGS, Program

ROWS = 200_001
OUT = ROWS // 3 * 2
# a part that three workers died of ends its run, and the contract is measured beside most other steps
TWO_RUNS = (("plan", "explore", "verdicts", "chart", "navigate"), ("contract", "rejects"))
SHORT = (("explore", "chart"),)
COUNTRIES = ("Denmark", "Sweden", "Nowhere")
RULES = """key: [id]
quality:
  uniqueness: [id]
  validity: [{column: country, values: [Denmark, Sweden]}]
  reject_rows: [validity]
"""
MODEL = "-- People by country\nselect country, count(*) as n from people group by country order by country\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A pipeline of which every third row breaks a hard rule; each test leaves it with no run under way."""
    made = Program(tmp_path_factory.mktemp("killed"))
    lines = (f"{n},person{n}@mail.example,{COUNTRIES[n % 3]},{n % 977}.50" for n in range(ROWS))
    made.pipeline("people", "\n".join(["id,email,country,amount", *lines, ""]), RULES, MODEL)
    return made


def rows(program: Program, query: str) -> list[Any]:
    """What the metadata hold while others write to them; nothing until they are made."""
    path = program.home / "atlas.db"
    if not path.exists():
        return []
    with closing(connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        made = db.execute("select 1 from sqlite_master where name = 'run'").fetchall()
        return db.execute(query).fetchall() if made else []


def newest(program: Program) -> int:
    return int((rows(program, "select coalesce(max(id), 0) from run") or [(0,)])[0][0])


def started(program: Program, sentence: str, step: str | None) -> "Popen[str]":
    """A process whose run, a new one or the one it joins, is in a step just now, or has just been made."""
    before = rows(program, "select coalesce(max(id), 0), coalesce(max(token), 0) from part where state = 'running'")
    known, token = before[0] if before else (0, 0)
    found = (
        f"select 1 from part where state = 'running' and step = '{step}' and (id > {known} or token > {token})"
        if step
        else f"select 1 from run where id > {newest(program)}"
    )
    process = program.start("say", sentence)
    end = time.monotonic() + HANGS
    while not rows(program, found) and process.poll() is None:
        assert time.monotonic() < end, f"It did not come to {step}."
        time.sleep(0.001)
    return process


def kill(process: "Popen[str]") -> None:
    process.kill()
    process.communicate()


def seen(program: Program) -> tuple[int, int] | None:
    """The version of `people` that readers see and its rows, each file of it whole; None if there is none."""
    current = "from dataset join version on version.id = current_version_id where name = 'people'"
    found = rows(program, f"select number, rows, version.id {current}")
    if not found:
        return None
    number, count, version = found[0]
    paths = [path for (path,) in rows(program, f"select path from version_file where version_id = {version}")]
    assert sum(pq.read_table(path).num_rows for path in paths) == count
    return number, count


def assert_done(answer: dict[str, Any]) -> None:
    facts = answer["facts"]
    assert (answer["exit"], facts["state"]) == (0, "succeeded"), answer["text"]
    assert (facts["rows_in"], facts["rows_out"], facts["rows_rejected"]) == (ROWS, OUT, ROWS - OUT)


@pytest.mark.parametrize("runs_of", [SHORT, pytest.param(TWO_RUNS, marks=pytest.mark.long)])
def test_a_run_that_is_killed_in_its_steps_ends_well(program: Program, runs_of: tuple[tuple[str, ...], ...]) -> None:
    for steps in runs_of:
        before, number = seen(program), newest(program) + 1
        version = before[0] + 1 if before else 1
        for step in steps:
            process = started(program, "run people", step)
            time.sleep(random.uniform(0, 0.05))
            kill(process)
            assert seen(program) in (before, (version, OUT)), step
        assert newest(program) == number
        done = program.say("run people")
        assert_done(done)
        if done["facts"]["run"] == number:  # else the last kill came when all was done
            assert "resumed after its worker had gone" in done["text"]
        assert seen(program) == (done["facts"]["version"], OUT)
        shown = program.say("show people_model")["facts"]
        assert shown["rows"] == [["Denmark", OUT // 2], ["Sweden", OUT // 2]]


def test_a_kill_at_any_moment_leaves_the_old_version_or_the_new(program: Program) -> None:
    before = seen(program)
    number, count = before or (0, OUT)
    process = started(program, "run people", None)
    time.sleep(random.uniform(0, 2.5))
    kill(process)
    assert seen(program) in (before, (number + 1, count))
    conversation = program.run("chat", text="run people\n")  # a conversation goes on with it by itself
    assert conversation.returncode == 0
    assert f"{ROWS:,} in, {OUT:,} out, {ROWS - OUT:,} rejected" in conversation.stdout
    assert rows(program, "select 1 from run where state in ('queued', 'running')") == []


def test_a_run_whose_process_was_killed_is_cancelled_at_once(program: Program) -> None:
    kill(started(program, "run people", "explore"))
    cancelled = program.say(f"cancel {newest(program)}")
    assert (cancelled["exit"], cancelled["facts"]["state"]) == (0, "cancelled")


def test_a_process_killed_while_its_run_was_being_cancelled_does_not_block_the_next(program: Program) -> None:
    process = started(program, "run people", "explore")
    process.send_signal(signal.SIGSTOP)  # it hears nothing any more
    number = newest(program)
    home = open_home(load({"ATLAS_HOME": str(program.home), "ATLAS_PIPELINES": str(program.pipelines)}))
    with home.database.write() as db:
        assert runs.cancel(db, number).state == "running"
    home.database.close()
    refused = program.say("run people")
    assert (refused["exit"], "being cancelled" in refused["text"]) == (1, True)
    kill(process)
    again = program.say("run people")
    assert_done(again)
    assert again["facts"]["run"] == number + 1
    assert rows(program, f"select state from run where id = {number}") == [("cancelled",)]


@pytest.mark.parametrize("step", [None, "contract"])
def test_an_interrupted_run_is_cancelled_and_goes_on_from_there(program: Program, step: str | None) -> None:
    """None: before the person saw anything of it."""
    before = seen(program)
    process = started(program, "run people", step)
    process.send_signal(signal.SIGINT if step else signal.SIGTERM)
    said, _ = process.communicate(timeout=HANGS)
    number = newest(program)
    assert (process.returncode, f"retry {number}" in said) == (130, True), said
    assert rows(program, f"select state from run where id = {number}") == [("cancelled",)]
    assert seen(program) == before
    assert_done(program.say(f"retry {number}"))


def test_a_first_start_that_is_killed_leaves_a_home_that_works(tmp_path: Path) -> None:
    program = Program(tmp_path, fresh=True)
    for moment in (0.2, 0.5, 0.7, 0.9):
        process = program.start("say", "status")
        time.sleep(moment)
        kill(process)
    assert program.run("say", "status").returncode == 0
