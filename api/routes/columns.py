"""The columns of a dataset or table: types, how empty they are, what is personal in them and what is done with it."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api import answers
from api.asked import Name
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from core import pipeline_stored
from engine import catalog, standing
from engine.personal import rulings
from engine.store import datasets, lineage, privacy, runs
from engine.store.tables import Dataset, Version

router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"])


class Column(BaseModel):
    """A column. `empty` are rows without a value; `example` is a value that at least 10 rows share.

    There is an example only in datasets, if nothing personal is in the column and it joins nothing, for those who may
    read rows.
    `personal` are the kinds of personal data found in it, `action` is what is done about them, null where only single
    values were found, which are masked. `reached_by` are the personal columns whose values reach a column of a model.
    """

    name: str
    type: str
    empty: int
    distinct: int
    example: str | None
    personal: list[str]
    action: str | None
    scope: str | None
    reached_by: list[str]


COLUMN: dict[str, Any] = {
    "name": "country", "type": "VARCHAR", "empty": 12, "distinct": 3, "example": "Denmark", "personal": [],
    "action": None, "scope": None, "reached_by": [],
}  # fmt: skip


class Columns(BaseModel):
    """The columns of the published version, in its order; `exact` is whether `distinct` is counted or estimated."""

    model_config = answers.example(
        dataset="customers", kind="charted", version=7, rows=10177, exact=True, columns=[COLUMN],
        published_at="2026-03-02T05:00:02.300Z",
    )  # fmt: skip

    dataset: str
    kind: str
    version: int
    rows: int
    exact: bool
    columns: list[Column]
    published_at: answers.Time


@router.get("/{name}/columns")
@slow
def list_columns(name: Name, home: HomeDep, caller: Annotated[Caller, needs("read:catalog")]) -> Columns:
    """The columns of a published dataset or model's table: type, empty rows, different values, what is personal."""
    from engine import described  # opens DuckDB: loaded when somebody asks

    with home.database.read() as db:
        dataset, version = standing.published(home, db, name)
        table = datasets.table(db, dataset, version)
        charted = dataset.kind == "charted"
        about = _charted(db, version) if charted else _reached(db, dataset)
        shows = charted and caller.may("read:models", name) and not rulings.too_open(db, [version.id])
        hidden = {*about, *table.masked, *_joining(db, name)} if shows else set(table.columns)
    found = described.columns(table, table.columns.keys() - hidden)
    return Columns(
        dataset=name,
        kind=dataset.kind,
        version=version.number,
        rows=table.rows,
        exact=described.is_exact(table),
        columns=[
            Column(
                name=c.name, type=c.type, empty=c.empty, distinct=c.distinct,
                example=c.example,
                **{"personal": [], "action": None, "scope": None, "reached_by": [], **about.get(c.name, {})},
            )
            for c in found
        ],
        published_at=answers.time(version.published_at),
    )  # fmt: skip


def _charted(db: Session, version: Version) -> dict[str, dict[str, Any]]:
    """What was found in each column and what is done; single cells that are masked in a column of none are personal."""
    told = {}
    for row in privacy.verdicts(db, version.run_id):
        verdict = privacy.verdict(row)
        held = verdict.types or tuple(kind for kind, count in row.found.items() if count)
        if held or row.masked:
            whole = {"action": verdict.action, "scope": verdict.scope} if verdict.types else {}
            told[row.column] = {"personal": list(held), **whole}
    return told


def _joining(db: Session, dataset: str) -> set[str]:
    """The columns that join: a number of a customer is nobody's name, and yet it tells one."""
    known = {name: pipeline_stored.read(name, it) for name, it in runs.newest_definitions(db).items()}
    return catalog.keyed_columns(known[dataset], known.values()) if dataset in known else set()


def _reached(db: Session, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The personal columns whose values reach each column of a model."""
    from engine.lineage.graph import Graph, Node

    graph, personal = Graph(lineage.edges(db)), privacy.personal_columns(db)
    told = {}
    for column in graph.columns(f"navigate.{dataset.name}"):
        taint = graph.taint(Node(f"navigate.{dataset.name}", column), personal)
        if reached := [*map(str, taint.unmasked), *(f"{node} ({how})" for node, how in taint.masked.items())]:
            told[column] = {"reached_by": reached}
    return told
