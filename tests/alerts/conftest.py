"""A home with pipelines whose runs end as a test says, through the same door as every run."""

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from core.models import CheckResult
from core.pipeline import Pipeline
from core.settings import Settings, load
from engine import catalog
from engine.home import Home
from engine.runs import course
from engine.store import access, alerts, datasets, links, notices, quality, runs
from engine.store.database import Database
from engine.store.links import Identity
from engine.store.tables import Alert, Run, User

LOW = {"code": "score_too_low", "message": "The score 50.0 is below the minimum of 90.", "step": "publish", "tries": ""}
MISSING = {"code": "source_missing", "message": "There is nothing.", "hint": None, "step": "plan", "tries": ""}


@pytest.fixture
def home(settings: Settings, database: Database) -> Home:
    given = {
        "ATLAS_HOME": str(settings.home), "ATLAS_PIPELINES": str(settings.pipelines),
        "ATLAS_ALERT_CHANNELS": "crm-team=slack:T1:C1|slack:T1:C2, *=slack:T1:C9",
    }  # fmt: skip
    return Home(load(given), database)


def missing(to: str, failed: int) -> CheckResult:
    """The check that every value of a column is in another dataset, with so many of a hundred rows that fail."""
    return CheckResult(f"{to}_id is in {to}.id", "consistency", f"{to}_id", failed, 100)


class Team:
    """Pipelines whose runs end as they are told to, and what comes of it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.files: dict[str, Pipeline] = {}  # as they are read once
        self.references: dict[str, tuple[str, ...]] = {}

    def pipeline(self, name: str, *references: str, owner: str = "crm-team") -> str:
        rules = [{"column": f"{to}_id", "references": f"{to}.id"} for to in references]
        text = f"name: {name}\nowner: {owner}\nsource: {{connector: csv, path: {name}.csv}}\n"
        quality = f"quality: {{consistency: {rules}}}\n".replace("'", "") if rules else ""
        (self.home.settings.pipelines / f"{name}.yml").write_text(text + quality, "utf-8")
        self.references[name] = references
        return name

    def graph(self, chance: random.Random, size: int) -> list[str]:
        """Pipelines of which each but the first references one or two before it."""
        names = [f"d{n}" for n in range(size)]
        for n, name in enumerate(names):
            self.pipeline(name, *{names[chance.randrange(n)] for _ in range(min(n, 2))})
        return names

    def suffers(self, name: str) -> int:
        """A run that goes wrong because of what it references, or for lack of its source if that is nothing."""
        return self.refused(name, *self.references[name]) if self.references[name] else self.ends(name)

    def refused(self, name: str, *blamed: str) -> int:
        """A run whose score is too low, for values that are not in some other datasets."""
        return self.ends(name, "refused", LOW, checks=[missing(to, 50) for to in blamed])

    def ends(
        self, name: str, state: str = "failed", error: dict[str, Any] | None = None,
        checks: Sequence[CheckResult] = (), score: float = 50.0, **facts: Any,
    ) -> int:  # fmt: skip
        """A run that ends; its number."""
        wanted = self.file(name)
        with self.home.database.write() as db:
            run, joined = course.start(db, wanted, by="anna")
            assert not joined
            for key, value in facts.items():
                setattr(run, key, value)
            db.flush()
            if checks:
                quality.save(db, run.id, name, checks, score, {"consistency": score})
            course.end(self.home, db, run.id, state, error or (MISSING if state == "failed" else None))
            if state == "succeeded":
                self.succeeded(db, run)
            return run.id

    def publishes(self, name: str, rows: int, checks: Sequence[CheckResult], score: float) -> None:
        """A run that publishes a version of so many rows."""
        with self.home.database.write() as db:
            run, _ = course.start(db, self.file(name), by="anna")
            quality.save(db, run.id, name, checks, score, {"consistency": score})
            datasets.publish(db, datasets.Snapshot(name, "charted", "crm-team", "", run.id, [("x", rows)], {}))
            course.end(self.home, db, run.id, "succeeded")

    def file(self, name: str) -> Pipeline:
        if name not in self.files:
            self.files[name] = catalog.pipeline(self.home.settings.pipelines, name)
        return self.files[name]

    def succeeded(self, db: Any, run: Run) -> None:
        from engine.alerts import asking  # `pipeline.work` does so when the last step of a run is done

        asking.after_run(self.home, db, runs.get(db, run.id))

    def alerts(self) -> list[Alert]:
        """All of them, oldest first."""
        with self.home.database.read() as db:
            return list(reversed(alerts.listed(db, among=None, limit=200)))

    @property
    def before(self) -> int:
        """The number before the first: a server goes on counting where another test has ended."""
        return self.alerts()[0].id - 1

    def told(self) -> list[tuple[int, str, str, int]]:
        """Number, dataset, state and count of every alert."""
        return [(a.id - self.before, a.dataset, a.state, a.count) for a in self.alerts()]

    def roots(self) -> dict[str, int | None]:
        """At which alert that of each dataset is told."""
        return {a.dataset: a.root_id and a.root_id - self.before for a in self.alerts()}

    def user(self, name: str, role: str = "operator", *identities: str) -> User:
        with self.home.database.write() as db:
            user = access.add_user(db, name, role)
            for identity in identities:
                links.link(db, Identity(*identity.split(":")), user, name)
            return user

    def due(self, now: datetime) -> list[tuple[int, str]]:
        """Which alerts are due to be sent where."""
        with self.home.database.write() as db:
            taken = notices.lease(db, ("slack", "teams"), now, 0, 100)
            return sorted((row.alert_id - self.before, row.ways[row.way]) for row in taken)


@pytest.fixture
def team(home: Home) -> Team:
    return Team(home)
