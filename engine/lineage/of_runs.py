"""What a run tells the lineage at each of its steps: OpenLineage events, and the edges of what it published."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.errors import QueryStopped
from core.models import CheckResult, Table, Verdict
from core.settings import Settings
from engine.lineage import columns as sql_columns
from engine.lineage import edges as ways
from engine.lineage import events, names
from engine.sql import contained
from engine.store.datasets import Snapshot
from engine.store.tables import Run

if TYPE_CHECKING:
    from engine.navigate.models import Model

Events = list[dict[str, Any]]
LAYER = {"plan": "explore", "explore": "explore"}  # all other steps but `navigate` belong to chart


@dataclass(frozen=True)
class Published:
    """The events and edges that go with a version."""

    events: Events
    edges: Events


def run_id(run: Run, job: str) -> str:
    """The same UUID for every event of one job in one run; version 7, so that it sorts by time (RFC 9562)."""
    milliseconds = int(run.created_at.timestamp() * 1000)
    rest = hashlib.sha256(f"{run.id} {run.created_at.isoformat()} {job}".encode()).digest()
    value = milliseconds << 80 | int.from_bytes(rest[:10], "big")
    value = value & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


class _Reporter:
    """The events of one run: each names its job, and the whole run as its parent."""

    def __init__(self, settings: Settings, run: Run) -> None:
        self.space, self.run, self.owner = settings.lineage_namespace, run, run.definition.get("owner")

    def whole(self, state: events.State, error: str | None = None) -> dict[str, Any]:
        name = self.run.pipeline
        step = events.Step(name, self.space, self.owner, self.run.definition.get("description"))
        at = self.run.created_at if state == "START" else datetime.now(UTC)
        return events.event(state, step, run_id(self.run, name), at, nominal=self.run.created_at, error=error)

    def job(
        self,
        state: events.State,
        name: str,
        inputs: Sequence[events.Dataset] = (),
        outputs: Sequence[events.Dataset] = (),
        *,
        sql: str | None = None,
        owner: str | None = None,
        error: str | None = None,
    ) -> dict[str, Any]:
        parent = (run_id(self.run, self.run.pipeline), self.run.pipeline)
        step = events.Step(name, self.space, owner or self.owner, sql=sql)
        now = datetime.now(UTC)
        return events.event(state, step, run_id(self.run, name), now, inputs, outputs, parent=parent, error=error)

    def layer(
        self, state: events.State, layer: str, *datasets: Sequence[events.Dataset], error: str | None = None
    ) -> dict[str, Any]:
        return self.job(state, f"{self.run.pipeline}.{layer}", *datasets, error=error)

    def dataset(self, name: str, **facts: Any) -> events.Dataset:
        return events.Dataset(name, self.space, **facts)


def started(settings: Settings, run: Run) -> Events:
    """The run has begun to read."""
    reporter = _Reporter(settings, run)
    return [reporter.whole("START"), reporter.layer("START", "explore")]


def remasking(settings: Settings, run: Run) -> Events:
    """The run has begun to mask what is published."""
    reporter = _Reporter(settings, run)
    return [reporter.whole("START"), reporter.layer("START", "chart")]


def rebuilding(settings: Settings, run: Run) -> Events:
    """The run has begun to build a model anew."""
    return [_Reporter(settings, run).whole("START")]


def explored(settings: Settings, run: Run, columns: Sequence[str], rows: int, files: int) -> Published:
    """Everything is read; charting begins."""
    reporter = _Reporter(settings, run)
    source = names.source(run.definition["source"], settings)
    edges = ways.explore_edges(str(source), run.pipeline, columns)
    raw = reporter.dataset(
        f"explore.{run.pipeline}", columns=dict.fromkeys(columns, "text"), edges=edges, owner=reporter.owner,
        rows=rows, files=files,
    )  # fmt: skip
    read = reporter.layer("COMPLETE", "explore", [events.Dataset(source.name, source.namespace)], [raw])
    return Published([read, reporter.layer("START", "chart")], edges)


def charted(
    settings: Settings,
    run: Run,
    snapshot: Snapshot,
    verdicts: dict[str, Verdict],
    found: dict[str, dict[str, int]],
    checks: Sequence[CheckResult],
    rows_in: int,
) -> Published:
    """A version of the dataset is published."""
    reporter = _Reporter(settings, run)
    edges = ways.chart_edges(snapshot.dataset, snapshot.columns, verdicts, found)
    raw = reporter.dataset(f"explore.{snapshot.dataset}", rows=rows_in, checks=checks)
    made = reporter.dataset(
        snapshot.dataset, columns=snapshot.columns, edges=edges, owner=snapshot.owner,
        description=snapshot.description, rows=sum(rows for _, rows in snapshot.files), files=len(snapshot.files),
    )  # fmt: skip
    return Published([reporter.layer("COMPLETE", "chart", [raw], [made])], edges)


def built(
    settings: Settings, run: Run, model: "Model", tables: dict[str, Table], models: set[str], snapshot: Snapshot
) -> Published:
    """A model's table is published."""
    reporter, name = _Reporter(settings, run), f"navigate.{model.name}"
    schemas = {table: facts.columns for table, facts in tables.items()}
    edges = ways.model_edges(model.name, _traced(model.sql, schemas, list(snapshot.columns)), models)
    read = [
        reporter.dataset(f"navigate.{table}" if table in models else table, columns=facts.columns, rows=facts.rows)
        for table, facts in tables.items()
    ]
    made = reporter.dataset(
        name, columns=snapshot.columns, edges=edges, owner=snapshot.owner, description=snapshot.description,
        rows=sum(rows for _, rows in snapshot.files), files=1,
    )  # fmt: skip
    done = reporter.job("COMPLETE", name, read, [made], sql=model.sql, owner=snapshot.owner)
    return Published([reporter.job("START", name, read, sql=model.sql, owner=snapshot.owner), done], edges)


def _traced(sql: str, schemas: dict[str, dict[str, str]], outputs: list[str]) -> list[sql_columns.ColumnEdge]:
    """The column edges of a model, traced in a child process."""
    try:
        return contained.plan("trace", sql, schemas, outputs, returns=list[sql_columns.ColumnEdge])
    except QueryStopped:
        return sql_columns.untraced(schemas, outputs)


def succeeded(settings: Settings, run: Run) -> Events:
    """The run has ended well."""
    return [_Reporter(settings, run).whole("COMPLETE")]


def ended(settings: Settings, run: Run) -> Events:
    """The run was refused, has failed or was cancelled; says so of the layer it was in, too."""
    reporter = _Reporter(settings, run)
    state: events.State = "ABORT" if run.state == "cancelled" else "FAIL"
    error = run.error["message"] if run.error else None
    step = (run.error or {}).get("step", "plan")
    told = [reporter.whole(state, error)]
    if step != "navigate" and run.definition.get("source"):  # a run of a model has no other layer
        told.insert(0, reporter.layer(state, LAYER.get(step, "chart"), error=error))
    return told
