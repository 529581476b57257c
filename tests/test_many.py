"""Many at once on one home: first starts, different pipelines, the same pipeline."""

import json
import socket
from pathlib import Path

from tests.program import HANGS, Program


def test_six_first_starts_make_one_home(tmp_path: Path) -> None:
    program = Program(tmp_path, fresh=True)
    starts = [program.start("say", "whoami") for _ in range(6)]
    told = [process.communicate(timeout=HANGS) for process in starts]
    assert [process.returncode for process in starts] == [0] * 6, [err for _, err in told]
    assert [err for _, err in told] == [""] * 6


def test_ten_pipelines_and_one_of_them_twice(tmp_path: Path) -> None:
    program = Program(tmp_path)
    names = [f"things_{n}" for n in range(10)]
    for name in names:
        program.pipeline(name, "id,email\n1,a@mail.example\n2,b@mail.example\n", "key: [id]\n")
    union = " union all ".join(f"select count(*) as n from {name}" for name in names)
    model = program.pipelines / "navigate" / "all_things.sql"
    model.write_text(f"-- All of them\nselect sum(n) as n from ({union})\n", encoding="utf-8")
    said = [*names, names[0]]
    processes = [program.start("say", f"run {name}", "--json") for name in said]
    told = [process.communicate(timeout=HANGS) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(said), [err for _, err in told]
    facts = [json.loads(out)["facts"] for out, _ in told]
    assert [(fact["state"], fact["rows_in"], fact["rows_out"]) for fact in facts] == [("succeeded", 2, 2)] * len(said)
    shown = program.say("show all_things")  # whoever published last has built it, from the newest of all
    assert shown["facts"]["rows"] == [["20"]] or shown["facts"]["rows"] == [[20]]
    masked = {name: program_hash(program, name) for name in names}
    assert len(set(masked.values())) == 1  # one key: equal values join


def test_a_run_of_somebody_else_that_goes_on_spoils_no_answer(tmp_path: Path) -> None:
    program = Program(tmp_path, ATLAS_REST_ALLOW_PRIVATE="127.0.0.1")
    program.pipeline("things", "id\n1\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        stuck = f'name: stuck\nowner: web-team\nsource: {{connector: rest, url: "{url}", records: "$.items"}}\n'
        (program.pipelines / "stuck.yml").write_text(stuck, encoding="utf-8")
        asker = program.start("say", "run stuck")
        assert asker.stdout is not None
        assert asker.stdout.readline() == "Run #1 of stuck\n"
        asker.kill()
        asker.communicate()
        done = program.run("say", "run things", "--json")
    assert (done.returncode, done.stderr, json.loads(done.stdout)["ok"]) == (0, "", True)


def program_hash(program: Program, name: str) -> tuple[str, ...]:
    import pyarrow.parquet as pq

    newest = max((program.home / "lake" / "chart" / name).glob("*.parquet"))
    return tuple(pq.read_table(newest)["email"].to_pylist())
