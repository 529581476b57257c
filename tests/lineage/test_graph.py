import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotFound
from engine.lineage.edges import Edge, chart_edges
from engine.lineage.graph import Graph, Node, split_node_id
from engine.lineage.words import explain, impact
from tests.lineage.shop import PERSONAL, graph, verdict


def edge(source: str, target: str, via: str = "unchanged", *, masked: bool = False) -> Edge:
    (from_dataset, from_column), (to_dataset, to_column) = source.split("/"), target.split("/")
    return {
        "from_dataset": from_dataset,
        "from_column": from_column or None,
        "to_dataset": to_dataset,
        "to_column": to_column or None,
        "via": via,
        "masked": masked,
    }


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("customers", Node("customers")),
        ("customers.email", Node("customers", "email")),
        ("CUSTOMERS.EMAIL", Node("customers", "email")),
        ("explore.customers.email", Node("explore.customers", "email")),
        ("customers.csv", Node("customers.csv")),
        ("customers.csv.email", Node("customers.csv", "email")),
        ("market", Node("navigate.market")),
        ("navigate.market.per_customer", Node("navigate.market", "per_customer")),
        ("market.per_customer", Node("navigate.market", "per_customer")),
    ],
)
def test_a_name_finds_its_node(name: str, node: Node) -> None:
    assert graph().find(name) == node


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(NotFound) as caught:
        graph().find("custmers.email")
    assert "customers.email" in str(caught.value.hint)


def test_layers_are_known_from_what_leads_where() -> None:
    known = graph()
    layers = {dataset: known.layer(dataset) for dataset in known.datasets}
    assert layers["customers.csv"] == "source"
    assert layers["explore.customers"] == "explore"
    assert layers["customers"] == "chart"
    assert layers["navigate.market"] == "navigate"


def test_ways_lead_to_the_source_and_to_the_last_table() -> None:
    known = graph()
    up = {str(way.source) for way in known.upstream("market.per_customer")}
    assert {"invoices.csv.total", "explore.customers.email", "customers_by_country.customers"} <= up
    down = {str(way.target) for way in known.downstream("customers.email")}
    assert "market.per_customer" in down
    assert known.upstream("customers.csv") == []
    assert [way.as_json() for way in known.upstream("customers.email", depth=1)] == [
        {"from": "explore.customers.email", "to": "customers.email", "via": "hashed", "masked": True}
    ]


def test_between_datasets_there_is_one_way() -> None:
    ways = graph().upstream("market")
    pairs = [(way.source, way.target) for way in ways]
    assert len(pairs) == len(set(pairs))
    assert all(not way.source.column and not way.target.column for way in ways)


def test_circles_end() -> None:
    circle = Graph([edge("a/x", "b/x"), edge("b/x", "c/x"), edge("c/x", "a/x")])
    assert len(circle.upstream("a.x")) == len(circle.downstream("a.x")) == 3
    assert explain(circle, "a.x", {"b.x"})


NODES = st.tuples(st.sampled_from("abcdef"), st.sampled_from("xy"))


@given(st.lists(st.tuples(NODES, NODES), max_size=30), NODES)
def test_upstream_and_downstream_are_the_same_ways_seen_from_both_ends(
    pairs: list[tuple[tuple[str, str], tuple[str, str]]], start: tuple[str, str]
) -> None:
    known = Graph([edge("/".join(a), "/".join(b)) for a, b in pairs])
    node = Node(*start)
    for way in known.upstream(node):
        assert any(other.target == node for other in known.downstream(way.source))


def test_taint_knows_masked_from_unmasked() -> None:
    known = graph()
    masked = known.taint("tickets_by_customer.email", PERSONAL)
    assert masked.masked == {Node("customers", "email"): "hashed"}
    assert masked.unmasked == ()
    raw = known.taint("explore.customers.email", PERSONAL)
    assert raw.unmasked == (Node("customers", "email"),)
    assert known.taint("customers.csv.email", PERSONAL).unmasked == (Node("customers", "email"),)


def test_a_count_carries_no_value_and_a_minimum_does() -> None:
    known = graph()
    assert known.taint("customers_by_country.customers", PERSONAL).masked == {}
    assert known.taint("customers_by_country.oldest", PERSONAL).masked == {
        Node("customers", "birth_date"): "generalized"
    }


def test_counts_and_conditions_are_told_apart_from_no_personal_data() -> None:
    known = Graph([
        *chart_edges("people", ["name", "city"], {"name": verdict("name", "PERSON")}),
        edge("people/name", "navigate.m/n", "the number of different"),
        edge("people/name", "navigate.m/c", "filtered by"),
        edge("people/city", "navigate.m/c"), edge("people/city", "navigate.m/d"),
    ])  # fmt: skip
    told = [explain(known, f"m.{column}", {"people.name"})[-1] for column in "ncd"]
    assert told == [
        "Only counts of personal data reach it: people.name.",
        "No value of personal data reaches it, but people.name decides about it.",
        "No personal data reaches it.",
    ]


def test_files_of_one_name_in_two_folders_are_two_nodes() -> None:
    places = ["file:/srv/2024/data/c.csv", "file:/srv/2025/data/c.csv", "postgres://db:5432/crm.public.c", "c.csv"]
    known = Graph(
        {"from_dataset": place, "from_column": "x", "to_dataset": f"explore.d{number}", "to_column": "x",
         "via": "unchanged", "masked": False}
        for number, place in enumerate(places)
    )  # fmt: skip
    sources = [dataset for dataset in known.datasets if not dataset.startswith("explore.")]
    assert sources == ["2024/data/c.csv", "2025/data/c.csv", "c.csv", "crm.public.c"]
    assert known.find("/srv/2024/data/c.csv.x") == known.find("2024/data/c.csv.x") == Node("2024/data/c.csv", "x")
    assert known.find("postgres://db:5432/crm.public.c") == Node("crm.public.c")
    assert [known.layer(dataset) for dataset in sources] == ["source"] * 4
    assert [str(way.target) for way in known.downstream("2025/data/c.csv.x")] == ["explore.d1.x"]


def test_a_column_kept_by_decision_stays_unmasked_everywhere() -> None:
    kept = [
        *chart_edges("people", ["name"], {"name": verdict("name", "PERSON", "keep")}),
        edge("people/name", "navigate.list/name"),
    ]
    assert Graph(kept).taint("list", {"people.name"}).unmasked == (Node("people", "name"),)


def test_single_cells_that_were_masked_make_a_column_cleaned() -> None:
    [_, way] = chart_edges("people", ["city"], {}, {"city": {"PERSON": 3}})
    assert (way["via"], way["masked"]) == ("cleaned", True)
    [_, way] = chart_edges("people", ["city"], {}, {"city": {"PERSON": 0}})
    assert (way["via"], way["masked"]) == ("unchanged", False)


def test_what_reaches_both_masked_and_unmasked_is_unmasked() -> None:
    both = Graph(
        [edge("t/c", "m/c", "hashed", masked=True), edge("t/c", "n/c"), edge("m/c", "o/c"), edge("n/c", "o/c")]
    )
    assert both.taint("o.c", {"t.c"}).unmasked == (Node("t", "c"),)


def test_a_column_is_explained_as_people_say_it() -> None:
    assert explain(graph(), "revenue_by_country.revenue", PERSONAL) == [
        "revenue is the sum of invoices.total, grouped by invoices.billing_country.",
        "invoices.total comes unchanged from invoices.csv.",
        "No personal data reaches it.",
    ]
    assert explain(graph(), "customers.email", PERSONAL) == [
        "customers.email comes from customers.csv and is hashed.",
        "Only hashed values of personal data reach it: customers.email.",
    ]
    assert explain(graph(), "revenue_by_country.invoices", PERSONAL)[0] == (
        "invoices is the count of rows of invoices, grouped by invoices.billing_country."
    )


def test_a_dataset_is_explained_as_people_say_it() -> None:
    assert explain(graph(), "customers", PERSONAL) == [
        "customers comes from customers.csv.",
        "Masked: name and email hashed; birth_date generalized; notes cleaned.",
        "2 models read it: customers_by_country and tickets_by_customer.",
        "Personal data reaches it masked: customers.birth_date (generalized), customers.email (hashed), "
        "customers.name (hashed) and customers.notes (cleaned).",
    ]
    assert explain(graph(), "market", PERSONAL)[0] == (
        "market is built from revenue_by_country and customers_by_country."
    )


def test_unmasked_personal_data_is_said_first() -> None:
    [*_, last] = explain(graph(), "explore.customers", PERSONAL)
    assert last.startswith("Personal data reaches it unmasked: customers.birth_date")


def test_impact_tells_tables_and_columns() -> None:
    assert impact(graph(), "customers.email") == [
        "3 tables depend on customers.email: customers_by_country, tickets_by_customer and market.",
        "It feeds customers_by_country.customers, market.per_customer and tickets_by_customer.email.",
        "It decides about tickets_by_customer.tickets.",
    ]
    assert impact(graph(), "market") == ["Nothing depends on market."]


def test_node_ids_keep_ports_and_colons_of_columns() -> None:
    assert split_node_id("dataset:atlas:customers") == ["dataset", "atlas", "customers"]
    assert split_node_id("dataset:postgres://db:5432:crm.t") == ["dataset", "postgres://db:5432", "crm.t"]


def test_counted_rows_lead_back_to_the_source() -> None:
    known = graph()
    up = [str(way.source) for way in known.upstream("revenue_by_country.invoices")]
    assert "invoices.csv" in up
    assert explain(known, "invoices", PERSONAL)[1] == "1 model reads it: revenue_by_country."
