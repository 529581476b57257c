"""One trial: a run comes to a point, a fault happens there, and what must be true afterwards is looked at."""

import contextlib
import os
import random
import shutil
import signal
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import polars as pl
from celery import Celery
from kombu.exceptions import OperationalError as BrokerAway

from engine.faults import POINTS, STEPS
from engine.sweep import sweep
from engine.worker import celery_app
from tests.crash.cluster import AHEAD, Cluster, wait_for

FAULTS = (
    "worker killed", "worker stopped", "API killed", "Redis emptied", "Redis restarted", "PostgreSQL restarted",
    "every task twice", "delivery delayed", "two schedulers", "clock set back",
)  # fmt: skip
STOPS = ("worker stopped", "clock set back")
NOTHING = "nothing"  # no fault: a run without any comes to the point too
PATIENCE = 60.0  # seconds from the fault to the end of the run
DAY = 86_400
FILES, ROWS_A_FILE = 4, 240
OUT = FILES * ROWS_A_FILE * 7 // 8  # every eighth row breaks a hard rule
COUNTS = [FILES * (ROWS_A_FILE + 1), OUT, FILES * (ROWS_A_FILE // 8 + 1)]  # in, out, rejected: one row a file is none
CHANGED = [n * (FILES - 1) // FILES for n in (FILES * ROWS_A_FILE, OUT, FILES * ROWS_A_FILE // 8)]  # of a table's rows
PIPELINE = """name: {name}
owner: web-team
source: {source}
key: [id]
quality:
  uniqueness: [id]
  validity: [{{column: country, values: [Denmark, Sweden]}}]
  reject_rows: [validity]
privacy: {{columns: {{code: keep}}}}
"""
MODEL = "-- By country\nselect country, count(*) as n, sum(amount) as amount from {name} group by 1 order by 1\n"
CSV = "{{connector: csv, path: {name}-*.csv}}"
TABLE = "{{connector: postgres, dsn: '${{secret:SHOP_DSN}}', table: {name}, cursor: changed}}"
MAKE_TABLE = """
CREATE TABLE {name} (id int PRIMARY KEY, email text, country text, amount numeric, code text, changed int)
"""
FAILS = "name: {name}\nowner: web-team\nsource: {{connector: csv, path: nothing-there.csv}}\n"


@dataclass
class Trial:
    point: str
    fault: str
    violations: list[str] = field(default_factory=list)
    state: str = ""
    seconds: float = 0.0
    killed_api: bool = False
    statuses: Counter[str] = field(default_factory=Counter)


def means_something(point: str, fault: str) -> str:
    """Why a fault means nothing at a point; empty if it does."""
    if fault == "two schedulers" and point.startswith(("start.committed", "remask", "again", "cancel", "end")):
        return "no schedule starts this"
    return ""


class Matrix:
    """Trials one after another on one cluster."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster, self.random = cluster, random.Random(seed)
        self.celery: Celery = celery_app(cluster.home)
        self._count = 0
        self.pipeline("things")
        self.schedule("things")
        number = self.start("things")
        assert self.ended(number, PATIENCE) == "succeeded", self.why(number)
        self.expected = self.published("things"), self.published("things_model")
        assert self.expected[0].height == OUT
        assert self.expected[0]["id"].n_unique() == self.expected[0].height

    # what there is to run

    def pipeline(self, name: str) -> None:
        for file in range(FILES):
            lines = ["id,email,country,amount,code", *(",".join(row) for row in _rows(file))]
            lines.insert(17, "1,2,3,4,5,6,7,8")  # no row of this table
            path = self.cluster.pipelines / f"{name}-{file}.csv"
            path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        self._write(name, CSV)

    def table(self, name: str) -> None:
        """A pipeline over a table that will change: it lacks the last file's rows, and those of all but the first are
        others than they will be."""
        self.cluster.rows(MAKE_TABLE.format(name=name))
        self._insert(name, [(*row, "0") for row in _rows(0)])
        early = [row for file in range(1, FILES - 1) for row in _rows(file)]
        self._insert(name, [(number, email, "Sweden", "0.25", code, "1") for number, email, _, _, code in early])
        self._write(name, TABLE)

    def change(self, name: str) -> None:
        """What is in the table is then what is in the files."""
        self.cluster.rows(f"delete from {name} where changed > 0")
        self._insert(name, [(*row, "2") for file in range(1, FILES) for row in _rows(file)])

    def _insert(self, name: str, rows: list[tuple[str, ...]]) -> None:
        self.cluster.rows(f"insert into {name} values " + ", ".join(map(str, rows)))

    def _write(self, name: str, source: str) -> None:
        folder = self.cluster.pipelines
        (folder / "navigate" / f"{name}_model.sql").write_text(MODEL.format(name=name), encoding="utf-8")
        (folder / f"{name}.yml").write_text(
            PIPELINE.format(name=name, source=source.format(name=name)), encoding="utf-8"
        )

    def fails(self, name: str) -> None:
        (self.cluster.pipelines / f"{name}.yml").write_text(FAILS.format(name=name), encoding="utf-8")

    def forget(self, name: str) -> None:
        for path in (*self.cluster.pipelines.glob(f"{name}*"), *self.cluster.pipelines.glob(f"navigate/{name}*")):
            path.unlink()
        self.cluster.rows("delete from schedule where pipeline = :name", name=name)
        self.cluster.rows(f"drop table if exists {name}")

    def schedule(self, name: str) -> None:
        answer = self.cluster.client.put(f"/api/v1/schedules/{name}", json={"cron": "0 0 1 1 *"})
        assert answer.status_code == 200, answer.text

    def due(self, name: str) -> None:
        """It is time for the schedule of a pipeline."""
        self.cluster.rows("update schedule set next_at = clock_timestamp() where pipeline = :name", name=name)

    # asking for runs, as patiently as a script would

    def start(self, name: str) -> int:
        return int(self._ask("POST", "/api/v1/runs", json={"pipeline": name})["run"])

    def rule(self, name: str) -> None:
        """A ruling that masks at once what is published."""
        self._ask("POST", f"/api/v1/datasets/{name}/pii/rulings", json={"column": "code", "type": "PERSON"})

    def cancel(self, number: int) -> None:
        self._ask("POST", f"/api/v1/runs/{number}/cancel")

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        end = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.cluster.client.request(method, path, headers=key, **more)
            except httpx.TransportError:
                told = "no answer"
            else:
                told = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 300 or (answer.status_code == 409 and path.endswith("/cancel")):  # it has ended
                    return dict(answer.json())
                if "This was done already" in answer.text:  # by an API that was killed before it answered
                    return {"run": self.newest()}
                assert answer.status_code in (409, 503), told
            assert time.monotonic() < end, told
            time.sleep(0.2)

    # what became of them

    def newest(self) -> int:
        return int(self.cluster.rows("select coalesce(max(id), 0) from run")[0][0])

    def state(self, number: int) -> str:
        return str(self.cluster.rows("select state from run where id = :n", n=number)[0][0])

    def why(self, number: int) -> str:
        return str(self.cluster.rows("select state, error from run where id = :n", n=number))

    def ended(self, number: int, seconds: float) -> str:
        wait_for(lambda: self.state(number) not in ("queued", "running"), seconds, 0.1)
        return self.state(number)

    def published(self, name: str) -> pl.DataFrame:
        """What readers of a dataset see, sorted."""
        paths = self.cluster.rows(
            "select f.path from dataset d join version_file f on f.version_id = d.current_version_id "
            "where d.name = :name order by f.ordinal", name=name,
        )  # fmt: skip
        frames = [pl.read_parquet(path) for (path,) in paths]
        frame = pl.concat(frames)
        return frame.sort(frame.columns)

    # a trial

    def trial(self, point: str, fault: str) -> Trial:
        trial = Trial(point, fault)
        self.cluster.clear()
        self.cluster.heal()
        self.cluster.set_clock(AHEAD)
        active = "select 1 from run where state in ('queued', 'running')"
        wait_for(lambda: not self.cluster.rows(active), PATIENCE, 0.2)  # what the last one left
        before = self.newest()
        with self._asking(trial):
            try:
                _Course(self, trial, before).go()
            except AssertionError as error:
                trial.violations.append(str(error) or "an assertion")
            finally:
                self.cluster.go()
                for process in self.cluster.processes:
                    if process.is_alive():
                        os.kill(process.pid, signal.SIGCONT)
        return trial

    @contextmanager
    def _asking(self, trial: Trial) -> Iterator[None]:
        """Somebody looks at the runs all the time: what they are answered is no 500."""
        ended = threading.Event()

        def asks() -> None:
            with httpx.Client(base_url=self.cluster.client.base_url, headers=self.cluster.client.headers) as client:
                while not ended.wait(0.3):
                    try:
                        answer = client.get("/api/v1/runs?limit=2", timeout=30)
                    except httpx.TransportError:
                        trial.statuses["none"] += 1
                        continue
                    trial.statuses[str(answer.status_code)] += 1
                    if answer.status_code == 503 and "Retry-After" not in answer.headers:
                        trial.statuses["503 without Retry-After"] += 1

        thread = threading.Thread(target=asks)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        wrong = [status for status in trial.statuses if status not in ("200", "503", "none")]
        if trial.statuses["none"] and not trial.killed_api:
            wrong.append("none")
        if wrong:
            trial.violations.append(f"the API answered {', '.join(wrong)}")

    def check(self, trial: Trial, before: int, expected: set[str], names: tuple[str, ...], counted: list[int]) -> None:
        """What must be true when all is over."""
        said = trial.violations.append
        rows = self.cluster.rows
        runs = rows(
            "select id, pipeline, state, rows_in, rows_out, rows_rejected, error from run where id > :n order by id",
            n=before,
        )  # fmt: skip
        for number, name, state, *counts, error in runs:
            trial.state = trial.state or state
            if state not in expected:
                said(f"run {number} of {name} is {state}: {(error or {}).get('message')}")
            masking = rows("select 1 from part where run_id = :n and step = 'remask'", n=number)
            if state == "succeeded" and counts != ([OUT, OUT, 0] if masking else counted):
                said(f"run {number}: {counts} rows in, out, rejected")
            many = rows("select count(*) from version where run_id = :n and dataset = :d", n=number, d=name)[0][0]
            if many != (state == "succeeded") and not (state in ("failed", "cancelled") and many == 1):
                said(f"run {number} of {name} published {many} versions")
            kinds = Counter(
                kind for (kind,) in rows(
                    "select body->>'eventType' from lineage_event where run_id = :n "
                    "and body->'job'->>'name' = :name", n=number, name=name,
                )
            )  # fmt: skip
            if kinds["START"] > 1 or kinds["COMPLETE"] != (state == "succeeded"):
                said(f"run {number} was reported {dict(kinds)}")
        if rows("select 1 from run where state in ('queued', 'running')"):
            said("a run goes on")
        if rows("select 1 from part where state in ('ready', 'running')"):
            said("a part is still ready or running")
        if twice := rows(
            "select run_id, dataset from version where run_id > :n group by 1, 2 having count(*) > 1", n=before
        ):
            said(f"published twice by one run: {[tuple(row) for row in twice]}")
        if rows("select 1 from version group by dataset, number having count(*) > 1"):
            said("a version's number twice")
        for name in names:
            self._same_data(trial, name)
        if not wait_for(lambda: not rows("select 1 from lineage_event where forwarded_at is null"), 70, 0.2):
            said("a lineage event was not forwarded")
        self._no_orphans(trial)

    def _same_data(self, trial: Trial, name: str) -> None:
        for suffix, expected in zip(("", "_model"), self.expected, strict=True):
            seen = self.published(name + suffix).drop("changed", strict=False)
            if "code" in seen.columns:  # rulings mask it
                seen, expected = seen.drop("code"), expected.drop("code")
            if not seen.equals(expected):
                trial.violations.append(f"{name + suffix} is not what a run without faults publishes")

    def _no_orphans(self, trial: Trial) -> None:
        home = self.cluster.home
        sweep(home, time.time() + 2 * DAY)
        listed = {
            path for (path,) in self.cluster.rows(
                "select path from version_file f join dataset d on d.current_version_id = f.version_id"
            )
        }  # fmt: skip
        zones = (home.settings.charted_zone, home.settings.warehouse)
        left = [str(path) for zone in zones for path in zone.rglob("*") if path.is_file() and str(path) not in listed]
        done = self.cluster.rows("select run_id, step, ordinal, token from part where state = 'done'")
        kept = {
            f"run-{run}/{'rejected-' if step == 'rejects' else ''}{ordinal:05d}-{token}"
            for run, step, ordinal, token in done if step in ("explore", "rejects")
        }  # fmt: skip
        raw = [path for path in home.settings.raw_zone.glob("*/*/*") if path.is_file()]
        left += [
            str(path) for path in raw
            if not any(f"{path.parent.name}/{path.name}".startswith((f"{k}-", f"{k}.")) for k in kept)
        ]  # fmt: skip
        if left:
            trial.violations.append(f"{len(left)} files are left over, like {Path(left[0]).name}")


class _Course:
    """How a run is brought to a point, the fault there, and its end."""

    def __init__(self, matrix: Matrix, trial: Trial, before: int) -> None:
        self.matrix, self.trial, self.before = matrix, trial, before
        self.cluster, self.point, self.fault = matrix.cluster, trial.point, trial.fault
        self.names: tuple[str, ...] = ("things",)
        self.counted = COUNTS
        self.expected = {"succeeded"}  # "or failed" would do; one fault is no reason to fail
        self.dues = self.firings = 0
        self.asking: list[threading.Thread] = []
        self.refused: list[Exception] = []

    def go(self) -> None:
        in_the_api = self.point.startswith(("start.", "cancel."))
        kills = self.fault == "worker killed" and not in_the_api
        kills |= self.fault == "API killed" and in_the_api
        self.order = "kill" if kills else "stop" if self.fault in STOPS else "hold"
        self.firings = self._firings()
        with self._twice():
            pid = self._come_to_the_point()
            begun = time.monotonic()
            self._fault(pid)
            self.cluster.go()
            self._ends(begun)
        assert self.trial.seconds < PATIENCE, f"over {self.trial.seconds:.0f} s after the fault"
        self.cluster.clear()  # an order that nobody took is taken back
        self.cluster.heal()
        if self.dues:
            came = wait_for(lambda: self._firings() - self.firings >= self.dues, 20, 0.1)
            assert came, f"{self.dues} times were due and {self._firings() - self.firings} were fired"
            time.sleep(1.2)
            assert self._firings() - self.firings == self.dues, (
                f"{self._firings() - self.firings} firings of {self.dues}"
            )
            self._ends(time.monotonic())
        self.matrix.check(self.trial, self.before, self.expected, self.names, self.counted)
        for name in self.names:
            if name != "things":
                self.matrix.forget(name)

    def _firings(self) -> int:
        return int(self.cluster.rows("select count(*) from audit where through = 'schedule'")[0][0])

    # to the point

    def _come_to_the_point(self) -> int:
        """Starts what comes to the point; the process that is there."""
        kind = self.point.split(".")[0]
        if kind == "remask":
            name = self._one_of_its_own(self.matrix.pipeline)
            number = self.matrix.start(name)
            assert self.matrix.ended(number, PATIENCE) == "succeeded", self.matrix.why(number)
            self.cluster.order(self.point, self.order)
            self._ask(self.matrix.rule, name)
        elif kind == "merge":
            name = self._one_of_its_own(self.matrix.table)
            number = self.matrix.start(name)
            assert self.matrix.ended(number, PATIENCE) == "succeeded", self.matrix.why(number)
            self.before, self.counted = number, CHANGED
            self.matrix.change(name)
            self.matrix.schedule(name)
            self.cluster.order(self.point, self.order)
            self._start()
        elif kind == "again":
            target = self.cluster.pipelines / "things-2.csv"
            good = target.read_bytes()
            target.unlink()
            # the path of a socket may not be long
            with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(target.parent):
                listener.bind(target.name)
            self.cluster.order(self.point, self.order)
            self._ask(self.matrix.start, "things")
            try:
                return self._somebody_at(self.point)
            finally:
                target.unlink()
                target.write_bytes(good)
        elif kind == "end":
            self.expected, self.names = {"failed"}, ()
            name = self._one_of_its_own(self.matrix.fails)
            self.names = ()
            self.cluster.order(self.point, self.order)
            self._ask(self.matrix.start, name)
        elif kind in ("cancel", "pulse"):
            self.cluster.order("chart.begun", "hold")
            self._start()
            self._somebody_at("chart.begun")
            self.cluster.order(self.point, self.order)
            if kind == "cancel":
                self.expected |= {"cancelled"}
                self._ask(self.matrix.cancel, self.matrix.newest())
        elif kind == "reap":
            self.cluster.order(self.point, self.order)
            self.cluster.order("chart.begun", "kill")
            self._start()
            killed = self.cluster.with_pid(self._somebody_at("chart.begun"))
            killed.kill()
            killed.start()  # the fault may kill the other one
        elif kind == "schedule":
            self.cluster.order(self.point, self.order)
            self._due()
        elif kind == "sweep":
            self._orphan()
            self.cluster.order(self.point, self.order)
            worker = self.matrix.random.choice(self.cluster.of("worker"))
            worker.stop()
            worker.start()
            self._start()
        else:
            self.cluster.order(self.point, self.order)
            self._start()
        return self._somebody_at(self.point)

    def _start(self) -> None:
        if self.fault == "two schedulers":
            self._due()
        else:
            self._ask(self.matrix.start, self.names[0])

    def _due(self) -> None:
        self.dues += 1
        self.matrix.due(self.names[0])

    def _ask(self, what: Any, *about: Any) -> None:
        """Asks the API in a thread: it may be held in the middle of its answer."""

        def asks() -> None:
            try:
                what(*about)
            except (AssertionError, httpx.HTTPError) as error:
                self.refused.append(error)

        thread = threading.Thread(target=asks)
        thread.start()
        self.asking.append(thread)

    def _one_of_its_own(self, make: Any) -> str:
        self.matrix._count += 1
        name = f"own{self.matrix._count}"
        make(name)
        self.names = (name,)
        return name

    def _orphan(self) -> None:
        good = next(self.cluster.home.settings.charted_zone.glob("things/*.parquet"))
        orphan = good.with_name("run-1-99999-1.parquet")
        shutil.copy(good, orphan)
        os.utime(orphan, (time.time() - 3 * DAY,) * 2)

    def _somebody_at(self, point: str) -> int:
        found: int | None = wait_for(lambda: self.cluster.at(point), 40)
        assert found, f"nobody came to {point}"
        return found

    # the fault

    def _fault(self, pid: int) -> None:
        match self.fault:
            case "worker killed":
                if self.order == "kill":
                    killed = self.cluster.with_pid(pid)
                    killed.kill()
                    if killed.kind == "api":  # it had a wake-up call to send
                        self.trial.killed_api = True
                        killed.start()
                else:
                    self.matrix.random.choice(self.cluster.of("worker")).kill()
            case "worker stopped" | "clock set back":
                stopped = self.cluster.with_pid(pid)
                if self.fault == "clock set back":
                    self.cluster.set_clock(AHEAD - 60)  # by it, the lease of the one that is stopped ends in an hour
                    if stopped.kind != "api" and self.matrix.newest() > self.before:  # else there is nothing to take
                        assert wait_for(self._over, PATIENCE), f"nobody took over within {PATIENCE:.0f} s"
                time.sleep(2.5 * self.cluster.home.settings.lease_seconds)
                done = stopped.parts_done()
                os.kill(pid, signal.SIGCONT)
                if self.point.split(".")[0] in (*STEPS, "claim"):  # what it does too late is done before we look
                    assert wait_for(lambda: stopped.parts_done() > done, 30), "the stopped worker did not go on"
            case "API killed":
                self.trial.killed_api = True
                self.cluster.of("api")[0].kill()
                self.cluster.of("api")[0].start()
            case "Redis emptied":
                with self.cluster.redis.client() as client:
                    client.flushall()
            case "Redis restarted":
                self.cluster.redis.restart()
            case "PostgreSQL restarted":
                self.cluster.postgres.restart(self.matrix.random.choice((signal.SIGQUIT, signal.SIGINT)))
            case "delivery delayed":
                with self.cluster.redis.client() as client:
                    client.client_pause(int(1500 * self.cluster.home.settings.lease_seconds))
            case "two schedulers":
                if self.point == "schedule.due":  # by another, else both times would be one that was missed
                    wait_for(lambda: self._firings() > self.firings, 20)
                self._ask(self._due)  # the one that is held may hold the schedule
            case "every task twice":
                time.sleep(0.3)
            case "nothing":
                pass

    @contextmanager
    def _twice(self) -> Iterator[None]:
        """Delivers every task again, in each state that its part is seen in."""
        if self.fault != "every task twice":
            yield
            return
        ended = threading.Event()

        def sends() -> None:
            sent: set[tuple[int, str]] = set()
            while not ended.wait(0.03):
                query = "select id, state from part where run_id > :n"
                for part, state in self.cluster.rows(query, n=self.before):
                    if (part, state) not in sent:
                        sent.add((part, state))
                        try:
                            self.matrix.celery.send_task("atlas.work", (part,))
                        except BrokerAway:
                            sent.discard((part, state))

        thread = threading.Thread(target=sends)
        thread.start()
        try:
            yield
        finally:
            time.sleep(0.2)
            ended.set()
            thread.join()

    # the end

    def _ends(self, begun: float) -> None:
        for thread in self.asking:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a request was not answered"
        if self.refused:
            raise self.refused[0]
        left = max(1.0, begun + PATIENCE - time.monotonic())

        over_in_time = wait_for(self._over, left, 0.1)
        self.trial.seconds = max(self.trial.seconds, time.monotonic() - begun)
        assert over_in_time, f"not over {PATIENCE:.0f} s after the fault"

    def _over(self) -> bool:
        states = [state for (state,) in self.cluster.rows("select state from run where id > :n", n=self.before)]
        return bool(states) and not {"queued", "running"} & set(states)


def _rows(file: int) -> list[tuple[str, ...]]:
    rows = []
    for n in range(ROWS_A_FILE):
        country = ("Nowhere", "Denmark", "Sweden", "Denmark")[n % 4] if n % 8 < 4 else "Sweden"
        number = file * ROWS_A_FILE + n
        rows.append((f"{number}", f"person{number}@mail.example", country, f"{n}.25", f"Code{number:05d}"))
    return rows


def all_trials() -> list[tuple[str, str]]:
    return [(point, fault) for point in POINTS for fault in FAULTS if not means_something(point, fault)]
