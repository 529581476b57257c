from typing import Any

import pytest

from core.errors import BadInput, NotFound
from engine.lineage.marquez import About, marquez_column_lineage, marquez_lineage
from tests.lineage.shop import graph

ABOUT: dict[str, About] = {
    "customers": {"columns": {"email": "VARCHAR"}, "version": "7", "updated_at": "2026-11-23T06:00:00Z"},
}


def consistent(answer: dict[str, Any]) -> None:
    ids = {node["id"] for node in answer["graph"]}
    for node in answer["graph"]:
        assert {"id", "type", "data", "inEdges", "outEdges"} == node.keys()
        for edge in node["inEdges"]:
            assert edge["destination"] == node["id"]
            assert edge["origin"] in ids
        for edge in node["outEdges"]:
            assert edge["origin"] == node["id"]
            assert edge["destination"] in ids


def test_datasets_and_jobs_take_turns() -> None:
    answer = marquez_lineage(graph(), "dataset:atlas:customers", about=ABOUT)
    consistent(answer)
    by_id = {node["id"]: node for node in answer["graph"]}
    assert by_id["dataset:file:/data/customers.csv"]["outEdges"] == [
        {"origin": "dataset:file:/data/customers.csv", "destination": "job:atlas:customers.explore"}
    ]
    assert by_id["job:atlas:customers.chart"]["data"]["inputs"] == [{"namespace": "atlas", "name": "explore.customers"}]
    assert by_id["dataset:atlas:customers"]["data"]["fields"][0]["name"] == "email"
    assert "job:atlas:navigate.market" in by_id


def test_a_job_is_a_node_too() -> None:
    assert marquez_lineage(graph(), "job:atlas:customers.chart") == marquez_lineage(graph(), "dataset:atlas:customers")


def test_depth_counts_steps() -> None:
    near = marquez_lineage(graph(), "dataset:atlas:navigate.market", depth=1)
    assert {node["id"] for node in near["graph"] if node["type"] == "DATASET"} == {
        "dataset:atlas:navigate.market",
        "dataset:atlas:navigate.revenue_by_country",
        "dataset:atlas:navigate.customers_by_country",
    }


def test_columns_lead_to_columns_and_masking_is_told() -> None:
    answer = marquez_column_lineage(graph(), "datasetField:atlas:customers:email", about=ABOUT)
    consistent(answer)
    by_id = {node["id"]: node["data"] for node in answer["graph"]}
    email = by_id["datasetField:atlas:customers:email"]
    assert email["transformationType"] == "MASKED"
    assert email["fieldType"] == "VARCHAR"
    assert email["inputFields"][0]["field"] == "email"
    assert by_id.keys() == {
        "datasetField:atlas:customers:email",
        "datasetField:atlas:explore.customers:email",
        "datasetField:file:/data/customers.csv:email",
    }
    down = marquez_column_lineage(graph(), "datasetField:atlas:customers:email", with_downstream=True)
    assert any(node["id"] == "datasetField:atlas:navigate.market:per_customer" for node in down["graph"])


def test_an_unknown_node_is_not_found_and_nonsense_is_refused() -> None:
    with pytest.raises(NotFound):
        marquez_lineage(graph(), "dataset:atlas:nothing")
    with pytest.raises(NotFound):
        marquez_lineage(graph(), "dataset:elsewhere:customers")
    with pytest.raises(BadInput):
        marquez_lineage(graph(), "customers")
