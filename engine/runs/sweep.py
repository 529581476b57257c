"""Removes what is no longer needed: raw rows and dead letters after their retention, files that no version lists."""

import logging
import re
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from core import pipeline_stored
from engine import faults
from engine.duties import Apart
from engine.home import Home
from engine.personal import rulings, vault
from engine.store import datasets, privacy, runs
from engine.store import rulings as stored

log = logging.getLogger("atlas.sweep")

EVERY_SECONDS = 3600.0
ORPHANS_KEPT_SECONDS = 24 * 3600.0  # a reader may still be in the middle of a version that was current a moment ago
UNMASKED_KEPT_SECONDS = 600.0  # if another run is active: it may read a table that has just been masked anew
_RUN = re.compile(r"run-(\d+)")
# names of files that an attempt at a part leaves in the raw zone
_ATTEMPT = re.compile(r"(rejected-|contract-|merge-)?(\d{5})-(\d+)")
_STEP = {None: "explore", "rejected-": "rejects", "contract-": "contract", "merge-": "merge"}


def sweep(home: Home, now: float | None = None) -> int:
    """Removes what is due at `now` (a POSIX time); returns how many files and folders were removed.

    Each folder, file and dataset is on its own. Raises Failed at the end if any of them failed.
    """
    at = time.time() if now is None else now
    with home.database.read() as db:
        active = runs.active(db)
        in_use = {Path(path).resolve() for path in datasets.files_in_use(db) | runs.files_of_active(db)}
        definitions = runs.newest_definitions(db)
    apart, gone = Apart(), 0
    days = {name: pipeline_stored.read(name, it).privacy.raw_retention_days for name, it in definitions.items()}
    for folder in home.settings.raw_zone.glob("*/run-*"):
        with apart(f"raw rows of {folder.parent.name}"):
            if folder.parent.name not in days or any(path.is_relative_to(folder.resolve()) for path in in_use):
                continue
            if _run_of(folder) not in active and _age(folder, at) > days[folder.parent.name] * 86_400:
                gone += _remove(folder)
    with apart("attempts that were lost"):
        for file in _of_lost_attempts(home, active):
            with apart(f"an attempt of {file.parent.parent.name}"):
                if _age(file, at) > ORPHANS_KEPT_SECONDS:
                    gone += _remove(file)
    for name, kept in days.items():
        with apart(f"rejected rows of {name}"), home.database.write() as db:
            gone += privacy.drop_dead_letters(db, name, datetime.fromtimestamp(at - kept * 86_400, UTC))
    for zone in (home.settings.charted_zone, home.settings.warehouse):
        for file in zone.glob("*/run-*.parquet"):
            with apart(f"a file of {file.parent.name}"):
                orphan = file.resolve() not in in_use and _run_of(file) not in active
                if orphan and _age(file, at) > ORPHANS_KEPT_SECONDS:
                    gone += _remove(file)
        for left in zone.glob("*/run-*.spill"):  # left by a query whose process was killed
            with apart(f"a spilled file of {left.parent.name}"):
                if _run_of(left) not in active and _age(left, at) > ORPHANS_KEPT_SECONDS:
                    gone += _remove(left)
    with apart("what rulings hide"):
        gone += sweep_unmasked(home, at)
    with apart("tokens"):
        if forgotten := vault.sweep(home, at):
            log.info("forgot what %d tokens stood for", forgotten)
    if gone:
        log.info("swept %d files, folders and causes of rejected rows", gone)
    apart.end()
    return gone


def sweep_unmasked(home: Home, now: float | None = None) -> int:
    """Removes at once what no reader may see any more: files that hold what a ruling hides, or that came to nothing."""
    at = time.time() if now is None else now
    apart, due = Apart(), []
    with home.database.read() as db:
        ruled = stored.datasets(db)
        if not ruled:
            return 0
        active = runs.active(db)
        in_use = {Path(path).resolve() for path in datasets.files_in_use(db) | runs.files_of_active(db)}
        since = {dataset.name: version.published_at.timestamp() for dataset, version in datasets.current(db)}
        zones = [(home.settings.charted_zone, ruled), (home.settings.warehouse, datasets.built_from(db, ruled))]
        folders = [zone / name for zone, names in zones for name in names]
        orphans = [
            str(file)
            for folder in folders
            if not active or at - since.get(folder.name, 0.0) > UNMASKED_KEPT_SECONDS
            for file in folder.glob("run-*.parquet")
            if file.resolve() not in in_use and _run_of(file) not in active
        ]
        versions = datasets.of_files(db, orphans)
        for path in orphans:
            with apart(f"a file of {Path(path).parent.name}"):
                if path not in versions or rulings.too_open(db, [versions[path]]):
                    due.append(path)
    gone = 0
    for path in due:
        with apart(f"a file of {Path(path).parent.name}"):
            gone += _remove(Path(path))
    apart.end()
    return gone


def _remove(path: Path) -> int:
    """1, for the count. Raises OSError if anything of it is left; what can be removed is removed all the same."""
    faults.point("sweep.found")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        with suppress(FileNotFoundError):  # as it should be; else this says what is wrong
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
    faults.point("sweep.removed")
    return 1


def _of_lost_attempts(home: Home, active: set[int]) -> list[Path]:
    """Raw files of workers that died or came too late: the part they were of was done by another attempt."""
    found: dict[int, list[tuple[Path, tuple[str, int, int]]]] = {}
    for file in home.settings.raw_zone.glob("*/run-*/*"):
        run, attempt = _run_of(file.parent), _ATTEMPT.match(file.name)
        if run is not None and run not in active and attempt is not None:
            key = (_STEP[attempt[1]], int(attempt[2]), int(attempt[3]))
            found.setdefault(run, []).append((file, key))
    with home.database.read() as db:
        kept = set(runs.attempts_done(db, found, _STEP.values()))
    return [file for run, files in found.items() for file, key in files if (run, *key) not in kept]


def _run_of(path: Path) -> int | None:
    found = _RUN.match(path.name)
    return int(found[1]) if found else None


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:  # another process sweeps, too
        return 0.0
