"""One bad thing stops one thing: duties and follow-ups that raise; broken rules, files, rows and definitions."""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text, update

import engine.alerts.rules
from api.main import IN_PROCESS, create_app
from core import parts, pipeline_stored
from core.errors import Refused
from core.pipeline import Pipeline
from core.settings import Settings
from engine import catalog
from engine.alerts import asking, known
from engine.duties import Failed
from engine.faults import DUTIES, FOLLOW_UPS
from engine.home import Home, open_home
from engine.ops import health
from engine.ops.figures import Figures
from engine.runs import course, schedules
from engine.runs.schedules import Scheduler
from engine.runs.sweep import sweep
from engine.runs.worker import Worker, celery_app
from engine.store import access, alerts, datasets, follow_ups, privacy, processes, runs
from engine.store import rulings as stored_rulings
from engine.store import schedules as rows
from engine.store.tables import Alert, Part, Run, Schedule
from tests.attack.attempts import Attempts, Guard
from tests.program import wait_for

GUARDS = [
    Guard(
        "engine/store/tolerant.py",
        "return self.lost()",
        "raise",
        "test_wedged.py::test_a_token_whose_limits_cannot_be_read_may_nothing",
    ),
    Guard(
        "engine/store/datasets.py",
        "if not _readable(row[1]):",
        "if False:",
        "test_wedged.py::test_a_broken_row_stops_nothing_that_is_not_about_it",
    ),
    Guard(
        "engine/store/privacy.py",
        "if unread(row.types, row.options):",
        "if False:",
        "test_wedged.py::test_a_broken_row_stops_nothing_that_is_not_about_it",
    ),
    Guard(
        "api/answers/values.py",
        "except Exception as error:",
        "except ZeroDivisionError as error:",
        "test_wedged.py::test_a_broken_row_stops_nothing_that_is_not_about_it",
    ),
    Guard(
        "engine/duties.py",
        "except BaseException as error:",
        "except ZeroDivisionError as error:",
        "test_wedged.py::test_whatever_raises_runs_end_and_readyz_names_it",
    ),
    Guard(
        "engine/runs/follow_ups.py",
        "with apart(name), db.begin_nested():",
        "if True:",
        "test_wedged.py::test_a_follow_up_that_failed_is_done_later",
    ),
    Guard(
        "engine/alerts/known.py",
        "return rule is not None and bool(rule.BY_CLOCK)",
        'return bool(parts.load("alert rule", alert.rule).BY_CLOCK)',
        "test_wedged.py::test_an_alert_of_a_rule_that_is_gone_stops_no_alert_and_no_run",
    ),
    Guard(
        "engine/alerts/known.py",
        "return None if missing else rule",
        "return rule",
        "test_wedged.py::test_a_broken_rule_is_left_out_and_named",
    ),
    Guard(
        "engine/runs/schedules.py",
        "            with apart(name):\n                stat",
        "            if True:\n                stat",
        "test_wedged.py::test_a_bad_file_stops_no_other_schedule",
    ),
    Guard(
        "engine/runs/sweep.py",
        'with apart(f"a file of {file.parent.name}"):',
        "if True:",
        "test_wedged.py::test_what_cannot_be_removed_stays_and_the_rest_goes",
    ),
    Guard(
        "engine/runs/course.py",
        'with apart(f"run {number}"):',
        "if True:",
        "test_wedged.py::test_a_run_that_cannot_be_reaped_stops_no_other",
    ),
    Guard(
        "engine/runs/sweep.py",
        "pipeline_stored.read(name, it).privacy",
        "__import__('core.pipeline').pipeline.Pipeline.model_validate(it).privacy",
        "test_wedged.py::test_a_definition_of_another_version_stops_neither_sweep_nor_rulings",
    ),
]
ORDERS = "name: orders\nowner: web\nsource: {connector: csv, path: orders.csv}\n"
EVERYTHING = (*(f"duty.{name}" for name in DUTIES), *(f"follow.{name}" for name in FOLLOW_UPS))


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    opened = open_home(settings)
    yield opened
    opened.database.close()


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test orders that points of this process raise."""
    (tmp_path / "orders" / "reached").mkdir(parents=True)
    monkeypatch.setenv("FAULTS_OF_A_TEST", str(tmp_path / "orders"))
    return tmp_path / "orders"


def write(home: Home, name: str, more: str = "") -> Pipeline:
    folder = home.settings.pipelines
    (folder / f"{name}.yml").write_text(ORDERS.replace("orders", name) + more, "utf-8")
    (folder / f"{name}.csv").write_text("id,country\n1,DK\n2,SE\n", "utf-8")
    return catalog.pipeline(folder, name)


def start(home: Home, name: str) -> int:
    with home.database.write() as db:
        return course.start(db, catalog.pipeline(home.settings.pipelines, name), "anna")[0].id


def state(home: Home, number: int) -> str:
    with home.database.read() as db:
        return runs.get(db, number).state


def end(home: Home, number: int, how: str = "succeeded") -> None:
    with home.database.write() as db:
        course.end(home, db, number, how)


def ended(home: Home, name: str = "orders", how: str = "succeeded") -> int:
    """A run that has ended without any work."""
    write(home, name)
    number = start(home, name)
    end(home, number, how)
    return number


# in turn: each duty, each follow-up


@pytest.mark.parametrize("point", EVERYTHING)
def test_whatever_raises_runs_end_and_readyz_names_it(
    settings: Settings, orders: Path, attempts: Attempts, point: str
) -> None:
    in_turn(settings, orders, attempts, point, 1)


@pytest.mark.long
@pytest.mark.parametrize("point", EVERYTHING)
def test_of_a_hundred_runs_a_hundred_end(settings: Settings, orders: Path, attempts: Attempts, point: str) -> None:
    in_turn(settings, orders, attempts, point, -(-100 // len(EVERYTHING)))


def in_turn(settings: Settings, orders: Path, attempts: Attempts, point: str, many: int) -> None:
    """Runs end while a point raises, and nothing else fails; without the order all is well again."""
    home = open_home(settings.model_copy(update={"marquez_url": "http://127.0.0.1:9/api"}))
    (orders / f"raise-{point}").touch()
    worker, scheduler = Worker(home, celery_app(home)), Scheduler(home, reaps=False)
    client = TestClient(create_app(home, lambda: None), base_url=IN_PROCESS)
    named = point.removeprefix("duty.").replace("follow.", "after a run: ")
    try:
        worker.start()
        scheduler.start()
        for n in range(many):
            write(home, f"orders_{n}")
        numbers = [start(home, f"orders_{n}") for n in range(many)]
        worker.wake()
        wait_for(lambda: all(over(home, number) for number in numbers), 60)
        for number in numbers:
            attempts.tried("raises in turn", f"{point}, run {number}", held=over(home, number))
        assert {state(home, number) for number in numbers} == {"succeeded"}

        def told() -> str:
            return str(client.get("/readyz").json()["parts"]["duties"])

        assert wait_for(lambda: named in told(), 20), told()
        failing = {it.partition(" fails since ")[0].removeprefix("degraded: ") for it in told().split("; ")}
        assert failing - {"lineage forwarder"} == {named} - {"lineage forwarder"}  # nothing listens there
        assert point == "duty.lineage forwarder" or "(Ordered)" in told()
        (orders / f"raise-{point}").unlink()
        if point.startswith("follow."):
            follow_ups_again(home)
    finally:
        scheduler.stop()
        assert worker.stop(10)
        home.database.close()


def over(home: Home, number: int) -> bool:
    return state(home, number) not in runs.ACTIVE


def follow_ups_again(home: Home) -> None:
    from engine.runs import follow_ups as after

    after.try_again(home)
    with home.database.read() as db:
        assert follow_ups.waiting(db) == []


# rules


def test_an_alert_of_a_rule_that_is_gone_stops_no_alert_and_no_run(home: Home, attempts: Attempts) -> None:
    write(home, "t")
    write(home, "u", "quality: {consistency: [{column: id, references: t.id}]}\n")
    seen = datetime.now(UTC)
    with home.database.write() as db:
        alerts.add(
            db,
            Alert(
                fingerprint="x", rule="volume_anomaly", dataset="t", what="", state="open", count=1, opened_at=seen,
                revision=1, owner="web", severity="high", spreads=True, title="t", cause="t", detail={}, next=[],
                run_id=1, last_at=seen,
            ),
        )  # fmt: skip
    for name, how in [("t", "succeeded"), ("u", "failed"), ("u", "refused"), ("t", "cancelled")]:
        number = start(home, name)
        end(home, number, how)
        with home.database.read() as db:
            held = state(home, number) == how and follow_ups.waiting(db) == []
        attempts.tried("rule that is gone", f"{name} {how}", held=held)
    with home.database.read() as db:
        assert [it.rule for it in alerts.live(db, "u")] != []  # the alert about the failed run is there
    asking.look(home, datetime.now(UTC))


RULES = {
    **{f"without_{name.lower()}": "\n".join(f"{it} = False" for it in known.CONSTANTS if it != name)
       + "\ndef problems(facts): return []" for name in known.CONSTANTS},
    "without_problems": "SEVERITY, SPREADS, BY_CLOCK, MASKING = 'low', False, False, False",
    "not_python": "def problems(",
    "raises_at_import": "raise SystemError",
    "imports_nothing": "import no_such_module_anywhere",
    "empty": "",
}  # fmt: skip


def test_a_broken_rule_is_left_out_and_named(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempts: Attempts
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, code in RULES.items():
        (folder / f"{name}.py").write_text(code, "utf-8")
    monkeypatch.setattr(engine.alerts.rules, "__path__", [*engine.alerts.rules.__path__, str(folder)])
    parts.names.cache_clear()
    known.rule_named.cache_clear()
    try:
        for how in ("succeeded", "failed", "refused"):
            number = ended(home, how=how)
            with home.database.read() as db:
                assert (state(home, number), follow_ups.waiting(db)) == (how, [])
        told = health.Health(home).parts()["alerts"]
        for name in RULES:
            attempts.tried("broken rule", name, held=name in told)
    finally:
        monkeypatch.undo()
        parts.names.cache_clear()
        known.rule_named.cache_clear()


# files


def dangling(path: Path) -> None:
    path.symlink_to("/nonexistent/x.yml")


def loop(path: Path) -> None:
    path.symlink_to(path)


BAD_FILES: dict[str, Callable[[Path], object]] = {
    "dangling link": dangling,
    "link to itself": loop,
    "folder": Path.mkdir,
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "empty": Path.touch,
    "not YAML": lambda path: path.write_text("{{{", "utf-8"),
    "a list": lambda path: path.write_text("- 1\n", "utf-8"),
}


@pytest.mark.parametrize("name", ["aaa", ".#orders", "zzz"])
def test_a_bad_file_stops_no_other_schedule(home: Home, attempts: Attempts, name: str) -> None:
    for number, (kind, make) in enumerate(BAD_FILES.items()):
        make(home.settings.pipelines / f"{name}_{number}.yml")
        good = f"good_{number}"
        write(home, good, 'schedule: "* * * * *"\n')
        files, now = schedules.Files(home), datetime(2026, 3, 2, 5, 0, 30, tzinfo=UTC) + timedelta(hours=number)
        with contextlib.suppress(Failed):
            files.look(now)
        schedules.fire(home, now + timedelta(minutes=1))
        with home.database.read() as db:
            last = runs.newest(db, good)
        attempts.tried("bad pipeline file", f"{kind} called {name}", held=last is not None)


def test_a_schedule_that_cannot_be_read_stops_no_other(home: Home, attempts: Attempts) -> None:
    at = datetime(2026, 3, 2, 5, 0, 30, tzinfo=UTC)
    broken = {"timezone": "Nowhere/At_All", "cron": "what ever this may be"}
    for column, value in broken.items():
        for name in ("aaa", "zzz"):
            write(home, "good")
            write(home, name)
            with home.database.write() as db:
                for it in (name, "good"):
                    rows.put(db, it, "* * * * *", "UTC", "anna", at)
                db.execute(update(Schedule).where(Schedule.pipeline == name).values({column: value}))
            with pytest.raises(Failed):
                schedules.fire(home, at)
            with pytest.raises(Failed):
                schedules.set_right(home, at - timedelta(days=400))
            with home.database.write() as db:
                number = runs.active(db)
                held = [runs.get(db, it).pipeline for it in number] == ["good"]
                rows.remove(db, name)
                for it in number:
                    runs.end(db, it, "succeeded")
            attempts.tried("broken schedule", f"{column} of {name}", held=held)


# what is swept


def test_what_cannot_be_removed_stays_and_the_rest_goes(home: Home, attempts: Attempts) -> None:
    zones = {
        "charted": home.settings.charted_zone,
        "warehouse": home.settings.warehouse,
    }
    for zone, folder in zones.items():
        for bad in ("aaa", "zzz"):
            (folder / bad).mkdir(parents=True)
            loop(folder / bad / "run-1.parquet")
            old = folder / "orders" / "run-1.parquet"
            old.parent.mkdir(exist_ok=True)
            old.touch()
            with pytest.raises(Failed):
                sweep(home, datetime.now(UTC).timestamp() + 90_000)
            attempts.tried("cannot be removed", f"{zone} {bad}", held=not old.exists())
            (folder / bad / "run-1.parquet").unlink()


# rows and definitions


def broken_definitions() -> dict[str, Any]:
    """A definition with one thing that this version does not understand, at each place."""
    good = Pipeline.model_validate({
        "name": "orders", "owner": "web", "source": {"connector": "csv", "path": "x.csv", "cursor": "id"},
        "key": ["id"], "subject": {"customer": "id"},
        "privacy": {"purpose": "p", "columns": {"name": "keep", "zip": "redact"}},
        "quality": {"completeness": ["id"], "validity": [{"column": "id", "min": 0}], "timeliness":
                    {"column": "at", "max_age_hours": 1}, "accuracy": [{"expression": "id > 0"}]},
    }).model_dump(mode="json")  # fmt: skip
    found: dict[str, Any] = {}

    def changed(path: tuple[Any, ...], value: Any) -> Any:
        copy = json.loads(json.dumps(good))
        place = copy
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        return copy

    def walk(place: Any, path: tuple[Any, ...]) -> None:
        where = ".".join(map(str, path))
        if path:
            for value in (None, 17, "what", [], {"new": 1}):
                found[f"{where} = {value}"] = changed(path, value)
        if isinstance(place, dict):
            found[f"{where}: a new key"] = changed((*path, "key_of_next_year"), {"a": 1})
            for key, value in place.items():
                walk(value, (*path, key))
        elif isinstance(place, list):
            for number, value in enumerate(place):
                walk(value, (*path, number))

    walk(good, ())
    without = {f"without {key}": {k: v for k, v in good.items() if k != key} for key in good}
    unknown = changed(("privacy", "columns", "name"), {"action": "shuffle", "to": None})
    return {**found, **without, "an action of next year": unknown, "nothing": {}, "a list": [], "null": None}


def test_every_definition_can_be_read_and_hides_no_less(attempts: Attempts) -> None:
    for name, definition in broken_definitions().items():
        read = pipeline_stored.read("orders", definition)
        policies = {} if not isinstance(definition, dict) else (definition.get("privacy") or {})
        columns = policies.get("columns") if isinstance(policies, dict) else None
        hidden = columns.get("zip") if isinstance(columns, dict) and "privacy.columns" in name else None
        kept = read.privacy.columns.get("zip")
        held = read.name == "orders" and read.privacy.raw_retention_days > 0
        held &= hidden is None or (kept is not None and kept.action in ("redact", "hash"))
        attempts.tried("stored definition", name, held=held)
    shuffled = pipeline_stored.read("orders", broken_definitions()["an action of next year"])
    assert shuffled.privacy.columns["name"].action == "hash"


def test_a_definition_of_another_version_stops_neither_sweep_nor_rulings(
    settings: Settings, home: Home, attempts: Attempts
) -> None:
    write(home, "people")
    worker = Worker(home, celery_app(home))
    number = start(home, "people")
    worker.wake()
    assert wait_for(lambda: state(home, number) == "succeeded")
    broken = broken_definitions()
    names = ["privacy: a new key", "an action of next year", "owner = None", "quality = 17", "source = what", "nothing"]
    old = ended(home, "other")
    with home.database.write() as db:
        privacy.save_dead_letters(db, number, "people", [{"reason": "id is empty", "rows": 3, "lines": ["2"]}])
        access.add_user(db, "anna", "admin")
        token = access.issue(db, access.user(db, "anna"), 600)
    client = TestClient(
        create_app(home, worker.wake), base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"},
        raise_server_exceptions=False,
    )  # fmt: skip
    for name in names:
        with home.database.write() as db:
            db.execute(update(Run).where(Run.id == old).values(definition=broken[name]))
        later = datetime.now(UTC).timestamp() + 8 * 86_400
        sweep(home, later)
        with home.database.read() as db:
            swept = privacy.dead_letters(db, number) == []
        body = {"column": "country", "type": "PERSON", "because": "so it is"}
        answer = client.post("/api/v1/datasets/people/pii/rulings", json=body)
        attempts.tried("another version's definition", name, held=swept and answer.status_code < 300)
    with home.database.read() as db:
        last = runs.newest(db, "people")
        assert last is not None
        assert stored_rulings.datasets(db) == {"people"}
    assert wait_for(lambda: over(home, last.id))
    assert worker.stop(10)


def test_a_run_of_another_version_fails_and_says_so_but_masking_goes_on(home: Home, attempts: Attempts) -> None:
    worker = Worker(home, celery_app(home))
    worker.start()
    for name, definition in broken_definitions().items():
        if name not in ("privacy: a new key", "an action of next year", "source = what"):
            continue
        write(home, "orders")
        number = start(home, "orders")
        with home.database.write() as db:
            db.execute(update(Run).where(Run.id == number).values(definition=definition))
        worker.wake()
        held = wait_for(lambda number=number: over(home, number), 30)  # type: ignore[misc]
        with home.database.read() as db:
            run = runs.get(db, number)
        attempts.tried("run of another version", name, held=held and run.state in ("failed", "succeeded"))
        assert run.state == "failed"
    assert worker.stop(10)


def test_a_run_that_cannot_be_reaped_stops_no_other(home: Home, attempts: Attempts) -> None:
    write(home, "orders")
    bad = {
        "owner": {"owner": "nobody at all"}, "owner with colons": {"owner": "a:b:c:d"}, "empty owner": {"owner": ""},
        "spec": {"spec": text("'{'")}, "result": {"result": text("'no JSON'")},
    }  # fmt: skip
    for kind, values in bad.items():
        for name in ("aaa", "zzz"):
            write(home, name)
            first, second = (start(home, it) for it in sorted((name, "orders")))
            broken, good = (first, second) if name == "aaa" else (second, first)
            with home.database.write() as db:
                db.execute(update(Part).values(state="running", owner="", lease_until=None, attempt=1))
                db.execute(update(Part).where(Part.run_id == broken).values(**values))
                db.execute(update(Run).where(Run.id == broken).values(error=text("'no JSON'")))
            course.reap(home)
            with home.database.write() as db:
                held = db.execute(text(f"SELECT state FROM part WHERE run_id = {good}")).scalar() == "ready"
                db.execute(text("DELETE FROM part"))
                db.execute(text("DELETE FROM run"))
            attempts.tried("cannot be reaped", f"{kind} of {name}", held=held)


def test_a_follow_up_that_failed_is_done_later(home: Home, orders: Path) -> None:
    for name in FOLLOW_UPS:
        (orders / f"raise-follow.{name}").touch()
    number = ended(home, how="failed")
    with home.database.read() as db:
        assert follow_ups.waiting(db) == [(number, name) for name in sorted(FOLLOW_UPS)]
        assert alerts.live(db, "orders") == []
        assert datasets.current_version(db, "orders") is None
    for name in FOLLOW_UPS:
        (orders / f"raise-follow.{name}").unlink()
    follow_ups_again(home)
    with home.database.read() as db:
        assert [it.rule for it in alerts.live(db, "orders")] == ["failed_run"]


# rows that somebody broke

BROKEN = [
    ("version", "columns", "[1]", "dataset = 'tickets'"),
    ("version", "columns", "{bad", "dataset = 'tickets'"),
    ("version", "masked", "7", "dataset = 'tickets'"),
    ("version", "inputs", "{bad", "dataset = 'tickets'"),
    ("version", "published_at", "x", "dataset = 'tickets'"),
    ("process", "failing", "{bad", "id = 'p'"),
    ("process", "failing", '{"a": 7}', "id = 'p'"),
    ("process", "seen_at", "x", "id = 'p'"),
    ("run", "definition", "{bad", "pipeline = 'tickets'"),
    ("run", "state", "x", "pipeline = 'tickets'"),
    ("run", "error", "[1]", "pipeline = 'tickets'"),
    ("run", "created_at", "x", "pipeline = 'tickets'"),
    ("user_account", "owns", "{bad", "name = 'zoe'"),
    ("user_account", "owns", "[{}]", "name = 'zoe'"),
    ("user_account", "role", "x", "name = 'zoe'"),
    ("user_account", "created_at", "x", "name = 'zoe'"),
    ("alert", "next", "{bad", "dataset = 'tickets'"),
    ("alert", "state", "x", "dataset = 'tickets'"),
    ("alert", "severity", "x", "dataset = 'tickets'"),
    ("alert", "opened_at", "x", "dataset = 'tickets'"),
    ("dataset", "kind", "x", "name = 'tickets'"),
    ("score", "overall", "x", "dataset = 'tickets'"),
    ("score", "dimensions", "{bad", "dataset = 'tickets'"),
    ("verdict", "types", "{bad", "dataset = 'tickets'"),
    ("verdict", "types", "7", "dataset = 'tickets'"),
    ("verdict", "options", "{bad", "dataset = 'tickets'"),
    ("verdict", "confidence", "x", "dataset = 'tickets'"),
]
PLACES = {  # what is asked, and what must be told all the same
    "/readyz": "parts", "/metrics": "atlas_workers", "/api/v1/workers": "items", "/api/v1/users": "anna",
    "/api/v1/alerts": "products", "/api/v1/datasets": "products", "/api/v1/pipelines": "products",
    "/api/v1/runs": "products", "/api/v1/gdpr/report": "products", "/api/v1/lineage/explain?node=products": "products",
}  # fmt: skip

ASKED = {  # where rows of a table are read
    "version": ("datasets", "gdpr", "lineage"), "process": ("readyz", "metrics", "workers"),
    "run": ("pipelines", "runs"), "user_account": ("users",), "alert": ("alerts",),
    "dataset": ("datasets", "lineage"), "score": ("datasets", "pipelines", "runs", "gdpr"),
    "verdict": ("gdpr", "lineage"),
}  # fmt: skip


def test_a_broken_row_stops_nothing_that_is_not_about_it(settings: Settings, attempts: Attempts) -> None:
    home = open_home(settings)
    worker = Worker(home, celery_app(home))
    worker.start()
    for name in ("tickets", "products"):
        write(home, name, "quality: {completeness: [id]}\n")
        start(home, name)
    worker.wake()
    assert wait_for(lambda: worked(home, 2), 30)
    seen = datetime.now(UTC)
    with home.database.write() as db:
        access.add_user(db, "zoe", "viewer")
        token = access.issue(db, access.add_user(db, "anna", "admin"), 600)
        processes.lives(db, "p", {
            "does": "scheduler", "host": "h", "pid": 1, "version": "1", "reason": None, "failing": {},
        })  # fmt: skip
        for name in ("tickets", "products"):
            alerts.add(
                db,
                Alert(
                    fingerprint=name, rule="volume_anomaly", dataset=name, what="", state="open", count=1,
                    opened_at=seen, revision=1, owner="web", severity="high", spreads=True, title="t", cause="t",
                    detail={}, next=[], run_id=1, last_at=seen,
                ),
            )  # fmt: skip
    client = TestClient(
        create_app(home, worker.wake), base_url=IN_PROCESS, raise_server_exceptions=False,
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
    )  # fmt: skip

    def shown(place: str, beside: str) -> bool:
        answer = client.get(place)
        return answer.status_code in ((200, 503) if place == "/readyz" else (200,)) and beside in answer.text

    assert [place for place, beside in PLACES.items() if not shown(place, beside)] == []
    for table, column, value, where in BROKEN:
        with home.database.write() as db:
            before = db.execute(text(f"SELECT rowid, {column} FROM {table} WHERE {where}")).all()
            db.execute(text(f"UPDATE {table} SET {column} = :value WHERE {where}"), {"value": value})
        assert before
        for place, beside in PLACES.items():
            if any(name in place for name in ASKED[table]):
                attempts.tried("broken row", f"{table}.{column} = {value}: {place}", held=shown(place, beside))
        Figures(home, 0).look()  # `/metrics` keeps its figures for a while
        with home.database.write() as db:
            for row in before:
                db.execute(
                    text(f"UPDATE {table} SET {column} = :value WHERE rowid = :id"), {"value": row[1], "id": row[0]}
                )
    # a run that names no tickets ends well beside a version that cannot be read
    with home.database.write() as db:
        db.execute(text("UPDATE version SET columns = '[1]', masked = '7', inputs = '{bad', published_at = 'x'"
                        " WHERE dataset = 'tickets'"))  # fmt: skip
        db.execute(text("UPDATE run SET definition = '{bad' WHERE pipeline = 'tickets'"))
        db.execute(text("UPDATE verdict SET types = '7' WHERE dataset = 'tickets'"))
        assert "tickets.id" in privacy.personal_columns(db)
        with pytest.raises(Refused, match="is not shown"):
            datasets.get(db, "tickets")
    assert "cannot be read" in client.get("/api/v1/gdpr/report").text
    assert client.get("/api/v1/datasets/tickets/pii").status_code == 409
    number = start(home, "products")
    worker.wake()
    wait_for(lambda: over(home, number), 20)
    attempts.tried("broken row", "a run of another dataset", held=state(home, number) == "succeeded")
    assert worker.stop(10)
    home.database.close()


def worked(home: Home, many: int) -> bool:
    with home.database.read() as db:
        return len(datasets.current(db)) == many and not runs.active(db)


@pytest.mark.parametrize("column", ["scopes", "datasets"])
def test_a_token_whose_limits_cannot_be_read_may_nothing(home: Home, attempts: Attempts, column: str) -> None:
    with home.database.write() as db:
        token = access.issue(db, access.add_user(db, "anna", "admin"), 600)
    for value in ("{bad", "7", "[1]", "{}"):
        with home.database.write() as db:
            db.execute(text(f"UPDATE token SET {column} = :value"), {"value": value})
            held = access.bearer(db, token)
        assert held is not None
        attempts.tried("broken row", f"token.{column} = {value}", held=getattr(held, column) == frozenset())
