"""The graph in the shapes of Marquez's read API, so that its clients work on it."""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from core.errors import BadInput, NotFound
from engine.lineage.events import NAMESPACE
from engine.lineage.graph import Graph, Node, Way, split_node_id


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
    graph: Graph, node_id: str, depth: int = 20, about: Mapping[str, About] | None = None
) -> dict[str, Any]:
    """`GET /lineage`: datasets and the jobs between them, `depth` steps either way."""
    known = about or {}
    start = _node(graph, node_id, known)
    steps = _around(graph, start, depth)
    datasets = {start.dataset, *(end for pair in steps for end in pair)}
    inputs = {d: sorted({a for a, b in steps if b == d}) for d in datasets}
    outputs = {d: sorted({b for a, b in steps if a == d}) for d in datasets}
    nodes = []
    for dataset in sorted(datasets):
        dataset_id = _dataset_id(dataset, known)
        in_edges = [_edge(_job_id(dataset), dataset_id)] if inputs[dataset] else []
        out_edges = [_edge(dataset_id, _job_id(target)) for target in outputs[dataset]]
        nodes.append(_graph_node(dataset_id, "DATASET", _dataset(dataset, known), in_edges, out_edges))
        if inputs[dataset]:
            nodes.append(
                _graph_node(
                    _job_id(dataset),
                    "JOB",
                    _job(dataset, inputs[dataset], known),
                    [_edge(_dataset_id(source, known), _job_id(dataset)) for source in inputs[dataset]],
                    [_edge(_job_id(dataset), dataset_id)],
                )
            )
    return {"graph": nodes}


def marquez_column_lineage(
    graph: Graph,
    node_id: str,
    depth: int = 20,
    with_downstream: bool = False,
    about: Mapping[str, About] | None = None,
) -> dict[str, Any]:
    """`GET /column-lineage`: the columns that lead to a column, or to every column of a dataset or job."""
    known = about or {}
    start = _node(graph, node_id, known)
    starts = [start] if start.column else [Node(start.dataset, column) for column in graph.columns(start.dataset)]
    ways: dict[Way, None] = {}
    for node in starts:
        found = graph.upstream(node, depth) + (graph.downstream(node, depth) if with_downstream else [])
        ways.update(dict.fromkeys(way for way in found if way.source.is_column and way.target.is_column))
    nodes = sorted({*starts, *(end for way in ways for end in (way.source, way.target))})
    return {
        "graph": [
            _graph_node(
                _field_id(node, known),
                "DATASET_FIELD",
                _field(node, [way for way in ways if way.target == node], known),
                [_edge(_field_id(way.source, known), _field_id(node, known)) for way in ways if way.target == node],
                [_edge(_field_id(node, known), _field_id(way.target, known)) for way in ways if way.source == node],
            )
            for node in nodes
        ]
    }


def job_name(dataset: str) -> str:
    """The job that makes a dataset."""
    if dataset.startswith("explore."):
        return f"{dataset.removeprefix('explore.')}.explore"
    return dataset if dataset.startswith("navigate.") else f"{dataset}.chart"


def _node(graph: Graph, node_id: str, about: Mapping[str, About]) -> Node:
    kind, *rest = split_node_id(node_id)
    if kind not in ("dataset", "job", "datasetField") or len(rest) < (3 if kind == "datasetField" else 2):
        raise BadInput(
            f"`{node_id[:120]}` is no node id.",
            hint="Write dataset:NAMESPACE:NAME, job:NAMESPACE:NAME or datasetField:NAMESPACE:DATASET:COLUMN.",
        )
    namespace, name, column = rest[0], rest[1], ":".join(rest[2:])
    node = Node(name, column) if kind == "datasetField" else Node(name)
    if kind == "job":
        node = next((Node(dataset) for dataset in graph.datasets if job_name(dataset) == name), Node(name))
    if node not in graph.nodes or _namespace(node.dataset, about) != namespace:
        raise NotFound(f"There is no node `{node_id[:120]}`.", hint="The datasets are at /api/v1/datasets.")
    return node


def _around(graph: Graph, start: Node, depth: int) -> list[tuple[str, str]]:
    whole = Node(start.dataset)
    found = graph.upstream(whole, depth) + graph.downstream(whole, depth)
    return list(dict.fromkeys((way.source.dataset, way.target.dataset) for way in found))


def _namespace(dataset: str, about: Mapping[str, About]) -> str:
    return about.get(dataset, {}).get("namespace", NAMESPACE)


def _dataset_id(dataset: str, about: Mapping[str, About]) -> str:
    return f"dataset:{_namespace(dataset, about)}:{dataset}"


def _field_id(node: Node, about: Mapping[str, About]) -> str:
    return f"datasetField:{_namespace(node.dataset, about)}:{node.dataset}:{node.column}"


def _job_id(dataset: str) -> str:
    return f"job:{NAMESPACE}:{job_name(dataset)}"


def _edge(origin: str, destination: str) -> dict[str, str]:
    return {"origin": origin, "destination": destination}


def _graph_node(
    node_id: str, kind: str, data: dict[str, Any], in_edges: list[dict[str, str]], out_edges: list[dict[str, str]]
) -> dict[str, Any]:
    return {"id": node_id, "type": kind, "data": data, "inEdges": in_edges, "outEdges": out_edges}


def _dataset(dataset: str, about: Mapping[str, About]) -> dict[str, Any]:
    facts = about.get(dataset, {})
    namespace = _namespace(dataset, about)
    return {
        "id": {"namespace": namespace, "name": dataset},
        "type": "DB_TABLE",
        "name": dataset,
        "physicalName": dataset,
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


def _job(dataset: str, inputs: Iterable[str], about: Mapping[str, About]) -> dict[str, Any]:
    facts = about.get(dataset, {})
    name = job_name(dataset)
    return {
        "id": {"namespace": NAMESPACE, "name": name},
        "type": "BATCH",
        "name": name,
        "simpleName": name.rsplit(".", 1)[-1],
        "parentJobName": None,
        "createdAt": facts.get("created_at"),
        "updatedAt": facts.get("updated_at"),
        "namespace": NAMESPACE,
        "inputs": [{"namespace": _namespace(source, about), "name": source} for source in inputs],
        "outputs": [{"namespace": _namespace(dataset, about), "name": dataset}],
        "location": None,
        "description": facts.get("description"),
        "latestRun": facts.get("latest_run"),
    }


def _field(node: Node, into: list[Way], about: Mapping[str, About]) -> dict[str, Any]:
    def transformation(way: Way) -> dict[str, Any]:
        kind = "MASKED" if way.masked else "IDENTITY" if way.via == "unchanged" else None
        return {"transformationDescription": way.via, "transformationType": kind}

    facts = about.get(node.dataset, {})
    told = transformation(max(into, key=lambda way: way.masked)) if into else {}
    return {
        "namespace": _namespace(node.dataset, about),
        "dataset": node.dataset,
        "datasetVersion": facts.get("version"),
        "field": node.column,
        "fieldType": facts.get("columns", {}).get(node.column),
        "transformationDescription": told.get("transformationDescription"),
        "transformationType": told.get("transformationType"),
        "inputFields": [
            {
                "namespace": _namespace(way.source.dataset, about),
                "dataset": way.source.dataset,
                "datasetVersion": about.get(way.source.dataset, {}).get("version"),
                "field": way.source.column,
                **transformation(way),
            }
            for way in into
        ],
    }
