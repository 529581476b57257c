"""What comes from what: in words, as a picture, in Marquez's shapes, and as it was reported."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api import answers
from api.asked import LARGEST, Limit
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from core.errors import NotFound
from engine import catalog
from engine.home import Home
from engine.store import datasets, lineage, privacy, runs

if TYPE_CHECKING:
    from engine.lineage.graph import Graph, Node, Way

router = APIRouter(prefix="/api/v1", tags=["lineage"])

Depth = Annotated[int, Query(ge=0, le=100)]
Name = Annotated[str, Query(max_length=600, description="NAME or NAME.COLUMN.")]
_PART = "(:([0-9]*[^:/0-9]|[0-9]+/|/[^/:])[^:]*)"  # a colon before `//` or a port's number parts nothing
NodeId = Annotated[
    str,
    Query(
        alias="nodeId",
        max_length=600,
        pattern=f"^((dataset|job){_PART * 2}|datasetField{_PART * 3})",
        description="dataset:SPACE:NAME, job:SPACE:NAME or datasetField:SPACE:DATASET:COLUMN.",
    ),
]


STEP: dict[str, Any] = {"from": "customers.city", "to": "customers_by_city.city", "via": "grouped by", "masked": False}


class Step(BaseModel):
    """One step from a node to the next."""

    model_config = ConfigDict(validate_by_name=True, json_schema_extra={"examples": [STEP]})

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    via: str
    masked: bool


class Explanation(BaseModel):
    """Where a node comes from, or what depends on it."""

    model_config = answers.example(
        node="customers_by_city.city", sentences=["customers_by_city.city is customers.city."],
        upstream=[STEP],
        downstream=[], personal=False,
    )  # fmt: skip

    node: str
    sentences: list[str]
    upstream: list[Step]
    downstream: list[Step]
    personal: bool


class Event(BaseModel):
    """An OpenLineage RunEvent with its facets."""

    model_config = ConfigDict(extra="allow")

    eventType: str
    eventTime: answers.Time
    producer: str
    schemaURL: str
    run: dict[str, Any]
    job: dict[str, Any]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]


class Events(BaseModel):
    """A page of events."""

    items: list[Event]
    next: int | None


class Named(BaseModel):
    namespace: str
    name: str


class Edge(BaseModel):
    origin: str
    destination: str


class DatasetField(BaseModel):
    name: str
    type: str
    tags: list[str]
    description: str | None


class DatasetNode(BaseModel):
    """A dataset, as Marquez has it."""

    id: Named
    type: Literal["DB_TABLE"]
    name: str
    physicalName: str
    createdAt: answers.Time | None
    updatedAt: answers.Time | None
    namespace: str
    sourceName: str
    fields: list[DatasetField]
    tags: list[str]
    lastModifiedAt: answers.Time | None
    description: str | None
    lastLifecycleState: str | None


class JobNode(BaseModel):
    """A job, as Marquez has it."""

    id: Named
    type: Literal["BATCH"]
    name: str
    simpleName: str
    parentJobName: str | None
    createdAt: answers.Time | None
    updatedAt: answers.Time | None
    namespace: str
    inputs: list[Named]
    outputs: list[Named]
    location: str | None
    description: str | None
    latestRun: dict[str, Any] | None


class InputField(BaseModel):
    namespace: str
    dataset: str
    datasetVersion: str | None
    field: str
    transformationDescription: str | None
    transformationType: str | None


class FieldNode(BaseModel):
    """A column, as Marquez has it."""

    namespace: str
    dataset: str
    datasetVersion: str | None
    field: str
    fieldType: str | None
    transformationDescription: str | None
    transformationType: str | None
    inputFields: list[InputField]


class GraphNode(BaseModel):
    id: str
    type: Literal["DATASET", "JOB"]
    data: DatasetNode | JobNode
    inEdges: list[Edge]
    outEdges: list[Edge]


class ColumnGraphNode(BaseModel):
    id: str
    type: Literal["DATASET_FIELD"]
    data: FieldNode
    inEdges: list[Edge]
    outEdges: list[Edge]


class LineageGraph(BaseModel):
    """Datasets and the jobs between them."""

    graph: list[GraphNode]


class ColumnLineageGraph(BaseModel):
    """Columns and the ways between them."""

    graph: list[ColumnGraphNode]


class Picture(Response):
    media_type = "image/png"


@router.get("/lineage/explain")
@slow
def explain_lineage(
    node: Name,
    home: HomeDep,
    _: Annotated[Caller, needs("read:lineage")],
    direction: Literal["upstream", "downstream"] = "upstream",
) -> Explanation:
    """Where a table or column comes from, or what depends on it, in sentences."""
    from engine.lineage import words

    with home.database.read() as db:
        graph, personal = _graph(db), privacy.personal_columns(db)
        at = _find(db, home, graph, node)
    up = direction == "upstream"
    taint = graph.taint(at, personal)
    return Explanation(
        node=str(at),
        sentences=words.explain(graph, at, personal) if up else words.impact(graph, at),
        upstream=[_step(way) for way in graph.upstream(at)],
        downstream=[_step(way) for way in graph.downstream(at)],
        personal=bool(taint.masked or taint.unmasked),
    )


def _step(way: "Way") -> Step:
    return Step(source=str(way.source), target=str(way.target), via=way.via, masked=way.masked)


@router.get("/lineage/picture", response_class=Picture)
@slow
def draw_lineage(
    node: Name,
    home: HomeDep,
    _: Annotated[Caller, needs("read:lineage")],
    direction: Literal["both", "upstream", "downstream"] = "both",
) -> Picture:
    """The same as a PNG."""
    from engine.lineage import picture as drawing

    with home.database.read() as db:
        graph = _graph(db)
        at = _find(db, home, graph, node)
    return Picture(drawing.draw(graph, at, direction))


@router.get("/lineage/events")
def list_lineage_events(
    home: HomeDep,
    _: Annotated[Caller, needs("read:lineage")],
    run: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="The `next` of the page before.")] = 0,
) -> Events:
    """The OpenLineage events, oldest first; `next` is the `after` of the next page."""
    with home.database.read() as db:
        if run is not None:
            runs.revision(db, run)
        page, last = answers.cut(lineage.event_page(db, run, after, limit + 1), limit)
    return Events(items=[Event.model_validate(body) for _, body in page], next=last[0] if last else None)


@router.get("/lineage")
def get_lineage(
    node_id: NodeId, home: HomeDep, _: Annotated[Caller, needs("read:lineage")], depth: Depth = 20
) -> LineageGraph:
    """Datasets and the jobs between them, as Marquez has them."""
    from engine.lineage import marquez

    with home.database.read() as db:
        found = marquez.marquez_lineage(_graph(db), node_id, depth, _about(db), home.settings.lineage_namespace)
    return LineageGraph.model_validate(found)


@router.get("/column-lineage")
def get_column_lineage(
    node_id: NodeId,
    home: HomeDep,
    _: Annotated[Caller, needs("read:lineage")],
    depth: Depth = 20,
    with_downstream: Annotated[bool, Query(alias="withDownstream")] = False,
) -> ColumnLineageGraph:
    """Columns and the ways between them, as Marquez has them."""
    from engine.lineage import marquez

    with home.database.read() as db:
        found = marquez.marquez_column_lineage(
            _graph(db), node_id, depth, with_downstream, _about(db), home.settings.lineage_namespace
        )
    return ColumnLineageGraph.model_validate(found)


def _graph(db: Session) -> "Graph":
    from engine.lineage.graph import Graph

    return Graph(lineage.edges(db))


def _find(db: Session, home: Home, graph: "Graph", name: str) -> "Node":
    """The node, or a NotFound that says what would make it known."""
    try:
        return graph.find(name)
    except NotFound:
        known = catalog.files(home.settings.pipelines)
        models = {path.stem for path in (home.settings.pipelines / "navigate").glob("*.sql")}
        if name in known and runs.newest(db, name) is None:
            raise NotFound(f"`{name}` has not run yet.", hint=f"run {name}") from None
        if name in models:
            raise NotFound(f"The table of `{name}` is not built yet.", hint=f"why {name}") from None
        raise


def _about(db: Session) -> dict[str, Any]:
    """What Marquez's clients show beside the edges."""
    about: dict[str, Any] = {}
    for dataset, version in datasets.current(db):
        name = f"navigate.{dataset.name}" if dataset.kind == "model" else dataset.name
        at = version.published_at.isoformat()
        about[name] = {
            "columns": version.columns, "tags": [],
            "description": dataset.description, "created_at": at, "updated_at": at, "version": str(version.number),
        }  # fmt: skip
    return about
