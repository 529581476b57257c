"""Removes what is no longer needed: raw data after their retention, and files that no current version lists."""

import logging
import re
import shutil
import time
from pathlib import Path

from core.pipeline import Pipeline
from engine.home import Home
from engine.store import datasets, runs

log = logging.getLogger("atlas.sweep")

EVERY_SECONDS = 3600.0
ORPHANS_KEPT_SECONDS = 24 * 3600.0  # a reader may still be in the middle of a version that was current a moment ago
_RUN = re.compile(r"run-(\d+)")


def sweep(home: Home, now: float | None = None) -> int:
    """Removes what is due at `now` (a POSIX time); returns how many files and folders went."""
    at = time.time() if now is None else now
    with home.database.read() as db:
        active = runs.active(db)
        in_use = {Path(path).resolve() for path in datasets.files_in_use(db) | runs.files_of_active(db)}
        definitions = runs.newest_definitions(db)
    gone = 0
    for folder in home.settings.raw_zone.glob("*/run-*"):
        definition = definitions.get(folder.parent.name)
        if definition is None or any(path.is_relative_to(folder.resolve()) for path in in_use):
            continue
        days = Pipeline.model_validate(definition).privacy.raw_retention_days
        if _run_of(folder) not in active and _age(folder, at) > days * 86_400:
            shutil.rmtree(folder, ignore_errors=True)  # what is left of it goes the next time
            gone += 1
    for zone in (home.settings.charted_zone, home.settings.warehouse):
        for file in zone.glob("*/run-*.parquet"):
            orphan = file.resolve() not in in_use and _run_of(file) not in active
            if orphan and _age(file, at) > ORPHANS_KEPT_SECONDS:
                file.unlink(missing_ok=True)
                gone += 1
        for left in zone.glob("*/run-*.spill"):  # of a query whose process was killed
            if _run_of(left) not in active and _age(left, at) > ORPHANS_KEPT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
                gone += 1
    if gone:
        log.info("swept %d files and folders", gone)
    return gone


def _run_of(path: Path) -> int | None:
    found = _RUN.match(path.name)
    return int(found[1]) if found else None


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:  # another process sweeps, too
        return 0.0
