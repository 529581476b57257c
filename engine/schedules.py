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
from engine import alerting, catalog, faults, pipeline
from engine.home import Home
from engine.store import audit, clock, schedules
from engine.store.tables import Schedule

log = logging.getLogger("atlas.schedules")

LOOK_SECONDS = 1.0
RAN_AHEAD = timedelta(days=1)  # a clock by so much was wrong; by less, it may just have been corrected
BY = "schedule"  # who asked for the runs


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
    """Starts what is due; how many this process started. What was missed is caught up once."""
    with home.database.read() as db:
        due = [row for row in schedules.of(db).values() if row.next_at <= now]
    return sum(_fire(home, row, now) for row in due)


def set_right(home: Home, now: datetime) -> None:
    """Moves what is due later than it ought to be: it was put off by a clock that ran ahead, and has been set back.

    What was fired less than a day ahead is not fired again when its time comes for the second time.
    """
    with home.database.read() as db:
        rows = schedules.of(db).values()
    for row in rows:
        fired = row.last_at if row.last_at and row.last_at < now + RAN_AHEAD else now
        next_at = next_time(row.cron, row.timezone, max(now, fired))
        if row.next_at > next_at:
            with home.database.write() as db:
                schedules.move(db, row, next_at)


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
    run, joined = pipeline.start(db, wanted, by=BY)
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
        """Reads the files that have changed since the last look."""
        changed = {}
        for path in catalog.files(self.home.settings.pipelines).values():
            stat = path.stat()
            if self._seen.get(path) != (stat.st_mtime_ns, stat.st_size):
                changed[path] = (stat.st_mtime_ns, stat.st_size)
        if not changed:
            return
        good, _mistakes = catalog.pipelines(self.home.settings.pipelines, changed)
        with self.home.database.read() as db:
            rows = schedules.of(db)
        for found in good:
            row, zone = rows.get(found.name), _zone(self.home, found)
            text, by = (found.schedule, None) if found.schedule else (row.cron, row.set_by) if row else (None, None)
            if row is not None and found.schedule is None and row.set_by is None:
                with self.home.database.write() as db:
                    schedules.remove(db, found.name, of_file=True)
            elif text is not None and (row is None or (row.cron, row.timezone, row.set_by) != (text, zone, by)):
                with self.home.database.write() as db:
                    schedules.put(db, found.name, text, zone, by, next_time(text, zone, now))
        self._seen |= changed


class Scheduler:
    """Looks after the schedules in a thread; `reaps` where no worker of the same process looks after the dead."""

    def __init__(self, home: Home, *, reaps: bool = False) -> None:
        self.home, self.reaps = home, reaps
        self._files, self._alerts = Files(home), alerting.Clock(home)
        self._looked = datetime.max.replace(tzinfo=UTC)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="atlas-scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self.home.database.read() as db:
                    now = clock.now(db)
                if now < self._looked:  # the first time, and when the clock was set back
                    set_right(self.home, now)
                self._looked = now
                self._files.look(now)
                fire(self.home, now)
                self._alerts.look(now)
                if self.reaps:
                    pipeline.reap(self.home)
            except Exception as error:  # noqa: BLE001 - it must outlive a database that is away for a while
                log.warning("scheduler: %s", type(error).__name__)
            self._stopping.wait(LOOK_SECONDS)


def _zone(home: Home, found: Pipeline) -> str:
    return found.timezone or home.settings.timezone


def _in_the_file(name: str) -> Refused:
    return Refused(f"The schedule of `{name}` is written in {name}.yml and changes only there.", hint="schedules")
