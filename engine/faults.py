"""Points at which a test kills, stops or holds this process, or raises: one for every change of state, every duty and
every follow-up. Elsewhere they do nothing.

Not a setting: nobody who runs Atlas is to switch it on. A test sets the variable to a folder of orders, each a file of
the name of a point; the first process that comes to the point takes it away and obeys. An order to raise stays there.
"""

import os
import signal
import threading
import time
from pathlib import Path

from core.errors import SourceUnavailable

STEPS = ("plan", "explore", "verdicts", "rejects", "contract", "chart", "merge", "publish", "navigate", "remask")
POINTS = (
    "start.saved",  # a run is made, its transaction still open
    "start.committed",  # nobody is woken up yet
    "wake.taken",  # a wake-up call is this process's to send, and is not sent
    "wake.sent",
    "claim.saved",
    "claim.committed",
    *(f"{step}.{moment}" for step in STEPS for moment in ("begun", "written", "saved", "committed")),
    "publish.switched",  # the version is current, its transaction still open
    "navigate.built",  # a model's file is written
    "navigate.switched",
    "navigate.published",
    "pulse.kept",  # a lease was extended
    "again.saved",  # a part goes back to be tried again
    "end.saved",  # a run fails, is refused or is cancelled
    "cancel.saved",  # a run is asked to stop
    "reap.found",
    "reap.saved",
    "reap.committed",
    "schedule.due",
    "schedule.saved",
    "schedule.committed",
    "sweep.found",  # something is about to be removed
    "sweep.removed",
    "forward.sent",  # a lineage event has arrived, and is not marked
    "forward.marked",
)
DUTIES = (
    "worker lives", "consumer", "leases", "reap", "wake-ups", "follow-ups", "sweep", "warehouse", "lineage forwarder",
    "scheduler lives", "schedule files", "schedules", "alerts",
)  # fmt: skip
FOLLOW_UPS = ("lineage", "rulings", "alerts")
LONGEST_HOLD = 60.0  # seconds


class Ordered(Exception):
    """A test ordered an error."""


def point(name: str) -> None:
    """A test may end it here."""
    orders = os.environ.get("FAULTS_OF_A_TEST")
    if orders is not None:
        _reached(Path(orders), name)


def _reached(orders: Path, name: str) -> None:
    (orders / "reached" / name).touch()
    if (orders / f"raise-{name}").exists():
        raise Ordered
    taken = orders / f"taken-{os.getpid()}-{name}"
    try:
        (orders / name).rename(taken)  # one process alone succeeds
    except FileNotFoundError:
        return
    order = taken.read_text(encoding="ascii")
    taken.rename(orders / f"at-{os.getpid()}-{name}")
    if order == "hold":
        end = time.monotonic() + LONGEST_HOLD
        while not (orders / "go").exists() and time.monotonic() < end:
            time.sleep(0.01)
    elif order == "unavailable":
        raise SourceUnavailable("A test made the source unavailable.")
    else:
        # to this thread: a signal to the process may find another one, and this one go on for a moment
        signal.pthread_kill(threading.get_ident(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[order])
