"""What comes from what: in words, as a picture, in Marquez's shapes, and as it was reported."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.deps import Caller, HomeDep, needs
from core.errors import NotFound
from engine import catalog
from engine.home import Home
from engine.store import datasets, lineage, privacy, runs

if TYPE_CHECKING:
    from engine.lineage.graph import Graph, Node

router = APIRouter(prefix="/api/v1", tags=["lineage"])

Depth = Annotated[int, Query(ge=0, le=100)]
Name = Annotated[str, Query(max_length=600, description="NAME or NAME.COLUMN.")]
NodeId = Annotated[str, Query(alias="nodeId", max_length=600, description="dataset:SPACE:NAME or datasetField:…")]


@router.get("/lineage/explain")
def explain(
    node: Name,
    home: HomeDep,
    _: Annotated[Caller, needs("read:lineage")],
    direction: Literal["upstream", "downstream"] = "upstream",
) -> dict[str, Any]:
    """Where a table or column comes from, or what depends on it, in sentences."""
    from engine.lineage import words

    with home.database.read() as db:
        graph, personal = _graph(db), privacy.personal_columns(db)
        at = _find(db, home, graph, node)
    up = direction == "upstream"
    taint = graph.taint(at, personal)
    return {
        "node": str(at),
        "sentences": words.explain(graph, at, personal) if up else words.impact(graph, at),
        "upstream": [way.as_json() for way in graph.upstream(at)],
        "downstream": [way.as_json() for way in graph.downstream(at)],
        "personal": bool(taint.masked or taint.unmasked),
    }


@router.get("/lineage/picture", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def picture(
    node: Name,
    home: HomeDep,
    _: Annotated[Caller, needs("read:lineage")],
    direction: Literal["both", "upstream", "downstream"] = "both",
) -> Response:
    """The same as a PNG."""
    from engine.lineage import picture as drawing

    with home.database.read() as db:
        graph = _graph(db)
        at = _find(db, home, graph, node)
    return Response(drawing.draw(graph, at, direction), media_type="image/png")


@router.get("/lineage/events")
def list_events(
    home: HomeDep,
    _: Annotated[Caller, needs("read:lineage")],
    run: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> dict[str, Any]:
    """The OpenLineage events, oldest first; `next` is the `after` of the next page."""
    with home.database.read() as db:
        if run is not None:
            runs.get(db, run)
        page = lineage.event_page(db, run, after, limit)
    return {"items": [body for _, body in page], "next": page[-1][0] if len(page) == limit else None}


@router.get("/lineage")
def marquez_lineage(
    node_id: NodeId, home: HomeDep, _: Annotated[Caller, needs("read:lineage")], depth: Depth = 20
) -> dict[str, Any]:
    """Datasets and the jobs between them, as Marquez has them."""
    from engine.lineage import marquez

    with home.database.read() as db:
        return marquez.marquez_lineage(_graph(db), node_id, depth, _about(db, home))


@router.get("/column-lineage")
def marquez_column_lineage(
    node_id: NodeId,
    home: HomeDep,
    _: Annotated[Caller, needs("read:lineage")],
    depth: Depth = 20,
    with_downstream: Annotated[bool, Query(alias="withDownstream")] = False,
) -> dict[str, Any]:
    """Columns and the ways between them, as Marquez has them."""
    from engine.lineage import marquez

    with home.database.read() as db:
        return marquez.marquez_column_lineage(_graph(db), node_id, depth, with_downstream, _about(db, home))


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
            raise NotFound(f"The table of `{name}` is not built yet.", hint="pipelines") from None
        raise


def _about(db: Session, home: Home) -> dict[str, Any]:
    """What Marquez's clients show beside the edges."""
    about: dict[str, Any] = {}
    for dataset, version in datasets.listed(db):
        name = f"navigate.{dataset.name}" if dataset.kind == "model" else dataset.name
        at = version.published_at.isoformat()
        about[name] = {
            "namespace": home.settings.lineage_namespace, "columns": version.columns, "tags": [],
            "description": dataset.description, "created_at": at, "updated_at": at, "version": str(version.number),
        }  # fmt: skip
    return about
