"""The Celery app and its worker: a message wakes a thread up, the database says whether there is work."""

import logging
import os
import socket
import threading
import time
import traceback
import uuid
from pathlib import Path
from typing import Any

import psutil
from celery import Celery
from celery.app.trace import setup_worker_optimizations
from celery.worker import WorkController

from core.errors import AtlasError, Cancelled, LeaseLost
from engine import inproc, pipeline
from engine.home import Home
from engine.store import lineage, runs
from engine.sweep import EVERY_SECONDS, sweep

log = logging.getLogger("atlas.worker")

PULSE_SECONDS = 0.5
HOST = socket.gethostname()


def celery_app(home: Home) -> Celery:
    """Celery, set up so that it only carries wake-ups: acknowledged early, kept nowhere, results nowhere."""
    url = home.settings.broker_url.get_secret_value()
    app = Celery("atlas", broker=url, set_as_current=False)
    app.conf.update(
        # an embedded broker is shared by the whole process: each engine in it listens to its own queue
        task_default_queue=f"atlas-{uuid.uuid4().hex}" if url == inproc.URL else "atlas",
        task_ignore_result=True,
        task_acks_late=False,  # the lease is the only recovery
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
    )
    return app


class Wakeups:
    """Sends the wake-up calls that are due. Any process may send any of them, and twice does no harm."""

    def __init__(self, home: Home, app: Celery) -> None:
        self.home, self.app = home, app

    def send(self) -> None:
        with self.home.database.read() as db:
            if not runs.has_due(db):
                return
        with self.home.database.write() as db:
            due = runs.due(db)
        for part in due:
            self.app.send_task("atlas.work", (part,))


class Held:
    """A claim that this process works on, and what the pulse has heard about it."""

    def __init__(self, claim: runs.Claim) -> None:
        self.claim, self.rows, self.cancelled, self.lost = claim, 0, False, False

    def progress(self, rows: int) -> None:
        """To be called between batches. Raises Cancelled or LeaseLost when this work is no longer wanted."""
        self.rows = rows
        if self.lost:
            raise LeaseLost(f"Run `#{self.claim.run}` was taken over by another worker.")
        if self.cancelled:
            raise Cancelled(f"Run `#{self.claim.run}` was cancelled.")


class Worker:
    """Works on whatever part is ready: a Celery consumer with threads, and a pulse that keeps leases alive."""

    def __init__(self, home: Home, app: Celery) -> None:
        self.home, self.app = home, app
        self.wakeups = Wakeups(home, app)
        self.owner = f"{PLACE}:{os.getpid()}:{_started(os.getpid())}"
        self._held: dict[tuple[int, int], Held] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._controller: WorkController | None = None
        self._threads: list[threading.Thread] = []
        app.task(self.work, name="atlas.work", shared=False)

    def start(self) -> None:
        """Starts to work in threads of this process, once."""
        with self._lock:
            if self._controller is not None:
                return
            self._controller = _Controller(
                app=self.app, pool_cls="threads", concurrency=self.home.settings.workers,
                hostname=f"atlas@{HOST}-{os.getpid()}", loglevel="ERROR", without_heartbeat=True,
                without_mingle=True, without_gossip=True, task_events=False,
            )  # fmt: skip
            targets = [self._controller.start, self._pulse, self._sweep]
            if self.home.settings.marquez_url:
                targets.append(self._forward)
            for target in targets:
                self._threads.append(threading.Thread(target=target, name=f"atlas-{target.__name__}", daemon=True))
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There may be something to do: works on it from here on."""
        self.start()
        self.wakeups.send()

    def stop(self, seconds: float = 3.0) -> bool:
        """Lets running parts end, for so long; False if some still run: their leases will end."""
        if self._controller is None:
            return True
        stopping = threading.Thread(target=self._controller.stop, daemon=True)
        stopping.start()
        end = time.monotonic() + seconds
        while stopping.is_alive() and time.monotonic() < end:
            inproc.stir()
            stopping.join(0.02)
        self._stopping.set()  # the pulse goes last: what still ran was kept alive by it
        return not stopping.is_alive()

    def wait(self) -> None:
        """Works until something stops it."""
        while not self._stopping.wait(1):
            pass

    def work(self, part: int) -> None:
        """Does one part if nobody else does, and wakes others for what follows from it."""
        with self.home.database.write() as db:
            claim = runs.claim(db, part, self.owner, self.home.settings.lease_seconds)
        if claim is None:
            return
        held = self._held[claim.part, claim.token] = Held(claim)
        try:
            self._attempt(held)
        finally:
            del self._held[claim.part, claim.token]
        self.wakeups.send()

    def _attempt(self, held: Held) -> None:
        claim = held.claim
        try:
            pipeline.work(self.home, claim, held.progress)
        except LeaseLost as error:
            log.warning("%s", error.message)
        except Cancelled:
            self._end(claim, "cancelled")
        except AtlasError as error:
            if error.retry and claim.attempt < runs.MOST_TRIES:
                self._try_again(claim)
                return
            tries = f" after {claim.attempt} tries" if error.retry and claim.attempt > 1 else ""
            facts = {"code": error.code, "message": error.message, "hint": error.hint, "tries": tries}
            self._end(claim, "failed", {**facts, "step": claim.step})
        except Exception as error:  # noqa: BLE001 - a bug in one part must end its run, not the worker
            reference = uuid.uuid4().hex[:8]
            # the message of a library's exception may quote a cell, so only its kind and place are logged
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error(
                "bug %s in step %s of run %s: %s\n%s", reference, claim.step, claim.run, type(error).__name__, frames
            )
            message = f"A bug in Atlas stopped `{claim.step}`: {type(error).__name__}, reference {reference}."
            facts = {"code": "bug", "message": message, "hint": "The log has more under this reference.", "tries": ""}
            self._end(claim, "failed", {**facts, "step": claim.step})

    def _end(self, claim: runs.Claim, state: str, error: dict[str, Any] | None = None) -> None:
        """Ends the run, if its part is still this worker's."""
        try:
            with self.home.database.write() as db:
                runs.hold(db, claim)
                pipeline.end(self.home, db, claim.run, state, error)
        except LeaseLost as lost:
            log.warning("%s", lost.message)

    def _try_again(self, claim: runs.Claim) -> None:
        try:
            with self.home.database.write() as db:
                runs.try_again(db, claim)
        except LeaseLost as lost:
            log.warning("%s", lost.message)

    def _pulse(self) -> None:
        while not self._stopping.wait(PULSE_SECONDS):
            try:
                for held in list(self._held.values()):
                    self._keep(held)
                self._reap()
                self.wakeups.send()
            except Exception as error:  # noqa: BLE001 - the pulse must outlive a database that is away for a while
                log.warning("pulse: %s", type(error).__name__)

    def _sweep(self) -> None:
        while True:
            try:
                sweep(self.home)
            except Exception as error:  # noqa: BLE001 - what cannot be swept today is swept another day
                log.warning("sweep: %s", type(error).__name__)
            if self._stopping.wait(EVERY_SECONDS):
                return

    def _forward(self) -> None:
        from engine.lineage.forward import keep_forwarding  # OpenLineage: loaded where it is wanted

        def unsent() -> list[tuple[int, dict[str, Any]]]:
            with self.home.database.read() as db:
                return lineage.unsent(db)

        def sent(event: int) -> None:
            with self.home.database.write() as db:
                lineage.sent(db, event)

        keep_forwarding(str(self.home.settings.marquez_url), unsent, sent, self._stopping)

    def _reap(self) -> None:
        with self.home.database.read() as db:
            if not runs.expired(db, is_dead):
                return
        with self.home.database.write() as db:
            for run in runs.reap(db, is_dead):
                pipeline.report_end(self.home, db, run)

    def _keep(self, held: Held) -> None:
        try:
            with self.home.database.write() as db:
                held.cancelled = runs.pulse(db, held.claim, held.rows, self.home.settings.lease_seconds)
        except LeaseLost:
            held.lost = (held.claim.part, held.claim.token) in self._held  # else it was completed a moment ago


def is_dead(owner: str) -> bool:
    """Whether a worker of this machine is gone; of others only the lease tells."""
    place, pid, started = owner.rsplit(":", 2)
    return place == PLACE and _started(int(pid)) != started


def _place() -> str:
    """This machine since its last start, and which processes it shows: containers share a name, never this."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return HOST


def _started(pid: int) -> str | None:
    """When a process started, by a clock that nobody sets; None if there is none of that number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return None


PLACE = _place()


class _Controller(WorkController):
    """Celery's worker without its program around it, which would own the signals and the log."""

    def on_before_init(self, **_: object) -> None:
        # threads of the pool find their tasks through this; Celery allows one such app a process
        setup_worker_optimizations(self.app, self.hostname)
