"""Killed while it masks what is published: the next goes on, and until then nobody is shown a value."""

import json
import random
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.program import Program
from tests.test_killed import kill, newest, rows, seen, started

ROWS = 200_001
MODEL = "-- People by code\nselect code, count(*) as n from people group by code order by code\n"
STEPS = ("remask", "chart", "publish", "navigate")
SHORT = ("remask", "publish")


def unruled(folder: Path) -> Program:
    made = Program(folder)
    lines = (f"{n},Zebra{n % 9973:05d}" for n in range(ROWS))
    made.pipeline("people", "\n".join(["id,code", *lines, ""]), "key: [id]\nprivacy: {columns: {code: keep}}\n", MODEL)
    assert made.say("run people")["facts"]["rows_out"] == ROWS
    return made


def unmasked(program: Program) -> list[str]:
    """The files outside the raw zone in which a value stands as it was."""
    found = []
    for path in program.home.rglob("*"):
        if path.is_file() and "explore" not in path.parts:
            parquet = path.suffix == ".parquet"
            held = json.dumps(pq.read_table(path).slice(0, 50).to_pylist()).encode() if parquet else path.read_bytes()
            found += [path.name] if b"Zebra0" in held else []
    return found


@pytest.mark.parametrize("steps", [SHORT, pytest.param(STEPS, marks=pytest.mark.long)])
def test_masking_that_is_killed_in_its_steps_ends_well(tmp_path: Path, steps: tuple[str, ...]) -> None:
    program = unruled(tmp_path)
    assert unmasked(program)
    known = newest(program)
    for step in steps:
        process = started(program, "pii people.code is PERSON", step)
        time.sleep(random.uniform(0, 0.05))
        kill(process)
        assert (seen(program) or (0, 0))[1] == ROWS, step
        shown = program.say("show people_model")
        if shown["ok"]:  # the kill came after it was built anew
            assert shown["facts"]["rows"][0][0].startswith("h_")
        else:
            assert "people.code is being re-masked" in shown["text"]
    last = program.say("pii people.code is PERSON")
    assert last["ok"], last["text"]
    assert rows(program, "select count(*) from run where state in ('queued', 'running')") == [(0,)]
    assert {state for (state,) in rows(program, f"select state from run where id > {known}")} == {"succeeded"}
    assert program.say("show people_model")["facts"]["rows"][0][0].startswith("h_")
    assert program.say("status people")["exit"] == 0
    assert settled(program) == []


def settled(program: Program) -> list[str]:
    """What is left when a worker has started once more: a kill may come between the last step and its sweep."""
    program.run("chat", text="run people\n")
    return unmasked(program)


def test_the_folder_of_the_test_is_read_where_values_would_stand(tmp_path: Path) -> None:
    """The look above finds a value where there is one."""
    made = Program(tmp_path)
    (made.home / "lake" / "chart").mkdir(parents=True)
    (made.home / "lake" / "chart" / "x.txt").write_text("Zebra00001", encoding="utf-8")
    assert unmasked(made) == ["x.txt"]
