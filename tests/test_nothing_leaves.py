"""Nothing leaves the machine, the folder or the raw zone."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.program import Program

GUARD = '''
"""Loaded by Python at its start: every way out of the machine is shut, and who tries it is written down."""
import os, socket
LOG = os.environ["GUARD_LOG"]
def tell(what):
    with open(LOG, "a") as file:
        file.write(what + "\\n")
connect, listen, lookup = socket.socket.connect, socket.socket.listen, socket.getaddrinfo
def local(address):
    return not isinstance(address, tuple) or str(address[0]) in ("127.0.0.1", "::1", "localhost")
def shut_connect(self, address):
    if not local(address):
        tell(f"connect {address}")
        raise OSError("shut")
    return connect(self, address)
def shut_listen(self, *backlog):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        tell(f"listen {self.getsockname()}")
    return listen(self, *backlog)
def shut_lookup(host, *more, **named):
    if host not in (None, "127.0.0.1", "::1", "localhost"):
        tell(f"lookup {host}")
        raise OSError("shut")
    return lookup(host, *more, **named)
socket.socket.connect, socket.socket.listen, socket.getaddrinfo = shut_connect, shut_listen, shut_lookup
'''
PEOPLE = [
    ("Åse Kjærgaard", "aase.kjaergaard@mail.example", "010190-1234"),
    ("Bo Østerlund", "bo.o@mail.example", "020280-2345"),
]
SAID = ["run people", "quality people", "pii people", "lineage people_model", "dead people", "gdpr report people",
        "why people", "status", "runs", "run peopel", "help"]  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("closed")
    guard = folder / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    made = Program(folder, fresh=True, GUARD_LOG=str(folder / "guard.log"), ATLAS_LOG_LEVEL="DEBUG")
    made.environment["PYTHONPATH"] = f"{guard}:{made.environment['PYTHONPATH']}"
    rows = [
        f"{n},{name},{email},{cpr},Ring til {name} på 20 30 40 5{n}" for n, (name, email, cpr) in enumerate(PEOPLE * 20)
    ]
    made.pipeline(
        "people", "id,name,email,cpr,note\n" + "\n".join(rows) + "\n9,too few\n",
        "max_rejected_percent: 100\nquality: {validity: [{column: email, format: email}], uniqueness: [cpr], "
        "reject_rows: [uniqueness]}\n",
        "-- How many\nselect count(*) as n from people\n",
    )  # fmt: skip
    done = made.run("chat", text="\n".join(SAID) + "\n")
    assert done.returncode == 0, done.stderr
    assert "Done in" in done.stdout, done.stdout
    made.said = done.stdout + done.stderr  # type: ignore[attr-defined]
    return made


def test_nobody_tried_to_reach_another_machine_or_opened_a_port(program: Program) -> None:
    log = program.folder / "guard.log"
    assert not log.exists(), log.read_text(encoding="utf-8")


def test_nothing_is_written_beside_the_home(program: Program) -> None:
    assert list((program.folder / "person").iterdir()) == []
    known = {"guard", "home", "person", "pipelines", "guard.log"}
    assert {path.name for path in program.folder.iterdir()} <= known


def test_no_personal_value_stands_outside_the_raw_zone(program: Program) -> None:
    values = [value for person in PEOPLE for value in person] + ["Kjærgaard", "Østerlund", "bo.o@"]
    places = {"what was said": program.said}  # type: ignore[attr-defined]
    for path in program.home.rglob("*"):
        if path.is_file() and "explore" not in path.parts:
            if path.suffix == ".parquet":
                places[path.name] = json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False)
            else:
                places[path.name] = path.read_bytes().decode("utf-8", "ignore")
    assert [(value, place) for value in values for place, text in places.items() if value in text] == []


def test_what_atlas_writes_is_for_its_owner_alone(program: Program) -> None:
    open_to_others = [path for path in [program.home, *program.home.rglob("*")] if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_reports_are_where_they_should_be(program: Program) -> None:
    assert {path.suffix for path in Path(program.home / "reports").iterdir()} == {".png", ".pdf"}
