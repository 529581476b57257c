"""SQL that crashes, hogs, stalls or takes over the process it runs in does nothing to the one that asked."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psutil
import pytest

from core.errors import AtlasError, BadPipeline, Cancelled, LeaseLost, QueryStopped
from core.models import LINE, ColumnType, RawFile, Table
from core.pipeline import Pipeline
from engine.contract import measure, rejects, rows
from engine.navigate import build
from engine.navigate.models import Model
from engine.personal import sought
from engine.sql import contained
from engine.sql.child import Child, Died, Limits
from tests.attack.attempts import Attempts, Guard
from tests.attack.hostile_child import SAYS

HERE = "test_contained.py::"
GUARDS = [
    Guard("engine/sql/child.py", " for name, value in os.environ.items() if name in _PASSED",
          " for name, value in os.environ.items()",
          HERE + "test_a_child_has_no_settings_no_secrets_and_no_open_file"),
    Guard("engine/sql/child.py", "if time.monotonic() > end:", "if False:",
          HERE + "test_a_query_ends_when_its_time_is_over"),
    Guard("engine/sql/child.py", "                    wanted()\n", "",
          HERE + "test_a_query_that_nobody_wants_any_more_ends_within_a_second"),
    Guard("engine/sql/child.py", "if self.used > self.memory:", "if False:",
          HERE + "test_a_child_that_was_taken_over_gets_nowhere"),
    Guard("engine/sql/child.py", " or length > largest.get(kind, LARGEST_NOTE)", "",
          HERE + "test_a_child_that_was_taken_over_gets_nowhere"),
    Guard("engine/sql/child.py", "if code in _RAISED", "if True",
          HERE + "test_a_child_that_was_taken_over_gets_nowhere"),
    Guard("engine/sql/inside.py", "resource.setrlimit(resource.RLIMIT_DATA, (2 * most, 2 * most))", "pass",
          HERE + "test_a_child_has_no_settings_no_secrets_and_no_open_file"),
    Guard("engine/sql/inside.py", "ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)", "pass",
          HERE + "test_no_child_outlives_its_worker"),
    Guard("engine/sql/inside.py", "os.kill(os.getpid(), signal.SIGKILL)  # nothing", "pass  # nothing",
          HERE + "test_a_child_ends_when_its_parent_hangs_up"),
    Guard("engine/sql/contained.py", "            for path in leaves:\n", "            for path in ():\n",
          HERE + "test_a_model_whose_process_crashes_is_an_error_of_its_run"),
    Guard("engine/personal/sought.py", "column not in columns or ", "", HERE + "test_only_values_are_masked"),
]  # fmt: skip
ENDLESS = "select count(*) as n from t a, t b, t c, t d where a.id + b.id + c.id + d.id = 7"
CRASHES = ("\"!=\"({'a': product}, product)", "\"!=\"(map {'a': product}, [product])")  # of DuckDB 2.0.0, in truth
HOGS = (
    "select repeat('x', 4000000000) as a, repeat('y', 4000000000) as b from t",
    "select length(cast(repeat('x', 4000000000)::blob as bit)) as a from t",
    "select list(a.id) as l from t a, t b, t c",
    "select length(repeat('x', 4000000000)) + id as n from t",
    "select string_agg(repeat(a.product, 1000), ',') as s from t a, t b",
    "select histogram(repeat(a.product, 100) || a.id || b.id) as h from t a, t b, t c",
)  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    path = tmp_path_factory.mktemp("tables") / "t.parquet"
    pl.DataFrame({"id": range(3000), "product": ["a"] * 3000}).write_parquet(path)
    return {"t": Table("t", (path,), {"id": "BIGINT", "product": "VARCHAR"}, rows=3000)}


@pytest.fixture
def made(tables: dict[str, Table], tmp_path: Path) -> Callable[..., object]:
    """Builds a SELECT in a folder of its own; the error, if it comes to one, which leaves no file there."""

    def make(sql: str, limits: Limits = Limits(), wanted: Callable[[], None] = lambda: None) -> object:  # noqa: B008
        target = tmp_path / "w" / "x.parquet"
        try:
            return build.build(Model("x", sql, "", ("t",)), tables, target, "UTC", wanted, limits)
        except AtlasError as error:
            assert list(target.parent.iterdir()) == []
            return error

    return make


def works(made: Callable[..., object]) -> bool:
    return made("select count(*) as n from t") == build.Built(1, {"n": "BIGINT"})


@pytest.fixture
def busy() -> Iterator[Callable[[], Child]]:
    """The one child that works just now."""

    def one() -> Child:
        end = time.monotonic() + 30
        while not contained.children._busy:
            assert time.monotonic() < end
            time.sleep(0.01)
        return contained.children._busy[0]

    yield one
    assert not contained.children._busy


def test_a_model_whose_process_crashes_is_an_error_of_its_run(
    made: Callable[..., object], busy: Callable[[], Child], attempts: Attempts
) -> None:
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL):

        def crash(number: int = number) -> None:
            child = busy()
            time.sleep(0.3)
            os.kill(child.pid, number)

        killer = threading.Thread(target=crash)
        killer.start()
        error = made(ENDLESS)
        killer.join()
        said = str(error) == "The model `x` crashed the database engine; it was stopped."
        attempts.tried("contained", f"{signal.Signals(number).name} in mid-model", held=said and works(made))


def test_an_expression_that_crashes_the_engine_names_its_rule(tmp_path: Path, attempts: Attempts) -> None:
    path = tmp_path / "0.parquet"
    pl.DataFrame({LINE: [2, 3], "product": ["a", "b"]}, schema_overrides={LINE: pl.Int64}).write_parquet(path)
    raw = rows.Raw([RawFile(str(path), 2)], {"product": ColumnType()}, "UTC", {}, lambda _, v: v, datetime.now(UTC))
    for crash in CRASHES:
        rule = {"accuracy": [{"expression": crash}], "reject_rows": ["accuracy"]}
        pipeline = Pipeline.model_validate({"name": "orders", "owner": "x", "source": {}, "quality": rule})
        for name, ask in (("measured", measure.measured), ("rejected", rejects.rejected)):
            try:
                held = ask(pipeline, raw, tmp_path / "asked.parquet", lambda: None) is not None
            except QueryStopped as error:
                which = str(error).removesuffix(" crashed the database engine; it was stopped.")
                held = which in (f"The rule `{crash}` of `orders.yml`", "The contract of `orders`")
            except BadPipeline:  # the allow-list does not take it
                held = True
            attempts.tried("contained", f"{crash} {name}", held=held)


def test_a_model_that_crashes_the_engine_is_stopped(made: Callable[..., object], attempts: Attempts) -> None:
    for crash in CRASHES:
        error = made(f"select count(*) as n from t where {crash}")
        attempts.tried("contained", f"a model with {crash}", held=isinstance(error, AtlasError) and works(made))


@pytest.mark.parametrize("sql", HOGS)
def test_a_query_that_hogs_memory_ends_alone(sql: str, made: Callable[..., object], attempts: Attempts) -> None:
    peaks = [0]

    def watch() -> None:
        peaks.extend(child.used for child in list(contained.children._busy))

    error = made(sql, Limits(600, 8), watch)
    stopped = isinstance(error, QueryStopped | BadPipeline)
    attempts.tried("contained", sql, held=stopped and max(peaks) < 1_200_000_000 and works(made))


def test_a_query_ends_when_its_time_is_over(made: Callable[..., object], attempts: Attempts) -> None:
    made("select 1 as n from t")  # a child is there
    for seconds, words in ((1.0, "1 second"), (0.5, "0.5 seconds")):
        begun = time.monotonic()

        def patience(begun: float = begun) -> None:
            if time.monotonic() - begun > 10:
                raise Cancelled("It did not end.")

        error = str(made(ENDLESS, Limits(None, seconds), patience))
        told = f"The model `x` took longer than {words} and was stopped. ATLAS_QUERY_SECONDS allows more."
        attempts.tried("contained", f"{words} of {ENDLESS}", held=error == told and time.monotonic() - begun < 5)


def test_a_query_that_nobody_wants_any_more_ends_within_a_second(
    made: Callable[..., object], attempts: Attempts
) -> None:
    for error in (Cancelled("Run `#1` was cancelled."), LeaseLost("Run `#1` was taken over by another worker.")):
        made("select 1 as n from t")
        begun = time.monotonic()

        def wanted(error: AtlasError = error, begun: float = begun) -> None:
            if time.monotonic() - begun > 0.5:
                raise error

        ended = made(ENDLESS, Limits(None, 5), wanted)
        attempts.tried("contained", error.code, held=ended is error and time.monotonic() - begun < 1.5)
        assert not contained.children._idle or contained.children._idle[0].used < 300_000_000


def test_a_child_has_no_settings_no_secrets_and_no_open_file(
    made: Callable[..., object], monkeypatch: pytest.MonkeyPatch, attempts: Attempts, tmp_path: Path
) -> None:
    names = ("ATLAS_MASKING_KEY", "ATLAS_SECRET_DSN", "ATLAS_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD",
             "LD_PRELOAD_", "VAULT_TOKEN", "CELERY_BROKER_URL", "REDIS_URL", "SLACK_TOKEN")  # fmt: skip
    for name in names:
        monkeypatch.setenv(name, "a secret of this test")
    with (tmp_path / "open").open("w"), contained.children.one(Limits(700)) as child:
        end = time.monotonic() + 30
        process = psutil.Process(child.pid)
        while "Max data size             1400000000" not in Path(f"/proc/{child.pid}/limits").read_text():
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        for name in names:
            attempts.tried("contained", f"{name} in a child", held=name not in process.environ())
        files = [str(number.readlink()) for number in Path(f"/proc/{child.pid}/fd").iterdir()]
        attempts.tried("contained", "an open file", held=all(f == os.devnull or "socket:" in f for f in files))
        attempts.tried("contained", "one socket", held=sum("socket:" in f for f in files) == 1)
        attempts.tried("contained", "memory", held="Max data size             1400000000" in limits)
        attempts.tried("contained", "a core dump", held="Max core file size        0 " in limits)
        attempts.tried("contained", "a group of its own", held=os.getpgid(child.pid) == child.pid)


class Asked(Exception):
    """Too late."""


@pytest.mark.parametrize("says", SAYS)
def test_a_child_that_was_taken_over_gets_nowhere(says: str, attempts: Attempts) -> None:
    program = Path(__file__).with_name("hostile_child.py")
    child = Child(600_000_000, 0, preload=False, program=(str(program), says))
    before, begun = psutil.Process().memory_info().rss, time.monotonic()

    def patience() -> None:
        if time.monotonic() - begun > 20:
            raise Asked

    code = ""
    try:
        body = child.ask(b"x" * 3_000_000, "The model `x`", Limits(None, 15 if says == "hog" else 3), patience, None)
        contained._checked(body, build.Built, "The model `x`")
    except QueryStopped as error:
        code = error.message
    except (AtlasError, Asked) as error:
        code = type(error).__name__
    finally:
        child.end()
    words = {"silence": "took longer", "flood": "took longer", "hog": "needed more than 600 MB",
             "half a header": "took longer", "half a result": "took longer"}  # fmt: skip
    grown = psutil.Process().memory_info().rss - before
    held = words.get(says, "crashed the database engine") in code and grown < 100_000_000
    attempts.tried("contained", f"a child says {says}", held=held)


def test_only_values_are_masked(attempts: Attempts) -> None:
    good = sought.question("mail", pl.Series(["a", "b"]))
    asked = {
        "nothing": b"", "zeros": bytes(40), "another column": sought.question("phone", pl.Series(["a"])),
        "no text": good[:-1] + b"\xff", "cut": good[:-9], "too many": good[:4] + b"\x7f" + good[5:],
        "a huge number": good[:4] + b"\xff" * 8 + good[12:],
        "begins behind its end": good.replace((1).to_bytes(8, "little"), (9).to_bytes(8, "little")),
        "begins before its start": good.replace((1).to_bytes(8, "little"), b"\xff" * 8),
    }  # fmt: skip
    for name, question in asked.items():
        masked: list[object] = []
        with suppress(Died):
            sought.answer(question, {"mail"}, lambda _, values, masked=masked: masked.append(values) or values)  # type: ignore[misc]
        attempts.tried("contained", f"masking {name}", held=not masked)
    assert list(sought.answered(sought.answer(good, {"mail"}, lambda _, v: v + "!"))) == ["a!", "b!"]


PARENT = """
import subprocess, sys, threading, time
from pathlib import Path
from engine.sql import contained
from engine.sql.child import Limits
from tests.attack.test_contained import ENDLESS
from core.models import Table
from engine.navigate import build
from engine.navigate.models import Model

table = Table("t", (Path(sys.argv[1]),), {"id": "BIGINT", "product": "VARCHAR"}, rows=3000)

def tell():
    while not contained.children._busy:
        time.sleep(0.01)
    time.sleep(1)
    child = contained.children._busy[0]
    if sys.argv[3] == "held":  # somebody else has the parent's end of the socket, so it is not closed
        subprocess.Popen(["sleep", "20"], stdout=subprocess.DEVNULL, pass_fds=[child._socket.fileno()])
    print(child.pid, flush=True)

build.build(Model("x", "select 1 as n from t", "", ("t",)), {"t": table}, Path(sys.argv[2]), "UTC")
threading.Thread(target=tell, daemon=True).start()
build.build(Model("x", ENDLESS, "", ("t",)), {"t": table}, Path(sys.argv[2]), "UTC")
"""


def test_no_child_outlives_its_worker(tables: dict[str, Table], tmp_path: Path, attempts: Attempts) -> None:
    for held in ("held", "closed"):
        command = [sys.executable, "-c", PARENT, str(tables["t"].files[0]), str(tmp_path / "x.parquet"), held]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            child = psutil.Process(int(parent.stdout.readline()))
            parent.kill()
            parent.wait()
            begun = time.monotonic()
            while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() - begun < 5:
                time.sleep(0.02)
        attempts.tried("contained", f"its worker is killed, socket {held}", held=time.monotonic() - begun < 2)


def test_a_child_ends_when_its_parent_hangs_up(attempts: Attempts) -> None:
    child = Child(600_000_000, 0, preload=False)
    child._socket.close()
    begun = time.monotonic()
    child._process.wait(20)
    attempts.tried("contained", "a child without a parent", held=time.monotonic() - begun < 20)


def test_a_thousand_calls_leave_nothing_behind(attempts: Attempts) -> None:
    with contained.children.one(Limits()) as child:
        before = len(list(Path("/proc/self/fd").iterdir()))
        pid = child.pid
    for _ in range(1000):
        contained.warm(Limits())
        with contained.children.one(Limits()) as child:
            assert child.pid == pid
    same = len(list(Path("/proc/self/fd").iterdir())) == before
    attempts.tried("contained", "a thousand calls", held=same and len(contained.children._idle) == 1)


def test_calls_side_by_side_have_a_child_each_of_which_one_stays(
    made: Callable[..., object], tables: dict[str, Table], tmp_path: Path, attempts: Attempts
) -> None:
    results: list[object] = []

    def one(number: int) -> None:
        sql = f"select count(*) + {number} as n from t a, t b"
        results.append(build.build(Model("x", sql, "", ("t",)), tables, tmp_path / f"{number}.parquet", "UTC").rows)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = len(contained.children._idle) == 1 and not contained.children._busy
    lives = contained.children._idle[0].used > 0  # the thread that asked for it has ended
    time.sleep(0.2)
    attempts.tried("contained", "four threads", held=results == [1] * 4 and left and lives and works(made))
