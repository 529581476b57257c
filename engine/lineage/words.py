"""The lineage of a node in sentences, for people."""

from collections.abc import Iterable

from engine.lineage.graph import Graph, Node, Way

_DECIDING = ("grouped by", "joined on", "filtered by", "depending on", "sorted by")
_MOST = 6  # names in one sentence


def explain(graph: Graph, node: Node | str, personal: Iterable[str]) -> list[str]:
    """Where a node comes from and whether personal data reaches it."""
    at = graph.find(node) if isinstance(node, str) else node
    told = _column(graph, at) if at.column else _dataset(graph, at)
    return [*told, _personal(graph, at, personal)]


def impact(graph: Graph, node: Node | str) -> list[str]:
    """What depends on a node."""
    at = graph.find(node) if isinstance(node, str) else node
    ways = graph.downstream(at)
    tables = list(dict.fromkeys(Node(way.target.dataset) for way in ways if way.target.dataset != at.dataset))
    shown = [table for table in tables if graph.layer(table.dataset) != "explore"]
    if not shown:
        return [f"Nothing depends on {at}."]
    noun = "table depends" if len(shown) == 1 else "tables depend"
    told = [f"{len(shown)} {noun} on {at}: {_names(shown)}."]
    if at.column:
        direct = _ends(ways, direct=True)
        told += [f"It feeds {_names(direct)}."] if direct else ["It feeds no other column."]
        deciding = [end for end in _ends(ways, direct=False) if end not in direct]
        told += [f"It decides about {_names(deciding)}."] if deciding else []
    return told


def _ends(ways: list[Way], *, direct: bool) -> list[Node]:
    """The columns reached by values alone, or those where anything else took part."""
    values: set[Node] = set()
    decided: set[Node] = set()
    for way in ways:
        reached = way.direct and way.source not in decided
        (values if reached else decided).add(way.target)
    return sorted(values if direct else decided - values)


def _column(graph: Graph, node: Node) -> list[str]:
    ways = graph.into.get(node, [])
    if not ways:
        layer = graph.layer(node.dataset)
        if layer == "navigate" or layer == "chart":
            return [f"{node.column} comes from no other column."]
        return [f"{node.column} is read from {node.dataset}; Atlas knows nothing before it."]
    if graph.layer(node.dataset) != "navigate":
        return [_origin(graph, node)]
    told = [f"{node.column} {_made(ways)}."]
    inputs = dict.fromkeys(way.source for way in ways if way.direct and way.source.is_column)
    told += [_origin(graph, source) for source in list(inputs)[:_MOST] if graph.into.get(source)]
    return told


def _made(ways: list[Way]) -> str:
    """`is the sum of invoices.total, grouped by invoices.billing_country`"""
    by_via: dict[str, list[Node]] = {}
    for way in ways:
        by_via.setdefault(way.via, []).append(way.source)
    direct = [via for via in by_via if any(way.direct for way in ways if way.via == via)]
    parts = []
    for via in sorted(direct, key=lambda via: via != "unchanged"):
        if via == "unchanged":
            parts.append(f"comes unchanged from {_names(by_via[via])}")
        else:
            parts.append(f"is {via} {_names(by_via[via])}")
    told = " and ".join(parts) or "takes its value from no column"
    return told + "".join(f", {via} {_names(by_via[via])}" for via in _DECIDING if via in by_via)


def _origin(graph: Graph, node: Node) -> str:
    """A column back to where it was read: through any number of steps that leave it as it is."""
    at, masked = node, []
    while True:
        ways = [way for way in graph.into.get(at, []) if way.direct]
        if len(ways) != 1 or not (ways[0].via == "unchanged" or ways[0].masked) or ways[0].source == node:
            break
        masked += [ways[0].via] if ways[0].masked else []
        at = ways[0].source
        if graph.layer(at.dataset) == "source":
            break
    if at == node:
        return f"{node} {_made(graph.into.get(node, []))}."
    place = f"{at.dataset}" if at.column == node.column else str(at)
    if masked:
        return f"{node} comes from {place} and is {' and '.join(masked)}."
    return f"{node} comes unchanged from {place}."


def _dataset(graph: Graph, node: Node) -> list[str]:
    layer = graph.layer(node.dataset)
    inputs = [way.source for way in graph.into.get(node, [])]
    used_by = [way.target for way in graph.out_of.get(node, [])]
    if layer == "source":
        told = [f"{node} is a source; {_names(used_by)} is read from it."]
    elif layer == "navigate":
        told = [f"{node} is built from {_names(inputs)}." if inputs else f"{node} is built from no other table."]
    else:
        origins = [way.source for way in graph.upstream(node) if graph.layer(way.source.dataset) == "source"]
        names = _names(dict.fromkeys(Node(origin.dataset) for origin in origins))
        told = [f"{node} comes from {names}." if names else f"{node} comes from a source that is not known yet."]
    masked = [
        way for c in graph.columns(node.dataset) for way in graph.into.get(Node(node.dataset, c), []) if way.masked
    ]
    if masked:
        how: dict[str, list[str]] = {}
        for way in masked:
            how.setdefault(way.via, []).append(way.target.column)
        told.append("Masked: " + "; ".join(f"{_names(columns)} {via}" for via, columns in how.items()) + ".")
    tables = [table for table in used_by if graph.layer(table.dataset) == "navigate"]
    if tables:
        noun = "model reads" if len(tables) == 1 else "models read"
        told.append(f"{len(tables)} {noun} it: {_names(tables)}.")
    return told


def _personal(graph: Graph, node: Node, personal: Iterable[str]) -> str:
    taint = graph.taint(node, personal)
    told = []
    if taint.unmasked:
        told.append(f"Personal data reaches it unmasked: {_names(taint.unmasked)}.")
    if taint.masked and set(taint.masked.values()) == {"hashed"}:
        told.append(f"{'Hashed' if told else 'Only hashed'} values of personal data reach it: {_names(taint.masked)}.")
    elif taint.masked:
        shown = [f"{column} ({via})" for column, via in taint.masked.items()]
        told.append(f"Personal data reaches it masked: {_names(shown)}.")
    if taint.counted and not told:
        told.append(f"Only counts of personal data reach it: {_names(taint.counted)}.")
    if taint.deciding and not told:
        verb = "decides" if len(taint.deciding) == 1 else "decide"
        told.append(f"No value of personal data reaches it, but {_names(taint.deciding)} {verb} about it.")
    return " ".join(told) or "No personal data reaches it."


def _names(names: Iterable[object]) -> str:
    """`a`, `a and b`, `a, b, c and 4 more`"""
    shown = list(dict.fromkeys(str(name) for name in names))
    if len(shown) > _MOST:
        shown = [*shown[: _MOST - 1], f"{len(shown) - _MOST + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""
