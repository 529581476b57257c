"""The Celery app and its worker: a message wakes a thread up, the database says whether there is work."""

import contextlib
import logging
import os
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.app.trace import setup_worker_optimizations
from celery.worker import WorkController
from kombu.exceptions import OperationalError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from structlog.contextvars import bound_contextvars

from core.errors import AtlasError, Cancelled, DatabaseAway, LeaseLost, Misconfigured
from engine import faults
from engine.duties import Apart, Duties, Duty, words
from engine.home import Home, may_work
from engine.navigate import warehouse
from engine.runs import broker, course, follow_ups, owner, process
from engine.runs.sweep import EVERY_SECONDS, sweep
from engine.sql import child
from engine.store import facts, leases, lineage
from engine.store.database import is_away

log = logging.getLogger("atlas.worker")

PULSE_SECONDS = 0.5
LOOK_SECONDS = 5.0  # between two looks whether this process may work
PATIENCE = {"socket_timeout": 5, "socket_connect_timeout": 5}  # time-outs of Redis, in seconds
AWAY_SECONDS = 30.0  # how long a broker that did not answer is left alone
LAST = 19  # the niceness of what has the least right to a core


def celery_app(home: Home) -> Celery:
    """Celery, set up so that it only carries wake-ups: acknowledged early, kept nowhere, results nowhere."""
    url = home.settings.broker_url.get_secret_value()
    app = Celery("atlas", broker=url, set_as_current=False)
    app.conf.update(
        # an embedded broker is shared by the whole process: each engine in it listens to its own queue
        task_default_queue=f"atlas-{uuid.uuid4().hex}" if url == broker.URL else "atlas",
        task_ignore_result=True,
        task_publish_retry=False,  # no retry: the sender does the work itself, or sends again soon
        task_acks_late=False,  # the lease is the only recovery
        worker_prefetch_multiplier=1,
        worker_enable_prefetch_count_reduction=False,  # after a lost connection a consumer took no message any more
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # else its consumer would end for good after an hour without a broker
        # one that is away or hangs must hold up neither a request nor the pulse, which keeps leases alive
        broker_transport_options={"max_retries": 0, **(PATIENCE if url.startswith("redis") else {})},
    )
    return app


class Wakeups:
    """Sends the wake-up calls that are due. Any process may send any of them, and twice does no harm."""

    def __init__(self, home: Home, app: Celery, instead: Callable[[int], bool] | None = None) -> None:
        """`instead` is called with the id of a part if the broker is away; returns whether somebody works on it."""
        self.home, self.app, self.instead = home, app, instead
        self._away_until = 0.0  # the broker did not answer
        self._unheard_until = 0.0  # it did, and nobody came

    def send(self, *, late: bool = False, keep: bool = False) -> int | None:
        """Sends the wake-ups that are due.

        `late`: earlier wake-ups were lost or never sent, so any process with a free thread does the part directly.
        `keep`: the first part is not sent but returned, and the caller works on it.
        """
        with self.home.database.read() as db:
            if not leases.has_due(db):
                return None
        with self.home.database.write() as db:
            due = leases.due(db)
        faults.point("wake.taken")
        kept = due.pop(0) if keep and due else None
        for part in due:
            now = time.monotonic()
            away, unheard = now < self._away_until, now < self._unheard_until
            if self.instead is not None and (late or away or unheard) and (self.instead(part) or away):
                self._unheard_until = now + AWAY_SECONDS if late else self._unheard_until
                continue
            try:
                self.app.send_task("atlas.work", (part,))
                faults.point("wake.sent")
            except OperationalError as error:
                if self.instead is None:
                    raise
                log.warning("the broker is away (%s): this process works by itself", type(error).__name__)
                self._away_until = time.monotonic() + AWAY_SECONDS
                self.instead(part)
        return kept

    def try_to_send(self) -> None:
        """Sends them if the broker answers. If not, nothing is lost: the parts stay ready and are sent again."""
        try:
            self.send()
        except OperationalError as error:
            log.warning("wake-up calls wait: %s", type(error).__name__)


class Held:
    """A claim that this process works on, and what the pulse has heard about it."""

    def __init__(self, claim: leases.Claim) -> None:
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

    def __init__(self, home: Home, app: Celery, *, gives_way: bool = False, only_asks: bool = False) -> None:
        """`gives_way`: work threads have a lower priority than the threads that answer people.

        `only_asks`: a person's own process, such as a chat; it may start runs without being able to work on them.
        """
        self.home, self.app, self._gives_way, self.only_asks = home, app, gives_way, only_asks
        self.why_not: Misconfigured | None = None  # why this process does no work
        self._fingerprint = ""  # fingerprint of the masking key in use
        self._started = self._begun = False
        self._told: str | None = None
        self._said = float("-inf")
        self.wakeups = Wakeups(home, app, self._work_here)
        self.owner = owner.this_process()
        self._held: dict[tuple[int, int], Held] = {}
        self._busy: set[int] = set()  # the threads that work on parts
        self._lock = threading.Lock()
        self._ending = False  # running parts may end, no other begins
        self._stopping = threading.Event()
        self._duties = Duties(self._stopping, self._lives)
        self._controller: WorkController | None = None
        self._here = threading.Semaphore(home.settings.workers)
        self._task = app.task(self.work, name="atlas.work", shared=False)

    def start(self) -> None:
        """Starts to work in threads of this process, once; if it may not work, as soon as it may."""
        with self._lock:
            if self._started:
                return
            self._started = True
        child.spawner()  # by a thread that does not give way: the children of others must not
        with contextlib.suppress(SQLAlchemyError):  # the duty of the same name looks again at once
            self._look()
        self._duties.start([Duty("worker lives", LOOK_SECONDS, self._look)])

    def _look(self) -> None:
        """Looks whether this process may work, starts or stops to work, and says so."""
        try:
            self._fingerprint, self.why_not = may_work(self.home), None
        except Misconfigured as error:
            self.why_not = error
        with self._lock:
            begins = self.why_not is None and not self._begun
            self._begun |= begins
        if begins:
            self._duties.start(self._all())
        if self.why_not is not None and (controller := self._controller) is not None:
            self._controller = None
            threading.Thread(target=controller.stop, name="atlas-rest", daemon=True).start()
        told = self.why_not.message if self.why_not else None
        if told != self._told or time.monotonic() - self._said >= process.SEEN_SECONDS:
            if told and told != self._told:
                log.error("this process does no work: %s", told)
            self._lives()
            self._told = told

    def _lives(self) -> None:
        told = self.why_not.message if self.why_not else None
        does = "client" if told and self.only_asks else "worker"
        process.lives(self.home, does, told, self._duties.failing)
        self._said = time.monotonic()

    def _all(self) -> list[Duty]:
        forwards = [Duty("lineage forwarder", 1.0, self._if_it_works(self._forward), longest=60.0)]
        return [
            Duty("consumer", 1.0, self._consume, longest=30.0),
            Duty("leases", PULSE_SECONDS, self._keep_leases),
            Duty("reap", PULSE_SECONDS, self._if_it_works(lambda: course.reap(self.home).end())),
            Duty("wake-ups", PULSE_SECONDS, self._if_it_works(lambda: self.wakeups.send(late=True))),
            Duty("follow-ups", follow_ups.EVERY_SECONDS, self._if_it_works(lambda: follow_ups.try_again(self.home))),
            Duty("sweep", EVERY_SECONDS, self._if_it_works(lambda: sweep(self.home))),
            Duty("warehouse", warehouse.EVERY_SECONDS, self._if_it_works(self._follow)),
            *(forwards if self.home.settings.marquez_url else []),
        ]

    def _if_it_works(self, do: Callable[[], object]) -> Callable[[], None]:
        """A duty that rests while this process may not work."""

        def duty() -> None:
            if self.why_not is None:
                do()

        return duty

    def _consume(self) -> None:
        """Takes wake-up calls until it is stopped."""
        if self.why_not is not None:
            return
        controller = self._controller = _Controller(
            app=self.app, pool_cls="threads", concurrency=self.home.settings.workers,
            hostname=f"atlas@{process.HOST}-{os.getpid()}", loglevel="ERROR", without_heartbeat=True,
            without_mingle=True, without_gossip=True, task_events=False,
        )  # fmt: skip
        if self._ending:
            return
        controller.start()
        if self._controller is controller and not self._ending:
            raise ConsumerEnded

    def wake(self) -> None:
        """There may be something to do: works on it from here on."""
        self.start()
        alone = self.home.settings.broker_url.get_secret_value() == broker.URL
        if self.why_not is None or not alone:  # nobody else would hear a call in this process
            self.wakeups.try_to_send()

    def stop(self, seconds: float = 3.0) -> bool:
        """Lets running parts end, at most so many seconds; False if some still run: their leases will end."""
        if not self._started:
            return True
        self._ending = True
        controller = self._controller
        stopping = threading.Thread(target=controller.stop if controller else lambda: None, daemon=True)
        stopping.start()
        end = time.monotonic() + seconds
        while (stopping.is_alive() or self.working) and time.monotonic() < end:  # some work without a message
            broker.stir()
            time.sleep(0.02)
        self._stopping.set()  # the leases go last: they kept alive what still ran
        for does in ("worker", "client"):
            process.ended(self.home, does)
        return not stopping.is_alive() and not self.working

    @property
    def working(self) -> bool:
        """Whether a part is being worked on here."""
        return bool(self._held)

    def wait(self) -> None:
        """Works until something stops it."""
        while not self._stopping.wait(1):
            pass

    def work(self, part: int) -> None:
        """Does one part if nobody else does, and then others as long as there are any; wakes others for the rest."""
        self._busy.add(threading.get_ident())
        going_on: int | None = part
        try:
            while going_on is not None and self._work(going_on):
                going_on = self._next()
        except DBAPIError as error:
            # ready, it is called again; claimed, its lease ends: nobody keeps it
            log.warning("the database is away (%s): a part waits", type(error.orig).__name__)
        except Exception as error:  # noqa: BLE001 - the lease ends, and the part is tried again or its run is ended
            log.error("a part is left: %s", words(error))
        finally:
            self._busy.discard(threading.get_ident())

    def _next(self) -> int | None:
        """A part to go on with. One that was called may lie with a worker that is busy: its call is not waited for."""
        kept = self.wakeups.send(keep=not self._ending)
        if kept is None and not self._ending:
            with self.home.database.read() as db:
                kept = leases.not_begun(db)
        return kept

    def _work(self, part: int) -> bool:
        """Whether it was there to be worked on."""
        if self._gives_way and sys.platform == "linux":  # there a number of a thread is one of a process, too
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LAST)
        with self.home.database.write() as db:
            if not facts.stands(db, self._fingerprint):
                return False  # the key or the tables are others by now: the next look says so
            claim = leases.claim(db, part, self.owner, self.home.settings.lease_seconds)
            if claim is None:
                return False
            faults.point("claim.saved")
        faults.point("claim.committed")
        held = self._held[claim.part, claim.token] = Held(claim)
        begun = time.perf_counter()
        with bound_contextvars(request=claim.request_id, run=claim.run, part=part, task=self._task.request.id):
            try:
                outcome = self._attempt(held)
            finally:
                del self._held[claim.part, claim.token]
            ms = round((time.perf_counter() - begun) * 1000, 1)
            log.info("worked on a part", extra={"step": claim.step, "outcome": outcome, "ms": ms})
        return True

    def _work_here(self, part: int) -> bool:
        """Works on a part without a message, if a thread is free: no result depends on the broker."""

        def works() -> None:
            try:
                self.work(part)
            finally:
                self._here.release()

        free = len(self._busy) < self.home.settings.workers and not self._ending and self.why_not is None
        if not free or not self._here.acquire(blocking=False):  # it is called again soon
            return False
        threading.Thread(target=works, name="atlas-here", daemon=True).start()
        return True

    def _attempt(self, held: Held) -> str:
        """Works on a part; how that ended, in a word: done, or a code."""
        claim = held.claim
        try:
            course.work(self.home, claim, held.progress)
        except LeaseLost as error:
            log.warning("%s", error.message)
            return error.code
        except Cancelled as error:
            self._end(claim, "cancelled")
            return error.code
        except DBAPIError as error:
            if not is_away(error):
                return self._bug(claim, error)
            log.warning("the database was away (%s): a part is tried again", type(error.orig).__name__)
            return self._after(claim, DatabaseAway("The database did not answer.", hint=f"retry {claim.run}"))
        except AtlasError as error:
            return self._after(claim, error)
        except Exception as error:  # noqa: BLE001 - a bug in one part must end its run, not the worker
            if self._stopping.is_set():  # an interpreter that ends takes its threads away: the lease ends, others go on
                log.warning("a part is left to others (%s): this process ends", type(error).__name__)
                return "left"
            return self._bug(claim, error)
        return "done"

    def _after(self, claim: leases.Claim, error: AtlasError) -> str:
        """A part that came to nothing is tried again, if that can help and was not tried too often."""
        if error.retry and claim.attempt < leases.MOST_TRIES:
            self._try_again(claim)
        else:
            tries = f" after {claim.attempt} tries" if error.retry and claim.attempt > 1 else ""
            told = {"code": error.code, "message": error.message, "hint": error.hint, "tries": tries}
            self._end(claim, "failed", {**told, "step": claim.step})
        return error.code

    def _bug(self, claim: leases.Claim, error: Exception) -> str:
        reference = uuid.uuid4().hex[:8]
        # the message of a library's exception may quote a cell, so only its kind and place are logged
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("bug %s in step %s of run %s: %s\n%s", reference, claim.step, claim.run, type(error).__name__, frames)
        message = f"A bug in Atlas stopped `{claim.step}`: {type(error).__name__}, reference {reference}."
        told = {"code": "bug", "message": message, "hint": "The log has more under this reference.", "tries": ""}
        self._end(claim, "failed", {**told, "step": claim.step})
        return "bug"

    def _end(self, claim: leases.Claim, state: str, error: dict[str, Any] | None = None) -> None:
        """Ends the run, if its part is still this worker's."""
        try:
            with self.home.database.write() as db:
                leases.hold(db, claim)
                course.end(self.home, db, claim.run, state, error)
        except LeaseLost as lost:
            log.warning("%s", lost.message)

    def _try_again(self, claim: leases.Claim) -> None:
        try:
            with self.home.database.write() as db:
                leases.try_again(db, claim)
                faults.point("again.saved")
        except LeaseLost as lost:
            log.warning("%s", lost.message)

    def _keep_leases(self) -> None:
        apart = Apart()
        for held in list(self._held.values()):
            with apart(f"run {held.claim.run}"):
                self._keep(held)
        apart.end()

    def _follow(self) -> None:
        with contextlib.suppress(warehouse.Stopping):
            warehouse.catch_up(self.home, self._stopping)

    def _forward(self) -> None:
        from engine.lineage.forward import forward  # OpenLineage: loaded where it is wanted

        def unsent() -> list[tuple[int, dict[str, Any]]]:
            with self.home.database.read() as db:
                return lineage.unsent(db)

        def sent(event: int) -> None:
            with self.home.database.write() as db:
                lineage.sent(db, event)

        forward(str(self.home.settings.marquez_url), unsent, sent)

    def _keep(self, held: Held) -> None:
        try:
            with self.home.database.write() as db:
                held.cancelled = leases.pulse(db, held.claim, held.rows, self.home.settings.lease_seconds)
            faults.point("pulse.kept")
        except LeaseLost:
            held.lost = (held.claim.part, held.claim.token) in self._held  # else it was completed a moment ago


class ConsumerEnded(Exception):
    """The consumer of wake-up calls ended, and nobody had stopped it."""


class _Controller(WorkController):
    """Celery's worker without its program around it, which would own the signals and the log."""

    def on_before_init(self, **_: object) -> None:
        # threads of the pool find their tasks through this; Celery allows one such app a process
        setup_worker_optimizations(self.app, self.hostname)
