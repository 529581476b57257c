"""Raw data go after their retention; what readers see, and what is being worked on, stays."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.pipeline import Pipeline
from core.settings import Settings
from engine.home import Home, open_home
from engine.runs.sweep import sweep
from engine.store import datasets, privacy, runs
from engine.store.tables import Part

DAY = 86_400


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    opened = open_home(settings)
    yield opened
    opened.database.close()


def written(path: Path, days_ago: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    at = time.time() - days_ago * DAY
    os.utime(path, (at, at))
    os.utime(path.parent, (at, at))
    return path


def run(home: Home, *, ended: bool, days: int = 7) -> int:
    pipeline = Pipeline(
        name="orders", owner="web", source={"connector": "csv", "path": "x"}, privacy={"raw_retention_days": days}
    )
    with home.database.write() as db:
        number = runs.start(db, pipeline, "anna", "plan")[0].id
        if ended:
            runs.end(db, number, "succeeded")
    return number


def test_raw_data_go_after_their_retention(home: Home) -> None:
    number = run(home, ended=True)
    old = written(home.settings.raw_zone / "orders" / f"run-{number}" / "0.parquet", days_ago=8)
    assert sweep(home) == 1
    assert not old.exists()


def test_why_rows_were_rejected_goes_with_them(home: Home) -> None:
    number = run(home, ended=True)
    cause = {"reason": "id is empty", "rows": 3, "lines": ["2"]}
    with home.database.write() as db:
        privacy.save_dead_letters(db, number, "orders", [cause])
    assert sweep(home, time.time() + 6 * DAY) == 0
    assert sweep(home, time.time() + 8 * DAY) == 1
    with home.database.read() as db:
        assert not privacy.dead_letters(db, number)


def test_raw_data_stay_until_then(home: Home) -> None:
    number = run(home, ended=True, days=30)
    kept = written(home.settings.raw_zone / "orders" / f"run-{number}" / "0.parquet", days_ago=8)
    assert sweep(home) == 0
    assert kept.exists()


def test_a_run_that_goes_on_keeps_its_files(home: Home) -> None:
    number = run(home, ended=False)
    raw = written(home.settings.raw_zone / "orders" / f"run-{number}" / "0.parquet", days_ago=80)
    charted = written(home.settings.charted_zone / "orders" / f"run-{number}-0.parquet", days_ago=80)
    assert sweep(home) == 0
    assert raw.exists()
    assert charted.exists()


def test_files_of_current_versions_stay_and_orphans_go_after_a_day(home: Home) -> None:
    number = run(home, ended=True)
    zone = home.settings.charted_zone / "orders"
    current = written(zone / f"run-{number}-00000-1.parquet", days_ago=80)
    orphan = written(zone / f"run-{number}-00000-2.parquet", days_ago=2)
    young = written(zone / f"run-{number}-00000-3.parquet", days_ago=0.1)
    with home.database.write() as db:
        files = [(str(current), 1)]
        datasets.publish(db, datasets.Snapshot("orders", "charted", "web", "", number, files, {"id": "BIGINT"}))
    assert sweep(home) == 1
    assert (current.exists(), orphan.exists(), young.exists()) == (True, False, True)


def test_raw_files_of_attempts_that_came_to_nothing_go_after_a_day(home: Home) -> None:
    number = run(home, ended=True, days=30)
    with home.database.write() as db:
        for step, token in (("explore", 2), ("rejects", 1), ("contract", 2), ("merge", 2)):
            db.add(
                Part(run_id=number, step=step, ordinal=0, spec={}, state="done", token=token, wake_at=datetime.now(UTC))
            )
    folder = home.settings.raw_zone / "orders" / f"run-{number}"
    kept = [written(folder / name, days_ago=2) for name in ("00000-2-00000.parquet", "rejected-00000-1.parquet")]
    lost = [written(folder / name, days_ago=2) for name in ("00000-1-00000.parquet", "rejected-00000-2.parquet")]
    for step in ("contract", "merge"):  # killed
        lost.append(written(folder / f"{step}-00000-1.spill" / "duckdb_temp_storage-0.tmp", days_ago=2).parent)
    young = written(folder / "00000-3-sample.parquet", days_ago=0.1)
    assert sweep(home) == 4
    assert [path.exists() for path in (*kept, young, *lost)] == [True, True, True, False, False, False, False]
