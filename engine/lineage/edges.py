"""The edges of the lineage graph that one step of a run makes, as plain dicts that are stored and drawn."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from core.models import Verdict
from engine.lineage.columns import ColumnEdge

Edge = dict[str, Any]  # from_dataset, from_column, to_dataset, to_column, via, direct, masked

WORDS = {
    "hash": "hashed",
    "redact": "redacted",
    "partial": "shortened",
    "generalize": "generalized",
    "tokenize": "tokenized",
    "keep": "unchanged",
}


def explore_edges(source: str, dataset: str, columns: Iterable[str]) -> list[Edge]:
    """From a source into the raw version: every value as it is."""
    raw = f"explore.{dataset}"
    return [_edge(source, None, raw, None, "read from"), *(_edge(source, c, raw, c, "unchanged") for c in columns)]


def chart_edges(
    dataset: str,
    columns: Iterable[str],
    verdicts: Mapping[str, Verdict],
    found: Mapping[str, Mapping[str, int]] | None = None,
) -> list[Edge]:
    """From the raw version into the charted one: unchanged, or what the verdict did.

    `found` counts the cells masked by column and type: a column kept by its verdict in which single
    cells were masked is "cleaned".
    """
    raw = f"explore.{dataset}"
    edges = [_edge(raw, None, dataset, None, "charted from")]
    for column in columns:
        verdict = verdicts.get(column, Verdict(column))
        cleaned = sum((found or {}).get(column, {}).values()) > 0
        via = WORDS.get(verdict.action, verdict.action)
        if (verdict.action == "keep" and cleaned) or (verdict.action != "keep" and verdict.scope != "column"):
            via = "cleaned"
        edges.append(_edge(raw, column, dataset, column, via, masked=via != "unchanged"))
    return edges


def model_edges(model: str, columns: Iterable[ColumnEdge], models: Collection[str] = ()) -> list[Edge]:
    """From its tables into a model. `models` are those of the tables that are models too."""
    target = f"navigate.{model}"
    found = [(f"navigate.{e.from_table}" if e.from_table in models else e.from_table, e) for e in columns]
    tables = dict.fromkeys(table for table, _ in found)
    return [
        *(_edge(table, None, target, None, "built from") for table in tables),
        *(_edge(table, e.from_column, target, e.to_column, e.via, direct=e.direct) for table, e in found),
    ]


def _edge(
    from_dataset: str,
    from_column: str | None,
    to_dataset: str,
    to_column: str | None,
    via: str,
    *,
    direct: bool = True,
    masked: bool = False,
) -> Edge:
    return {
        "from_dataset": from_dataset,
        "from_column": from_column,
        "to_dataset": to_dataset,
        "to_column": to_column,
        "via": via,
        "direct": direct,
        "masked": masked,
    }
