"""The lineage graph: what comes from what, through how many steps it may be, and in which words."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from core.errors import NotFound
from engine.lineage import names
from engine.lineage.columns import INDIRECT

Layer = Literal["source", "explore", "chart", "navigate"]
_COUNTS = ("the count of", "the number of different", "the count of rows of")  # say how many, not which


ROWS = "*"  # in place of a column: only how many rows there are counts


@dataclass(frozen=True, order=True)
class Node:
    """A dataset, or one of its columns."""

    dataset: str
    column: str = ""

    @property
    def is_column(self) -> bool:
        return self.column not in ("", ROWS)

    def __str__(self) -> str:
        """As people call it: models go without their layer."""
        dataset = self.dataset.removeprefix("navigate.")
        return f"{dataset}.{self.column}" if self.is_column else dataset


@dataclass(frozen=True)
class Way:
    """One step from a node to the next."""

    source: Node
    target: Node
    via: str
    direct: bool
    masked: bool

    def as_json(self) -> dict[str, Any]:
        return {"from": str(self.source), "to": str(self.target), "via": self.via, "masked": self.masked}


@dataclass(frozen=True)
class Taint:
    """The personal columns whose values reach a node: masked (and how), or as they are.

    Of others only counts reach it, or they only decide about its values and rows.
    """

    masked: dict[Node, str]
    unmasked: tuple[Node, ...]
    counted: tuple[Node, ...] = ()
    deciding: tuple[Node, ...] = ()


class Graph:
    """Datasets and columns and the ways between them, from edges as they are stored.

    An edge is a dict: from_dataset, from_column, to_dataset, to_column, via, masked and, optionally, direct.
    Columns are None between whole datasets; from_column alone is None where rows are counted. Here, a dataset outside
    Atlas has a short name; `outside` tells what it is called elsewhere.
    """

    def __init__(self, edges: Iterable[Mapping[str, Any]]) -> None:
        edges = list(edges)
        labels = names.labels(dict.fromkeys(edge[key] for edge in edges for key in ("from_dataset", "to_dataset")))
        named = {label: names.read(dataset) for dataset, label in labels.items()}
        self.outside = {label: found for label, found in named.items() if found}
        ways = list(dict.fromkeys(_way(edge, labels) for edge in edges))
        known = {(way.source, way.target) for way in ways if not way.target.column}
        for way in list(ways):  # between two datasets there is always one way for all of their columns
            pair = (Node(way.source.dataset), Node(way.target.dataset))
            if pair not in known:
                known.add(pair)
                ways.append(Way(*pair, "built from", True, False))
        self.into: dict[Node, list[Way]] = {}
        self.out_of: dict[Node, list[Way]] = {}
        for way in ways:
            self.into.setdefault(way.target, []).append(way)
            self.out_of.setdefault(way.source, []).append(way)
        self.nodes = self.into.keys() | self.out_of.keys()
        self.datasets = sorted({node.dataset for node in self.nodes})

    def find(self, name: str) -> Node:
        """The node that people mean: `customers`, `customers.email`, `explore.customers.email`, a model with or
        without `navigate.`, a source by its short name or as events name it. Raises NotFound with the nearest names."""
        called = {alias: dataset for dataset in self.datasets for alias in self._called(dataset)}
        called |= {dataset.lower(): dataset for dataset in self.datasets}
        for candidate in (name, f"navigate.{name}"):
            for alias in sorted(called, key=len, reverse=True):
                dataset = called[alias]
                if candidate.lower() == alias:
                    return Node(dataset)
                if candidate.lower().startswith(alias + "."):
                    rest = candidate[len(alias) + 1 :].lower()
                    columns = [c for c in self.columns(dataset) if c.lower() == rest]
                    if columns:
                        return Node(dataset, columns[0])
        known = sorted({str(node) for node in self.nodes if bool(node.column) == ("." in name)})
        close = get_close_matches(name, known, 3, 0.6)
        hint = f"Did you mean {' or '.join(close)}?" if close else "Say: datasets"
        raise NotFound(f"No lineage is known of `{name[:80]}`.", hint=hint)

    def _called(self, dataset: str) -> list[str]:
        """What a dataset outside Atlas is called in events."""
        named = self.outside.get(dataset)
        return [named.name.lower(), str(named).lower()] if named else []

    def columns(self, dataset: str) -> list[str]:
        """The columns of a dataset that the graph knows, in the order they came."""
        nodes = (node for node in [*self.into, *self.out_of] if node.dataset == dataset)
        return list(dict.fromkeys(node.column for node in nodes if node.is_column))

    def layer(self, dataset: str) -> Layer:
        """Where a dataset stands. A dataset made from its own raw version is charted; from others, a model."""
        if dataset in self.outside:
            return "source"
        inputs = {way.source.dataset for way in self.into.get(Node(dataset), [])}
        if dataset.startswith("explore."):
            return "explore"
        if f"explore.{dataset}" in inputs:
            return "chart"
        if dataset.startswith("navigate.") or inputs:
            return "navigate"
        return "chart" if re.fullmatch(r"[a-z][a-z0-9_]*", dataset) else "source"

    def upstream(self, node: Node | str, depth: int | None = None) -> list[Way]:
        """Every way that leads to the node, nearest first."""
        return self._walk(node, self.into, lambda way: way.source, depth)

    def downstream(self, node: Node | str, depth: int | None = None) -> list[Way]:
        """Every way that starts at the node, nearest first."""
        return self._walk(node, self.out_of, lambda way: way.target, depth)

    def _walk(
        self,
        node: Node | str,
        ways: Mapping[Node, list[Way]],
        end: Callable[[Way], Node],
        depth: int | None,
    ) -> list[Way]:
        start = self.find(node) if isinstance(node, str) else node
        found: dict[Way, None] = {}
        seen, queue = {start}, deque([(start, 0)])
        while queue:
            at, far = queue.popleft()
            if depth is not None and far >= depth:
                continue
            for way in ways.get(Node(at.dataset) if at.column == ROWS else at, []):
                found[way] = None
                if end(way) not in seen:
                    seen.add(end(way))
                    queue.append((end(way), far + 1))
        return list(found)

    def taint(self, node: Node | str, personal: Iterable[str]) -> Taint:
        """Which personal columns reach a node by value.

        `personal` names columns as `customers.email`; their masking is what the edge into the charted
        dataset says. A count of values carries none of them.
        """
        start = self.find(node) if isinstance(node, str) else node
        targets = {start} if start.column else {Node(start.dataset, column) for column in self.columns(start.dataset)}
        masked: dict[Node, str] = {}
        found: dict[str, set[Node]] = {"plain": set(), "counted": set(), "deciding": set()}
        for name in sorted(set(personal)):
            try:
                column = self.find(name)
            except NotFound:
                continue  # a column that no lineage is known of reaches nothing
            for kind, via in self._reached(self._origin(column), targets):
                if kind == "masked":
                    masked[column] = via
                else:
                    found[kind].add(column)
        masked = {column: via for column, via in masked.items() if column not in found["plain"]}
        counted = found["counted"] - found["plain"] - masked.keys()
        deciding = found["deciding"] - counted - found["plain"] - masked.keys()
        return Taint(masked, tuple(sorted(found["plain"])), tuple(sorted(counted)), tuple(sorted(deciding)))

    def _origin(self, column: Node) -> Node:
        """Where a personal column was before it was masked, as far back as it is one column."""
        at, seen = Node(f"explore.{column.dataset}", column.column), {column}
        at = at if at in self.nodes else column
        while at not in seen:
            seen.add(at)
            before = [way.source for way in self.into.get(at, []) if way.via == "unchanged"]
            at = before[0] if len(before) == 1 else at
        return at

    def _reached(self, root: Node, targets: set[Node]) -> set[tuple[str, str]]:
        """How a personal column arrives at one of the targets: plain, masked (and by which masking), counted, or only
        deciding."""
        start = (root, "plain", "")
        seen, queue, arrived = {start}, deque([start]), set()
        while queue:
            at, kind, how = queue.popleft()
            if at in targets:
                arrived.add((kind, how))
            for way in self.out_of.get(at, []):
                if not way.direct or kind == "deciding":
                    step = (way.target, "deciding", "")
                elif way.via in _COUNTS or kind == "counted":
                    step = (way.target, "counted", "")
                else:
                    by = how or (way.via if way.masked else "")
                    step = (way.target, "masked" if by else "plain", by)
                if step not in seen:
                    seen.add(step)
                    queue.append(step)
        return arrived


def _way(edge: Mapping[str, Any], labels: Mapping[str, str]) -> Way:
    target = Node(labels[edge["to_dataset"]], edge["to_column"] or "")
    source = Node(labels[edge["from_dataset"]], edge["from_column"] or (ROWS if target.column else ""))
    via = str(edge["via"])
    return Way(source, target, via, bool(edge.get("direct", via not in INDIRECT)), bool(edge["masked"]))


def split_node_id(node_id: str) -> list[str]:
    """`dataset:atlas:customers` in its parts; colons of `postgres://host:5432` do not part."""
    return re.split(r":(?!//|\d+(?::|$))", node_id)
