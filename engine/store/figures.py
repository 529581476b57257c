"""What the metadata add up to, for those who watch an installation.

What has ended does not change, so it is added up once: `Ended` keeps the sums over all runs that have ended, and each
look adds those that ended since, found by their keys. A look costs the same with a thousand runs and with a million;
only the first one of a process reads them all. (A window of time would be as cheap, but its figures fall as well as
rise, and what happens between two looks would be lost to whoever asks for a rate.)
"""

from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Float, and_, case, cast, extract, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from engine.store import alerts, clock, notices, runs
from engine.store.runs import ACTIVE
from engine.store.tables import Attempts, AuditEntry, LineageEvent, Part, Run, Score, VerdictRow

BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)  # seconds of a step
LATE = 100  # a run may become visible after so many that were numbered after it


@dataclass
class Steps:
    """How long the parts of one step took: how many at most each of BUCKETS, how many in all, and all seconds."""

    within: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    parts: int = 0
    seconds: float = 0.0


@dataclass
class Ended:
    """The sums over all runs that have ended."""

    newest: int = 0  # runs up to this number are in the sums
    open: set[int] = field(default_factory=set)  # but for these
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)  # by pipeline and state
    last_run: dict[str, int] = field(default_factory=dict)  # by pipeline
    rows: Counter[str] = field(default_factory=Counter)  # in, out, rejected
    taken_over: int = 0
    steps: dict[str, Steps] = field(default_factory=dict)
    masked: Counter[str] = field(default_factory=Counter)  # cells by kind of personal data
    scores: dict[str, tuple[int, float | None]] = field(default_factory=dict)  # by dataset: run and score


@dataclass(frozen=True)
class Now:
    """What is so at this moment."""

    runs: dict[str, int]  # active ones by state
    taken_over: int  # active runs that were taken over
    parts: dict[str, int]  # ready and running ones
    waiting: float  # seconds since the run with ready parts that has waited longest moved
    overdue: float  # seconds that a wake-up call should have been sent ago
    failed_sign_ins: int
    blocked_sign_ins: int
    audit_entries: int
    alerts: dict[str, int]  # that have not ended, by state
    notices: tuple[int, float, int]  # overdue messages, seconds the oldest is, and how many could not be sent


def with_ended(db: Session, before: Ended) -> Ended:
    """The sums with the runs that have ended since the last time; those of before stay as they are."""
    so_far = deepcopy(before)
    newest = db.scalar(select(func.max(Run.id))) or 0
    top = range(max(newest - LATE, 0) + 1, newest + 1)
    seen = set(db.scalars(select(Run.id).where(Run.id.in_(top)))) if top else set()
    still = runs.active(db) | (set(top) - seen)  # a missing id is not committed yet, or never will be
    ended = sorted(so_far.open - still)

    def new(run: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        return or_(and_(run > so_far.newest, run <= newest, run.not_in(still)), run.in_(ended))

    _add_runs(db, so_far, new(Run.id))
    _add_steps(db, so_far, new(Part.run_id))
    _add_masked(db, so_far, new(VerdictRow.run_id))
    _add_scores(db, so_far, new(Score.run_id))
    so_far.newest, so_far.open = newest, still
    return so_far


def _add_runs(db: Session, so_far: Ended, new: ColumnElement[bool]) -> None:
    sums = [func.coalesce(func.sum(column), 0) for column in (Run.rows_in, Run.rows_out, Run.rows_rejected)]
    query = select(Run.pipeline, Run.state, func.count(), func.max(Run.id), func.sum(Run.resumed), *sums)
    for pipeline, state, count, last, resumed, *rows in db.execute(query.where(new).group_by(Run.pipeline, Run.state)):
        so_far.runs[pipeline, state] += count
        so_far.last_run[pipeline] = max(last, so_far.last_run.get(pipeline, 0))
        so_far.taken_over += int(resumed)
        so_far.rows.update(dict(zip(("in", "out", "rejected"), map(int, rows), strict=True)))


def _add_steps(db: Session, so_far: Ended, new: ColumnElement[bool]) -> None:
    if db.get_bind().dialect.name == "postgresql":
        took: ColumnElement[float] = cast(extract("epoch", Part.finished_at - Part.started_at), Float)
    else:
        took = (func.julianday(Part.finished_at) - func.julianday(Part.started_at)) * 86400.0
    within = [func.sum(case((took <= most, 1), else_=0)) for most in BUCKETS]
    query = select(Part.step, func.count(), func.sum(took), *within).group_by(Part.step)
    # a part that was taken over from another run was never attempted in this one
    for step, count, seconds, *counts in db.execute(query.where(new, Part.state == "done", Part.attempt > 0)):
        sums = so_far.steps.setdefault(step, Steps())
        sums.parts += count
        sums.seconds += float(seconds)
        sums.within = [a + int(b) for a, b in zip(sums.within, counts, strict=True)]


def _add_masked(db: Session, so_far: Ended, new: ColumnElement[bool]) -> None:
    each = func.json_each_text if db.get_bind().dialect.name == "postgresql" else func.json_each
    kinds = each(VerdictRow.found).table_valued("key", "value")
    query = select(kinds.c.key, func.sum(cast(kinds.c.value, BigInteger))).select_from(VerdictRow).join(kinds, true())
    for kind, cells in db.execute(query.where(new, VerdictRow.masked > 0).group_by(kinds.c.key)):
        so_far.masked[kind] += int(cells)


def _add_scores(db: Session, so_far: Ended, new: ColumnElement[bool]) -> None:
    newest_of_each = select(func.max(Score.run_id)).where(new).group_by(Score.dataset)
    query = select(Score.dataset, Score.run_id, Score.overall).where(Score.run_id.in_(newest_of_each))
    for dataset, run, overall in db.execute(query):
        if run > so_far.scores.get(dataset, (0, None))[0]:
            so_far.scores[dataset] = (run, overall)


def now(db: Session) -> Now:
    """What is so at this moment; costs what is under way, not what there was."""
    moment = datetime.now(UTC)
    active = db.execute(select(Run.state, Run.resumed).where(Run.state.in_(ACTIVE))).all()
    parts = select(Part.state, func.count()).where(Part.state.in_(("ready", "running"))).group_by(Part.state)
    failures, blocked = db.execute(
        select(func.sum(Attempts.failures), func.count().filter(Attempts.blocked_until > moment)).select_from(Attempts)
    ).one()
    return Now(
        runs=Counter(state for state, _ in active),
        taken_over=sum(resumed for _, resumed in active),
        parts={"ready": 0, "running": 0} | dict(db.execute(parts).all()),
        waiting=_since(clock.now(db), _moved(db)),
        overdue=overdue(db),
        failed_sign_ins=int(failures or 0),
        blocked_sign_ins=blocked,
        audit_entries=db.scalar(select(func.max(AuditEntry.number))) or 0,  # they are numbered without a gap
        alerts={"open": 0, "acknowledged": 0, "assigned": 0, "snoozed": 0} | alerts.count(db),
        notices=notices.waiting(db, clock.now(db)),
    )


def _moved(db: Session) -> Iterable[datetime]:
    """When each run with ready parts last got on: a part of it was done, or it was started."""
    waiting = select(Part.run_id).where(Part.state == "ready").distinct().scalar_subquery()
    newest = select(Part.run_id, func.max(Part.finished_at)).where(Part.run_id.in_(waiting), Part.state == "done")
    done = dict(db.execute(newest.group_by(Part.run_id)).all())
    return [done.get(run) or at for run, at in db.execute(select(Run.id, Run.created_at).where(Run.id.in_(waiting)))]


def overdue(db: Session) -> float:
    """For how many seconds a wake-up call has waited to be sent. Any worker that lives sends it within one."""
    due = db.scalar(select(func.min(Part.wake_at)).where(Part.state == "ready"))
    return _since(clock.now(db), [due] if due else [])


def unsent_events(db: Session) -> tuple[int, float]:
    """How many lineage events wait to be forwarded, and for how many seconds the oldest has waited."""
    count, oldest = db.execute(
        select(func.count(), func.min(LineageEvent.at)).where(LineageEvent.forwarded_at.is_(None))
    ).one()
    return count, _since(datetime.now(UTC), [oldest] if oldest else [])


def _since(moment: datetime, times: Iterable[datetime]) -> float:
    return max((moment - min(times, default=moment)) / timedelta(seconds=1), 0.0)
