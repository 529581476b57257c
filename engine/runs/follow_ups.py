"""What follows the end of a run. Each is on its own: one that fails stops neither the end of the run nor the others.

What failed is kept and tried again by a duty. Until it is done, `/readyz` and a figure name it.
"""

import logging
from collections.abc import Callable

from sqlalchemy.orm import Session

from engine import faults
from engine.alerts import asking
from engine.duties import Apart, Failed, kinds, words
from engine.home import Home
from engine.personal import rulings
from engine.store import follow_ups, lineage, runs
from engine.store.tables import Run

log = logging.getLogger("atlas.runs")

EVERY_SECONDS = 15.0  # between two tries


def _lineage(home: Home, db: Session, run: Run) -> None:
    from engine.lineage import of_runs  # OpenLineage: loaded when there is something to report

    told = of_runs.succeeded if run.state == "succeeded" else of_runs.ended
    lineage.save_events(db, run.id, told(home.settings, run))


def _rulings(_: Home, db: Session, run: Run) -> None:
    """A ruling that came too late for this run is followed by another run, unless masking itself failed."""
    if run.state == "succeeded" or not rulings.is_masking(db, run):
        rulings.mask_again(db, run.pipeline)


def _alerts(home: Home, db: Session, run: Run) -> Apart:
    newest = runs.newest(db, run.pipeline, "succeeded", "refused", "failed")
    if newest is not None and newest.id != run.id:  # a later run has shown more already
        return Apart()
    return asking.after_run(home, db, run)


# each raises an error, or returns what failed and keeps the rest
FOLLOW_UPS: dict[str, Callable[[Home, Session, Run], Apart | None]] = {
    "lineage": _lineage,
    "rulings": _rulings,
    "alerts": _alerts,
}


def follow(home: Home, db: Session, run: Run) -> None:
    """Does all that follows the end of a run, each in a savepoint. What fails is kept, to be tried again."""
    for name in FOLLOW_UPS:
        _follow(home, db, run, name)


def try_again(home: Home) -> None:
    """Tries again what failed after runs. Raises Failed if that cannot even be tried."""
    with home.database.read() as db:
        waiting = follow_ups.waiting(db)
    apart = Apart()
    for number, name in waiting:
        with apart(f"{name} of run {number}"), home.database.write() as db:
            if name not in FOLLOW_UPS or _follow(home, db, runs.locked(db, number), name):
                follow_ups.done(db, number, name)
    apart.end()


def _follow(home: Home, db: Session, run: Run, name: str) -> bool:
    """Whether it was done."""
    apart = Apart()
    with apart(name), db.begin_nested():
        faults.point(f"follow.{name}")
        if done := FOLLOW_UPS[name](home, db, run):
            apart.failures |= done.failures
        db.flush()
    if apart.failures:
        error = Failed(apart.failures)
        if follow_ups.failed(db, run.id, name, kinds(error)):
            log.error("the follow-up %s of run %s fails: %s", name, run.id, words(error))
    return not apart.failures
