"""One trial: a run is brought to a point, a fault happens there, and it comes to its end."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from kombu.exceptions import OperationalError as BrokerAway

from engine.faults import POINTS, STEPS
from tests.crash.cluster import AHEAD, Cluster, wait_for
from tests.crash.matrix import CHANGED, COUNTS, DAY, PATIENCE, Matrix, Trial

FAULTS = (
    "worker killed", "worker stopped", "API killed", "Redis emptied", "Redis restarted", "PostgreSQL restarted",
    "every task twice", "delivery delayed", "two schedulers", "clock set back",
)  # fmt: skip
STOPS = ("worker stopped", "clock set back")
NOTHING = "nothing"  # no fault: a run without any comes to the point too


def means_something(point: str, fault: str) -> str:
    """Why a fault means nothing at a point; empty if it does."""
    if fault == "two schedulers" and point.startswith(("start.committed", "remask", "again", "cancel", "end")):
        return "no schedule starts this"
    return ""


def tried(matrix: Matrix, point: str, fault: str) -> Trial:
    """A run comes to a point, a fault happens there, and it comes to its end."""
    trial = Trial(point, fault)
    matrix.cluster.clear()
    matrix.cluster.heal()
    matrix.cluster.set_clock(AHEAD)
    active = "select 1 from run where state in ('queued', 'running')"
    wait_for(lambda: not matrix.cluster.rows(active), PATIENCE, 0.2)  # what the last one left
    before = matrix.newest()
    with _asking(matrix.cluster, trial):
        try:
            _Course(matrix, trial, before).go()
        except AssertionError as error:
            trial.violations.append(str(error) or "an assertion")
        finally:
            matrix.cluster.go()
            for process in matrix.cluster.processes:
                if process.is_alive():
                    os.kill(process.pid, signal.SIGCONT)
    return trial


@contextmanager
def _asking(cluster: Cluster, trial: Trial) -> Iterator[None]:
    """Somebody looks at the runs all the time: what they are answered is no 500."""
    ended = threading.Event()

    def asks() -> None:
        with httpx.Client(base_url=cluster.client.base_url, headers=cluster.client.headers) as client:
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
            self.cluster.order(self.point, self.order)
            self.cluster.order("explore.begun", "unavailable")
            self._ask(self.matrix.start, "things")
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


def all_trials() -> list[tuple[str, str]]:
    return [(point, fault) for point in POINTS for fault in FAULTS if not means_something(point, fault)]
