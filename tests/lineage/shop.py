"""A small shop: three datasets, four models, and the graph that a run of them leaves."""

from core.models import Verdict
from engine.lineage.columns import columns
from engine.lineage.edges import Edge, chart_edges, explore_edges, model_edges
from engine.lineage.graph import Graph


def verdict(column: str, kind: str, action: str = "hash", scope: str = "column") -> Verdict:
    return Verdict(column, (kind,), 0.98, "", action, {}, scope)  # type: ignore[arg-type]


DATASETS: dict[str, tuple[list[str], list[Verdict]]] = {
    "customers": (
        ["customer_id", "name", "email", "country", "birth_date", "notes"],
        [
            verdict("name", "PERSON"),
            verdict("email", "EMAIL"),
            verdict("birth_date", "DATE_OF_BIRTH", "generalize"),
            verdict("notes", "PERSON", "redact", "spans"),
        ],
    ),
    "invoices": (["invoice_id", "customer_id", "billing_country", "total"], []),
    "tickets": (["ticket_id", "customer_email", "text"], [verdict("customer_email", "EMAIL")]),
}
MODELS = {
    "revenue_by_country": "select billing_country as country, sum(total) as revenue, count(*) as invoices "
    "from invoices group by 1 order by revenue desc",
    "customers_by_country": "select country, count(distinct email) as customers, min(birth_date) as oldest "
    "from customers group by country",
    "market": "select r.country, r.revenue / c.customers as per_customer "
    "from revenue_by_country r join customers_by_country c using (country)",
    "tickets_by_customer": "select c.email, count(t.ticket_id) as tickets "
    "from customers c left join tickets t on t.customer_email = c.email group by all",
}
_TYPES = dict.fromkeys(("total", "revenue", "per_customer"), "DOUBLE") | dict.fromkeys(
    ("invoices", "customers"), "BIGINT"
)
PERSONAL = {f"{dataset}.{v.column}" for dataset, (_, verdicts) in DATASETS.items() for v in verdicts}


def edges() -> list[Edge]:
    made: list[Edge] = []
    schemas = {}
    for dataset, (names, verdicts) in DATASETS.items():
        made += explore_edges(f"file:/data/{dataset}.csv", dataset, names)
        made += chart_edges(dataset, names, {v.column: v for v in verdicts})
        schemas[dataset] = {name: _TYPES.get(name, "VARCHAR") for name in names}
    for model, sql in MODELS.items():
        found = columns(sql, schemas)
        made += model_edges(model, found, MODELS)
        written = dict.fromkeys(edge.to_column for edge in found)
        schemas[model] = {name: _TYPES.get(name, "VARCHAR") for name in written}
    return made


def graph() -> Graph:
    return Graph(edges())
