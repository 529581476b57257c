"""A home with pipelines whose runs end as a test says, through the same door as every run."""

from datetime import datetime
from typing import Any

import pytest

from core.pipeline import Pipeline
from core.settings import Settings, load
from engine import catalog, pipeline
from engine.home import Home
from engine.store import access, alerts, links, notices, runs
from engine.store.database import Database
from engine.store.links import Identity
from engine.store.tables import Alert, Run, User

MISSING = {"code": "source_missing", "message": "There is nothing.", "hint": None, "step": "plan", "tries": ""}


@pytest.fixture
def home(settings: Settings, database: Database) -> Home:
    given = {
        "ATLAS_HOME": str(settings.home), "ATLAS_PIPELINES": str(settings.pipelines),
        "ATLAS_ALERT_CHANNELS": "crm-team=slack:T1:C1|slack:T1:C2, *=slack:T1:C9",
    }  # fmt: skip
    return Home(load(given), database)


class Team:
    """Pipelines whose runs end as they are told to, and what comes of it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.files: dict[str, Pipeline] = {}  # as they are read once

    def pipeline(self, name: str, *references: str, owner: str = "crm-team") -> str:
        rules = [{"column": f"{to}_id", "references": f"{to}.id"} for to in references]
        text = f"name: {name}\nowner: {owner}\nsource: {{connector: csv, path: {name}.csv}}\n"
        quality = f"quality: {{consistency: {rules}}}\n".replace("'", "") if rules else ""
        (self.home.settings.pipelines / f"{name}.yml").write_text(text + quality, "utf-8")
        return name

    def ends(self, name: str, state: str = "failed", error: dict[str, Any] | None = None, **facts: Any) -> int:
        """A run that ends; its number."""
        wanted = self.files.get(name) or catalog.pipeline(self.home.settings.pipelines, name)
        self.files[name] = wanted
        with self.home.database.write() as db:
            run, joined = pipeline.start(db, wanted, by="anna")
            assert not joined
            for key, value in facts.items():
                setattr(run, key, value)
            db.flush()
            pipeline.end(self.home, db, run.id, state, error or (MISSING if state == "failed" else None))
            if state == "succeeded":
                self.succeeded(db, run)
            return run.id

    def succeeded(self, db: Any, run: Run) -> None:
        from engine import alerting  # `pipeline.work` does so when the last step of a run is done

        alerting.after_run(self.home, db, runs.get(db, run.id))

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
