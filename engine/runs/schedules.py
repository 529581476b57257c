"""Schedules: of pipeline files and of the chat, fired once however many look after them."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from core import cron
from core.errors import AtlasError, BadInput, NotFound, Refused
from core.pipeline import Pipeline
from engine import catalog, faults
from engine.alerts import asking
from engine.duties import Apart, Duties, Duty
from engine.home import Home
from engine.runs import course, process
from engine.store import audit, clock, schedules
from engine.store.tables import Schedule

log = logging.getLogger("atlas.schedules")

LOOK_SECONDS = 1.0
RAN_AHEAD = timedelta(days=1)  # a clock by so much was wrong; by less, it may just have been corrected
BY = "schedule"  # the name under which schedules ask for runs


@dataclass(frozen=True)
class Planned:
    """When a pipeline runs by itself, and how that went the last time."""

    pipeline: str
    cron: str
    timezone: str
    set_by: str | None  # None = the pipeline's file
    next_at: datetime
    last_at: datetime | None = None
    run: int | None = None
    note: str | None = None


def planned(home: Home, found: Pipeline | None, row: Schedule | None, now: datetime) -> Planned | None:
    """The schedule of a pipeline as its file says it now, or else as the database has it."""
    if found is not None and found.schedule and (row is None or row.cron != found.schedule):
        zone = _zone(home, found)
        return Planned(found.name, found.schedule, zone, None, next_time(found.schedule, zone, now))
    if row is None or (found is not None and found.schedule is None and row.set_by is None):
        return None
    return Planned(
        row.pipeline, row.cron, row.timezone, row.set_by if not (found and found.schedule) else None, row.next_at,
        row.last_at, row.run_id, row.note,
    )  # fmt: skip


def listed(home: Home, among: set[str] | None, after: str | None, now: datetime) -> Iterator[Planned]:
    """The schedules of pipelines `among` some, by name, later than `after`."""
    with home.database.read() as db:
        rows = schedules.of(db)
    files = catalog.files(home.settings.pipelines)
    for name in sorted(files.keys() | rows.keys()):
        if (among is None or name in among) and (after is None or name > after):
            good = catalog.pipelines(home.settings.pipelines, [files[name]])[0] if name in files else []
            if plan := planned(home, good[0] if good else None, rows.get(name), now):
                yield plan


def put(home: Home, db: Session, found: Pipeline, text: str, by: str, now: datetime) -> Planned:
    """Schedules a pipeline. Raises BadInput for what is no schedule, Refused if its file has one."""
    text = " ".join(text.split())
    if found.schedule:
        raise _in_the_file(found.name)
    zone = _zone(home, found)
    try:
        next_at = next_time(text, zone, now)
    except ValueError as error:
        raise BadInput(f"`{text[:60]}` {error}.", hint=cron.EXAMPLE) from None
    row = schedules.put(db, found.name, text, zone, by, next_at)
    return Planned(row.pipeline, row.cron, row.timezone, row.set_by, row.next_at, row.last_at, row.run_id, row.note)


def remove(home: Home, db: Session, name: str) -> None:
    """Ends a schedule that was given in the chat. Raises NotFound, Refused if it is the file's."""
    files = catalog.files(home.settings.pipelines)
    good = catalog.pipelines(home.settings.pipelines, [files[name]])[0] if name in files else []
    if good and good[0].schedule:
        raise _in_the_file(name)
    if not schedules.remove(db, name):
        if name not in files:
            raise catalog.nearest("pipeline", name, files)
        raise NotFound(f"`{name}` has no schedule.", hint="schedules")


def fire(home: Home, now: datetime) -> int:
    """Starts the runs that are due; returns how many this process started. A missed time is made up for once.

    Each schedule is on its own. Raises Failed if any of them failed.
    """
    apart, fired = Apart(), 0
    with home.database.read() as db:
        due = [row for row in schedules.of(db).values() if row.next_at <= now]
    for row in due:
        with apart(row.pipeline):
            fired += _fire(home, row, now)
    apart.end()
    return fired


def set_right(home: Home, now: datetime) -> None:
    """Moves what is due later than it ought to be: it was put off by a clock that ran ahead, and has been set back.

    What was fired less than a day ahead is not fired again when its time comes for the second time.
    """
    with home.database.read() as db:
        rows = schedules.of(db).values()
    apart = Apart()
    for row in rows:
        with apart(row.pipeline):
            fired = row.last_at if row.last_at and row.last_at < now + RAN_AHEAD else now
            next_at = next_time(row.cron, row.timezone, max(now, fired))
            if row.next_at > next_at:
                with home.database.write() as db:
                    schedules.move(db, row, next_at)
    apart.end()


def _fire(home: Home, row: Schedule, now: datetime) -> bool:
    faults.point("schedule.due")
    next_at = next_time(row.cron, row.timezone, now)
    try:
        wanted = catalog.pipeline(home.settings.pipelines, row.pipeline)
    except AtlasError as error:
        note = f"It could not start: {error.message}"
        with home.database.write() as db:
            taken = schedules.take(db, row, now, next_at, note)
        if taken and row.note != note:  # told once, not each time
            log.warning("the schedule of %s: %s", row.pipeline, error.message)
        return False
    try:
        with home.database.write() as db:
            if not schedules.take(db, row, now, next_at, None):
                return False
            start(db, wanted)
            faults.point("schedule.saved")
        faults.point("schedule.committed")
    except Refused as error:  # the run before is being cancelled: it is due until that is over
        log.info("the schedule of %s waits: %s", row.pipeline, error.message)
        return False
    return True


def start(db: Session, wanted: Pipeline) -> None:
    """The run of a schedule, in the transaction that moves the schedule on."""
    run, joined = course.start(db, wanted, by=BY)
    schedules.started(db, wanted.name, run.id, f"Run `#{run.id}` was still under way." if joined else None)
    audit.append(db, audit.Act(None, BY), "run.join" if joined else "run.start", f"run {run.id}")


def next_time(text: str, timezone: str, now: datetime) -> datetime:
    """Raises ValueError for what is no schedule."""
    found = cron.parse(text).after(now, ZoneInfo(timezone))
    if found is None:
        raise ValueError("never comes")
    return found


class Files:
    """What the pipeline files say of schedules, taken over into the database when a file changes."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._seen: dict[Path, tuple[int, int]] = {}

    def look(self, now: datetime) -> None:
        """Reads the files that have changed since the last look, each on its own. Raises Failed if any failed."""
        apart = Apart()
        for name, path in catalog.files(self.home.settings.pipelines).items():
            with apart(name):
                stat = path.stat()
                state = stat.st_mtime_ns, stat.st_size
                if self._seen.get(path) != state:
                    self._read(path, now)
                    self._seen[path] = state
        apart.end()

    def _read(self, path: Path, now: datetime) -> None:
        good, _mistakes = catalog.pipelines(self.home.settings.pipelines, [path])
        for found in good:
            with self.home.database.read() as db:
                rows = schedules.of(db, [found.name])
            row, zone = rows.get(found.name), _zone(self.home, found)
            text, by = (found.schedule, None) if found.schedule else (row.cron, row.set_by) if row else (None, None)
            if row is not None and found.schedule is None and row.set_by is None:
                with self.home.database.write() as db:
                    schedules.remove(db, found.name, of_file=True)
            elif text is not None and (row is None or (row.cron, row.timezone, row.set_by) != (text, zone, by)):
                with self.home.database.write() as db:
                    schedules.put(db, found.name, text, zone, by, next_time(text, zone, now))


class Scheduler:
    """Looks after the schedules; `reaps` where no worker of the same process looks after the dead."""

    def __init__(self, home: Home, *, reaps: bool = False) -> None:
        self.home = home
        self._files = Files(home)
        self._looked = datetime.max.replace(tzinfo=UTC)
        self._stopping = threading.Event()
        self._duties = Duties(self._stopping, self._lives)
        self._mine = [
            Duty("schedule files", LOOK_SECONDS, lambda: self._files.look(self._now())),
            Duty("schedules", LOOK_SECONDS, self._fire),
            Duty("alerts", asking.LOOK_SECONDS, lambda: asking.look(home, self._now())),
            Duty("scheduler lives", process.SEEN_SECONDS, self._lives),
        ]
        if reaps:
            self._mine.append(Duty("reap", LOOK_SECONDS, lambda: course.reap(home).end()))

    def start(self) -> None:
        self._duties.start(self._mine)

    def stop(self) -> None:
        self._stopping.set()
        self._duties.join(5)
        process.ended(self.home, "scheduler")

    def _now(self) -> datetime:
        with self.home.database.read() as db:
            return clock.now(db)

    def _fire(self) -> None:
        now, apart = self._now(), Apart()
        if now < self._looked:  # the first time, and when the clock was set back
            with apart("times that are set right"):
                set_right(self.home, now)
        self._looked = now
        with apart("times that are due"):
            fire(self.home, now)
        apart.end()

    def _lives(self) -> None:
        process.lives(self.home, "scheduler", None, self._duties.failing)


def _zone(home: Home, found: Pipeline) -> str:
    return found.timezone or home.settings.timezone


def _in_the_file(name: str) -> Refused:
    return Refused(f"The schedule of `{name}` is written in {name}.yml and changes only there.", hint="schedules")
