"""No pipeline file keeps its check busy, and no check keeps another route waiting."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from fastapi.testclient import TestClient
from ruamel.yaml import YAML

from api.main import IN_PROCESS, THREADS, create_app
from api.slow import slow
from core.settings import Settings
from engine import check
from engine.home import open_home
from engine.store import access
from tests.api.live import live
from tests.attack.attempts import Attempts, Guard

HEAD = "name: orders\nowner: web\nsource: {connector: csv, path: x.csv}\nquality:\n"
MOST = 20_000  # letters that the API takes
SECONDS = 8  # of computing for one file: the bound, and the rule during which it is reached


def _many(dimension: str, rule: str, count: int) -> str:
    return f"{HEAD}  {dimension}:\n" + "".join(f"    - {{{rule.replace('NUMBER', str(n))}}}\n" for n in range(count))


def _aliases(dimension: str, rule: str, count: int) -> str:
    return f"{HEAD}  {dimension}: [&a {{{rule}}}" + ", *a" * (count - 1) + "]\n"


CHAINS = [
    ("a", "[1]", ""), ("a", "[1][1:2]", ""), ("a", ".b()", ""), ("a", "::int", ""), ("", "(", "a"), ("", "abs(", "a"),
    ("", "not ", "a"), ("", "- ", "a"), ("", "x -> ", "1"), ("", "a[", "1"), ("", "[", "1"), ("", "a[1].b + ", "1"),
    ("", "case when ", "a"), ("", "a = ", "a"), ("", "map {1: ", "a"), ("", "[x for x in ", "a"), ("", "(x).y.", "z"),
]  # fmt: skip
BODIES = {
    "200 broken expressions": _many("consistency", 'expression: "a ("', 200),
    "500 broken expressions": _many("accuracy", 'expression: "a NUMBER ("', 500),
    "500 good expressions": _many("consistency", 'expression: "aNUMBER > 1"', 500),
    "100 broken patterns": _many("validity", 'column: a, regex: "(["', 100),
    "300 patterns that grow": _many("validity", 'column: a, regex: "((a{NUMBER,900}){900}){9}"', 300),
    "9 patterns that need much memory": _many("validity", 'column: a, regex: "(a{NUMBER,700}).*\\\\pL{90}"', 9),
    **{f"{n} aliases of a broken pattern": _aliases("validity", 'column: a, regex: "(["', n) for n in (250, 1000)},
    **{f"{n} aliases of an expression": _aliases("consistency", f'expression: "{"(x + 1) * " * 190}1"', n)
       for n in (250, 1000)},
    **{f"3 expressions with {what} {n} times": _many("consistency", f'expression: "{left}{what * n}{right}"', 3)
       for n in (29, 100) for left, what, right in CHAINS},
}  # fmt: skip


def test_every_body_is_answered_soon_with_one_parse_and_one_database(
    tmp_path: Path, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    check.check_text(tmp_path, "orders", BODIES["200 broken expressions"])  # what is loaded once
    parses, opened = [], []
    load, connect = YAML.load, duckdb.connect
    monkeypatch.setattr(YAML, "load", lambda *given: parses.append(1) or load(*given))
    monkeypatch.setattr(duckdb, "connect", lambda *given, **named: opened.append(1) or connect(*given, **named))
    for name, body in BODIES.items():
        parses.clear()
        opened.clear()
        started = time.thread_time()
        mistakes = check.check_text(tmp_path, "orders", body[:MOST])
        took = time.thread_time() - started
        all_checked = not any("not checked" in mistake.message for mistake in mistakes)
        held = took < SECONDS and len(parses) <= 1 and len(opened) <= 1 and (all_checked or "aliases" not in name)
        attempts.tried("validate", name, held=held)


@pytest.mark.parametrize("dimension", ["completeness", "uniqueness", "validity", "accuracy", "consistency"])
def test_a_contract_of_more_than_a_thousand_rules_is_one_mistake(
    tmp_path: Path, attempts: Attempts, dimension: str
) -> None:
    rule = 'expression: "a > 1"' if dimension in ("accuracy", "consistency") else "column: a, min: 0"
    rule = {"completeness": "column: a", "uniqueness": "columns: a"}.get(dimension, rule)
    assert check.check_text(tmp_path, "orders", _aliases(dimension, rule, 1000)) == []
    for count in (1001, 2000, 4000):
        mistakes = check.check_text(tmp_path, "orders", _aliases(dimension, rule, count))
        said = [str(mistake) for mistake in mistakes]
        told = [f"orders.yml:4: `quality`: has {count:,} rules; a contract has 1,000 at most"]
        attempts.tried("rules", f"{count} of {dimension}", held=said == told)


def test_rules_that_were_not_checked_are_never_called_good(tmp_path: Path, attempts: Attempts) -> None:
    """The whole time is spent before the first rule: the bound is reached at once."""
    text = _many("consistency", 'expression: "aNUMBER > 1"', 500)
    longest, check.LONGEST = check.LONGEST, 0
    try:
        (mistake,) = check.check_text(tmp_path, "orders", text)
    finally:
        check.LONGEST = longest
    attempts.tried("validate", "no time at all", held="500 of 500 rules were not checked" in mistake.message)


def test_probes_are_answered_while_all_other_threads_are_taken(settings: Settings, attempts: Attempts) -> None:
    home = open_home(settings)
    app = create_app(home, lambda: None)
    held, let_go = threading.Semaphore(0), threading.Event()

    def hold() -> str:
        held.release()
        return "done" if let_go.wait(30) else "late"

    app.add_api_route("/quick", hold)
    app.add_api_route("/slow", slow(hold))
    with TestClient(app, base_url=IN_PROCESS) as client, ThreadPoolExecutor(20) as people:
        asked = [
            people.submit(client.get, path) for path, many in (("/quick", THREADS), ("/slow", 4)) for _ in range(many)
        ]
        assert all(held.acquire(timeout=20) for _ in asked)
        for path in ("/healthz", "/readyz"):
            answer = people.submit(client.get, path)
            try:
                status = answer.result(timeout=10).status_code
            except TimeoutError:
                status = 0
            attempts.tried("probes", path, held=status in (200, 503))
        let_go.set()
        assert {answer.result().json() for answer in asked} == {"done"}
    home.database.close()


def test_a_probe_takes_a_small_part_of_the_time_of_the_worst_body(settings: Settings, attempts: Attempts) -> None:
    import httpx

    home = open_home(settings)
    with home.database.write() as db:
        access.add_user(db, "vi", "viewer")
        token = access.issue(db, access.user(db, "vi"), 60)
    bodies = ["200 broken expressions", "100 broken patterns", "1000 aliases of a broken pattern"]
    headers = {"Authorization": f"Bearer {token}"}
    with live(create_app(home, lambda: None), settings) as server, ThreadPoolExecutor(3) as people:
        with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
            draft = {name: {"name": "orders", "text": BODIES[name]} for name in bodies}
            client.post("/api/v1/pipelines/validate", json=draft[bodies[0]]).raise_for_status()
            asked = [people.submit(client.post, "/api/v1/pipelines/validate", json=draft[name])
                     for name in bodies for _ in range(3)]  # fmt: skip
            started, probes = time.monotonic(), []
            while not all(answer.done() for answer in asked):
                before = time.monotonic()
                assert client.get("/healthz").status_code == 200
                probes.append(time.monotonic() - before)
            took = time.monotonic() - started
        assert {answer.result().status_code for answer in asked} == {200}
    home.database.close()
    attempts.tried("probes", "/healthz beside three callers", held=len(probes) > 3 and max(probes) < took / 2)


GUARDS = [
    Guard("core/pipeline_file.py", "        _not_too_many_rules(plain)\n", "",
          "test_validate.py::test_a_contract_of_more_than_a_thousand_rules_is_one_mistake"),
    Guard("engine/sql/sandbox.py", "if time.thread_time() > ends:", "if False:",
          "test_validate.py::test_rules_that_were_not_checked_are_never_called_good"),
    Guard("engine/check.py", "list(dict.fromkeys((kind, text) for *_, (kind, text) in numbered if text is not None))",
          "[(kind, text) for *_, (kind, text) in numbered if text is not None]",
          "test_validate.py::test_every_body_is_answered_soon_with_one_parse_and_one_database"),
    Guard("engine/sql/sandbox.py", "chain[-1] > _LONGEST_CHAIN", "False",
          "test_sql.py::test_what_is_nested_or_chained_is_refused_before_it_is_parsed"),
    Guard("engine/sql/sandbox.py", "len(chain) > _DEEPEST", "False",
          "test_sql.py::test_what_is_nested_or_chained_is_refused_before_it_is_parsed"),
    Guard("api/routes/health.py", "@probe\n", "",
          "test_validate.py::test_probes_are_answered_while_all_other_threads_are_taken"),
    Guard("api/routes/health.py", "async def healthz()", "def healthz()",
          "test_validate.py::test_probes_are_answered_while_all_other_threads_are_taken"),
]  # fmt: skip
