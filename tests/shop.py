"""A home with a source whose rows change and are read by a cursor, worked on by the test itself."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import connectors
from core import parts
from core.settings import load
from engine import catalog
from engine.home import Home, open_home
from engine.runs import course
from engine.store import leases, privacy, quality, runs
from engine.store.tables import Check
from tests.homes import prepare

LANDS = "name: lands\nowner: x\nsource: {connector: csv, path: lands.csv}\n"
ORDERS = """name: orders
owner: x
key: [id]
max_rejected_percent: 100
source: {connector: changes, path: PATH, cursor: tick}
quality:
RULES
"""
RULES = """
  completeness: [mail, {column: land, max_missing_percent: 20}]
  uniqueness: [mail, [land, amount]]
  validity:
    - {column: mail, format: email}
    - {column: amount, min: 0, max: 50}
  accuracy: [{column: land, matches: lands.code}]
  consistency:
    - {column: boss, references: orders.id}
    - {expression: "amount < 40 or land is not null"}
  timeliness: {column: day, max_age_hours: 48}
  reject_rows: [validity]
"""
COLUMNS = ("id", "mail", "land", "amount", "boss", "day", "tick")
Row = dict[str, str | None]


@dataclass
class Shop:
    """A home with a source of orders whose rows are changed, and read by a cursor."""

    folder: Path
    rules: str = RULES
    orders: dict[str, Row] = field(default_factory=dict)  # by the place of a row: ids may be missing
    tick: int = 1

    def __post_init__(self) -> None:
        folder = str(self.folder)
        prepare(self.folder / "home")
        self.home: Home = open_home(load({"ATLAS_HOME": f"{folder}/home", "ATLAS_PIPELINES": folder}))
        (self.folder / "lands.yml").write_text(LANDS)
        self.lands("dk", "se", "no")

    def lands(self, *codes: str) -> None:
        (self.folder / "lands.csv").write_text("\n".join(["code,name", *(f"{code},Land {code}" for code in codes), ""]))
        self.run("lands")

    def change(self, place: str, **cells: str | None) -> None:
        """Inserts or changes a row, as the source's clock ticks."""
        row = self.orders.get(place) or {"id": place} | dict.fromkeys(COLUMNS[1:])
        self.tick += 1
        self.orders[place] = {**row, **cells, "tick": str(self.tick)}

    def run(self, name: str = "orders", *, full: bool = False, replay: bool = False) -> int:
        path = self.folder / "orders.json"
        path.write_text(json.dumps([{c: row[c] for c in COLUMNS} for row in self.orders.values()]))
        text = ORDERS.replace("PATH", str(path)).replace("RULES", self.rules)
        (self.folder / "orders.yml").write_text(text)
        definition = catalog.pipeline(self.folder, name)
        with self.home.database.write() as db:
            if replay:
                number = course.replay(self.home, db, definition, "x")[0].id
            else:
                number = course.start(db, definition, "x", full=full)[0].id
        work(self.home, number)
        with self.home.database.read() as db:
            run = runs.get(db, number)
            assert run.state == "succeeded", run.error
        return number

    def measured(self, run: int) -> tuple[float | None, dict[str, float | None], list[tuple[Any, ...]]]:
        with self.home.database.read() as db:
            score = quality.score(db, run)
            assert score is not None
            return score.overall, score.dimensions, [_of(check) for check in quality.checks(db, run)]

    def masked(self, run: int) -> dict[str, Any]:
        """The masked cells of what is published, by column and kind."""
        with self.home.database.read() as db:
            return {row.column: row.found for row in privacy.verdicts(db, run)}


def _of(check: Check) -> tuple[Any, ...]:
    newest = None if check.newest is None else round(check.newest / 60)  # the clock goes on between two runs
    return check.name, check.failed, check.tested, check.note, newest


def work(home: Home, run: int) -> None:
    chance = random.Random(run)
    while True:
        with home.database.read() as db:
            ready = [part.id for part in runs.parts(db, run) if part.state == "ready"]
        if not ready:
            return
        with home.database.write() as db:
            claim = leases.claim(db, chance.choice(ready), "here", 60)
        assert claim
        course.work(home, claim, lambda _: None)


def days_ago(days: int) -> str:
    return str((datetime.now(UTC) - timedelta(days=days)).date())


@contextmanager
def changing_sources() -> Iterator[None]:
    """The connector `changes` is there."""
    with pytest.MonkeyPatch.context() as patch:
        ours = str(Path(__file__).parent / "more_connectors")
        patch.setattr(connectors, "__path__", [*connectors.__path__, ours])
        parts.names.cache_clear()
        yield
    parts.names.cache_clear()
