"""Interrupted or joined in the middle: nothing is half done, and the next one goes on."""

import json
import signal
import sqlite3
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.mocks.source import endless
from tests.program import COMMAND, HANGS, Program, wait_for

ROWS = 150_000


@pytest.fixture(scope="module")
def csv() -> str:
    lines = (f"{n},person{n}@mail.example,{n % 97}" for n in range(ROWS))
    return "id,email,points\n" + "\n".join(lines) + "\n"


def test_ctrl_c_cancels_the_run_and_offers_to_go_on(tmp_path: Path, csv: str) -> None:
    program = Program(tmp_path)
    program.pipeline("people", csv)
    process = program.start("say", "run people")
    assert wait_for(lambda: any((program.home / "lake/explore").glob("people/run-1/*")))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=HANGS)
    assert process.returncode == 130
    assert "retry 1" in said
    status = program.say("status 1")
    assert status["facts"]["state"] == "cancelled"
    assert program.say("retry 1")["facts"]["state"] == "succeeded"


def test_a_second_sentence_joins_the_run_that_goes_on(tmp_path: Path) -> None:
    with endless() as source:
        program = Program(tmp_path, **source.settings)
        program.reads("people", source.source)
        first = program.start("say", "run people", "--json")
        assert wait_for(lambda: _started(program) == 1)
        second = program.start("say", "run people", "--json")
        assert wait_for(lambda: _started(program) == 2)
        source.end.set()
        answers = [json.loads(process.communicate(timeout=HANGS)[0]) for process in (first, second)]
    assert [answer["facts"]["run"] for answer in answers] == [1, 1]
    assert [answer["facts"]["state"] for answer in answers] == ["succeeded"] * 2


def _started(program: Program) -> int:
    """How often somebody asked for a run."""
    try:
        with sqlite3.connect(f"file:{program.home / 'atlas.db'}?mode=ro", uri=True) as db:
            (count,) = db.execute("select count(*) from audit where action in ('run.start', 'run.join')").fetchone()
            return int(count)
    except sqlite3.OperationalError:  # not there yet
        return 0


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.pipeline("people", "id,code\n1,a\n", model="select count(*) as n from people")
    assert program.say("run people")["ok"]
    lines = (f"{n},{uuid.uuid4().hex}{uuid.uuid4().hex}" for n in range(120_000))
    (program.pipelines / "people.csv").write_text("id,code\n" + "\n".join(lines) + "\n", encoding="utf-8")
    limited = ["bash", "-c", 'ulimit -f 2048; exec "$@"', "-", *COMMAND, "say", "run people"]  # files of 2 MB at most
    done = subprocess.run(limited, env=program.environment, cwd=tmp_path, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 1
    assert "ATLAS_HOME cannot be written to: File too large." in done.stdout
    assert program.say("show people_model")["facts"]["rows"] == [[1]]
    assert program.say("run people")["facts"]["rows_out"] == 120_000
