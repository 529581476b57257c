"""What a step is given and what it leaves."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy.orm import Session

from core import secrets
from core.models import ColumnType, Verdict
from core.pipeline import Pipeline
from engine.home import Home
from engine.runs import increment
from engine.store import audit, leases, runs
from engine.store.tables import Run

Progress = Callable[[int], None]
Specs = list[dict[str, Any]]


@dataclass
class Job:
    """One part of one run, as the step that does it sees it."""

    home: Home
    run: Run
    pipeline: Pipeline
    claim: leases.Claim
    progress: Progress

    def results(self, step: str) -> Specs:
        """What the parts of a finished step left."""
        with self.home.database.read() as db:
            return runs.results(db, self.run.id, step)

    @property
    def timezone(self) -> str:
        return self.pipeline.timezone or self.home.settings.timezone

    @property
    def raw_folder(self) -> Path:
        """Where this run's raw data lie, closed to others."""
        return self.home.settings.raw_zone / self.pipeline.name / f"run-{self.run.id}"

    @property
    def base(self) -> increment.Published | None:
        """What this run builds upon, if it is incremental."""
        plan = self.results("plan")
        if not plan or not plan[0].get("base"):
            return None
        with self.home.database.read() as db:
            return increment.published(db, self.pipeline.name)

    @property
    def keeps_marks(self) -> bool:
        """Whether its rows are merged, now or by later runs, so that what they say of each rule is kept."""
        return bool(self.pipeline.source.get("cursor")) or any(plan.get("base") for plan in self.results("plan"))

    def source(self, connector: ModuleType) -> Any:
        """The source as its connector takes it: with the way to its secrets, and the settings as context."""
        named = secrets.named(self.pipeline.source, self.home.settings.secret)
        return connector.Source.model_validate(named, context=self.home.settings)

    def decided(self) -> tuple[dict[str, ColumnType], dict[str, Verdict]]:
        """The type and the verdict of each column."""
        result = (self.results("remask") or self.results("verdicts"))[0]
        types = {column: ColumnType(**kind) for column, kind in result["types"].items()}
        return types, {v["column"]: Verdict.from_json(v) for v in result["verdicts"]}

    def note_owner(self, db: Session, dataset: str, was: str | None, now: str) -> None:
        """The audit row of a new owner of what was published before, as the last thing of its transaction."""
        if was is not None and was != now:
            about = f"{dataset}: {was or 'nobody'} → {now or 'nobody'}"
            audit.append(db, audit.Act(None, f"run #{self.run.id}"), "owner.change", about)

    def make_raw_folder(self) -> None:
        self.raw_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.raw_folder.parent.chmod(0o700)

    @property
    def stem(self) -> str:
        """The name of what this attempt writes: another attempt's files never get in its way."""
        return f"{self.claim.ordinal:05d}-{self.claim.token}"


@dataclass
class Done:
    """What a part leaves: JSON for the steps after it, the rows it did, and what is saved with it."""

    result: dict[str, Any]
    rows: int = 0
    save: Callable[[Session], None] | None = None
