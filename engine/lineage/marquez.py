"""The graph in the shapes of Marquez's read API, so that its clients work on it."""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from core.errors import BadInput, NotFound
from engine.lineage.events import NAMESPACE
from engine.lineage.graph import Graph, Node, Way, split_node_id
from engine.lineage.names import Named


class About(TypedDict, total=False):
    """What is known of a dataset beside its edges. Times are ISO 8601."""

    namespace: str
    columns: Mapping[str, str]
    description: str | None
    tags: list[str]
    created_at: str | None
    updated_at: str | None
    version: str | None
    latest_run: Mapping[str, Any] | None


def marquez_lineage(
    graph: Graph, node_id: str, depth: int = 20, about: Mapping[str, About] | None = None, space: str = NAMESPACE
) -> dict[str, Any]:
    """`GET /lineage`: datasets and the jobs between them, `depth` steps either way. `space` is Atlas's namespace."""
    called = _Called(graph, about or {}, space)
    start = called.node(node_id)
    steps = _around(graph, start, depth)
    datasets = {start.dataset, *(end for pair in steps for end in pair)}
    inputs = {d: sorted({a for a, b in steps if b == d}) for d in datasets}
    outputs = {d: sorted({b for a, b in steps if a == d}) for d in datasets}
    nodes = []
    for dataset in sorted(datasets):
        dataset_id, job_id = called.dataset_id(dataset), called.job_id(dataset)
        in_edges = [_edge(job_id, dataset_id)] if inputs[dataset] else []
        out_edges = [_edge(dataset_id, called.job_id(target)) for target in outputs[dataset]]
        nodes.append(_graph_node(dataset_id, "DATASET", _dataset(dataset, called), in_edges, out_edges))
        if inputs[dataset]:
            nodes.append(
                _graph_node(
                    job_id,
                    "JOB",
                    _job(dataset, inputs[dataset], called),
                    [_edge(called.dataset_id(source), job_id) for source in inputs[dataset]],
                    [_edge(job_id, dataset_id)],
                )
            )
    return {"graph": nodes}


def marquez_column_lineage(
    graph: Graph,
    node_id: str,
    depth: int = 20,
    with_downstream: bool = False,
    about: Mapping[str, About] | None = None,
    space: str = NAMESPACE,
) -> dict[str, Any]:
    """`GET /column-lineage`: the columns that lead to a column, or to every column of a dataset or job."""
    called = _Called(graph, about or {}, space)
    start = called.node(node_id)
    starts = [start] if start.column else [Node(start.dataset, column) for column in graph.columns(start.dataset)]
    ways: dict[Way, None] = {}
    for node in starts:
        found = graph.upstream(node, depth) + (graph.downstream(node, depth) if with_downstream else [])
        ways.update(dict.fromkeys(way for way in found if way.source.is_column and way.target.is_column))
    nodes = sorted({*starts, *(end for way in ways for end in (way.source, way.target))})
    field_id = called.field_id
    return {
        "graph": [
            _graph_node(
                field_id(node),
                "DATASET_FIELD",
                _field(node, [way for way in ways if way.target == node], called),
                [_edge(field_id(way.source), field_id(node)) for way in ways if way.target == node],
                [_edge(field_id(node), field_id(way.target)) for way in ways if way.source == node],
            )
            for node in nodes
        ]
    }


def job_name(dataset: str) -> str:
    """The job that makes a dataset."""
    if dataset.startswith("explore."):
        return f"{dataset.removeprefix('explore.')}.explore"
    return dataset if dataset.startswith("navigate.") else f"{dataset}.chart"


class _Called:
    """What nodes are called in events, and which node a name of theirs means."""

    def __init__(self, graph: Graph, about: Mapping[str, About], space: str) -> None:
        self.graph, self.about, self.space = graph, about, space
        self.meant = {self.name(dataset): dataset for dataset in graph.datasets}

    def name(self, dataset: str) -> Named:
        outside = self.graph.outside.get(dataset)
        return outside or Named(self.facts(dataset).get("namespace", self.space), dataset)

    def facts(self, dataset: str) -> About:
        return self.about.get(dataset, {})

    def as_json(self, dataset: str) -> dict[str, str]:
        return self.name(dataset)._asdict()

    def dataset_id(self, dataset: str) -> str:
        return f"dataset:{':'.join(self.name(dataset))}"

    def field_id(self, node: Node) -> str:
        return f"datasetField:{':'.join(self.name(node.dataset))}:{node.column}"

    def job_id(self, dataset: str) -> str:
        return f"job:{self.space}:{job_name(dataset)}"

    def node(self, node_id: str) -> Node:
        """Raises BadInput for what is no node id, NotFound for one of no node."""
        kind, *rest = split_node_id(node_id)
        if kind not in ("dataset", "job", "datasetField") or len(rest) < (3 if kind == "datasetField" else 2):
            raise BadInput(
                f"`{node_id[:120]}` is no node id.",
                hint="Write dataset:NAMESPACE:NAME, job:NAMESPACE:NAME or datasetField:NAMESPACE:DATASET:COLUMN.",
            )
        named = Named(rest[0], rest[1])
        if kind == "job":
            jobs = {Named(self.space, job_name(dataset)): dataset for dataset in self.graph.datasets}
            dataset = jobs.get(named)
        else:
            dataset = self.meant.get(named)
        node = Node(dataset or "", ":".join(rest[2:]) if kind == "datasetField" else "")
        if dataset is None or node not in self.graph.nodes:
            raise NotFound(f"There is no node `{node_id[:120]}`.", hint="The datasets are at /api/v1/datasets.")
        return node


def _around(graph: Graph, start: Node, depth: int) -> list[tuple[str, str]]:
    whole = Node(start.dataset)
    found = graph.upstream(whole, depth) + graph.downstream(whole, depth)
    return list(dict.fromkeys((way.source.dataset, way.target.dataset) for way in found))


def _edge(origin: str, destination: str) -> dict[str, str]:
    return {"origin": origin, "destination": destination}


def _graph_node(
    node_id: str, kind: str, data: dict[str, Any], in_edges: list[dict[str, str]], out_edges: list[dict[str, str]]
) -> dict[str, Any]:
    return {"id": node_id, "type": kind, "data": data, "inEdges": in_edges, "outEdges": out_edges}


def _dataset(dataset: str, called: _Called) -> dict[str, Any]:
    facts = called.facts(dataset)
    namespace, name = called.name(dataset)
    return {
        "id": {"namespace": namespace, "name": name},
        "type": "DB_TABLE",
        "name": name,
        "physicalName": name,
        "createdAt": facts.get("created_at"),
        "updatedAt": facts.get("updated_at"),
        "namespace": namespace,
        "sourceName": namespace,
        "fields": [
            {"name": name, "type": str(type_), "tags": [], "description": None}
            for name, type_ in facts.get("columns", {}).items()
        ],
        "tags": list(facts.get("tags", [])),
        "lastModifiedAt": facts.get("updated_at"),
        "description": facts.get("description"),
        "lastLifecycleState": None,
    }


def _job(dataset: str, inputs: Iterable[str], called: _Called) -> dict[str, Any]:
    facts = called.facts(dataset)
    name = job_name(dataset)
    return {
        "id": {"namespace": called.space, "name": name},
        "type": "BATCH",
        "name": name,
        "simpleName": name.rsplit(".", 1)[-1],
        "parentJobName": None,
        "createdAt": facts.get("created_at"),
        "updatedAt": facts.get("updated_at"),
        "namespace": called.space,
        "inputs": [called.as_json(source) for source in inputs],
        "outputs": [called.as_json(dataset)],
        "location": None,
        "description": facts.get("description"),
        "latestRun": facts.get("latest_run"),
    }


def _field(node: Node, into: list[Way], called: _Called) -> dict[str, Any]:
    def transformation(way: Way) -> dict[str, Any]:
        kind = "MASKED" if way.masked else "IDENTITY" if way.via == "unchanged" else None
        return {"transformationDescription": way.via, "transformationType": kind}

    def place(dataset: str) -> dict[str, Any]:
        namespace, name = called.name(dataset)
        return {"namespace": namespace, "dataset": name, "datasetVersion": called.facts(dataset).get("version")}

    told = transformation(max(into, key=lambda way: way.masked)) if into else {}
    return {
        **place(node.dataset),
        "field": node.column,
        "fieldType": called.facts(node.dataset).get("columns", {}).get(node.column),
        "transformationDescription": told.get("transformationDescription"),
        "transformationType": told.get("transformationType"),
        "inputFields": [
            {**place(way.source.dataset), "field": way.source.column, **transformation(way)} for way in into
        ],
    }
