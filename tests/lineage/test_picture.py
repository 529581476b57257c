import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.drawing import width
from engine.lineage.edges import Edge
from engine.lineage.graph import Graph, Node
from engine.lineage.picture import _Card, _Row, draw
from tests.lineage.shop import graph
from tests.pictures import ink, size


def chain(*names: str, column: str = "x", masked: bool = False) -> list[Edge]:
    return [
        {"from_dataset": a, "from_column": column, "to_dataset": b, "to_column": column, "via": "unchanged",
         "masked": masked}
        for a, b in pairwise(names)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["customers", "customers.email", "market", "market.per_customer", "customers.csv"])
def test_every_node_has_its_picture(name: str) -> None:
    picture = draw(graph(), name)
    across, down = size(picture)
    assert 1400 <= across <= 2400
    assert 200 < down < 4000
    assert ink(picture) > 5000


def test_directions_show_less_than_both() -> None:
    both = size(draw(graph(), "customers"))
    assert size(draw(graph(), "customers", "upstream"))[0] < both[0]
    assert draw(graph(), "customers", "downstream") != draw(graph(), "customers", "upstream")


def test_names_are_drawn_danish_ones_too() -> None:
    pictures = {draw(Graph(chain("a.csv", name)), name) for name in ("ærø", "åro", "øre", "ore", "ÆRØ")}
    assert len(pictures) == 5


def test_masking_is_seen() -> None:
    assert draw(Graph(chain("explore.a", "a", masked=True)), "a.x") != draw(Graph(chain("explore.a", "a")), "a.x")


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_no_name_breaks_a_picture(dataset: str, column: str) -> None:
    edges = chain(dataset, "end", column=column)
    assert ink(draw(Graph(edges), Node("end", column))) > 1000
    assert ink(draw(Graph(edges), Node("end"))) > 1000


@pytest.mark.parametrize(
    "name", ['"', "<b>&amp;", "a\nb\tc", "\\N", "]]>", "\ud800", "\x00\x1b[31m", "x" * 300, "}|{<p0>"]
)
def test_hostile_names_are_only_text(name: str) -> None:
    edges = chain(name, "end", column=name)
    assert ink(draw(Graph(edges), Node("end", name))) > 1000


def test_many_tables_become_a_number() -> None:
    wide = Graph([edge for i in range(84) for edge in chain("hub", f"navigate.m{i}")])
    few = Graph([edge for i in range(20) for edge in chain("hub", f"navigate.m{i}")])
    across, down = size(draw(wide, "hub"))
    assert down <= size(draw(few, "hub"))[1] + 200
    deep = Graph(chain(*(f"navigate.m{i}" for i in range(70))))
    assert size(draw(deep, "m35"))[0] <= 2400
    columns = Graph([edge for i in range(200) for edge in chain("explore.wide", "wide", column=f"c{i}")])
    assert size(draw(columns, "wide"))[1] < 1000
    assert across <= 2400


def test_threads_may_draw_at_once() -> None:
    known, names = graph(), ["customers", "market", "customers.email", "tickets"] * 3
    alone = [draw(known, name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda name: draw(known, name), names)) == alone


def test_nothing_is_written_and_no_home_is_needed(tmp_path: Path) -> None:
    code = (
        "from tests.lineage.shop import graph\n"
        "from engine.lineage.picture import draw\n"
        "from engine.contract.scorecard import draw as score\n"
        "assert draw(graph(), 'customers') and score({'dataset': 'a', 'dimensions': {}})\n"
    )
    home = tmp_path / "home"
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_DATA_HOME": str(home)}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)
    assert list(tmp_path.rglob("*")) == []


def test_how_a_column_is_made_is_never_cut() -> None:
    row = _Row(Node("m", "c"), "c", ("number of different", "grouped by", "joined on", "filtered by", "sorted by"))
    assert " ".join(row.lines) == "number of different, grouped by, joined on, filtered by, sorted by"
    assert len(row.lines) == 2
    card = _Card("m", "m", "navigate", rows=[row])
    assert all(width(line, 10.5) < card.width - 30 for line in row.lines)
