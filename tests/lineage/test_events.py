import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jsonschema
import pytest
from openlineage.client.uuid import generate_new_uuid

from core.models import CheckResult
from core.settings import load
from engine.lineage import names
from engine.lineage.columns import columns
from engine.lineage.edges import chart_edges, explore_edges, model_edges
from engine.lineage.events import Dataset, Step, event, forward
from tests.lineage.shop import verdict

AT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
RUN, PARENT = str(generate_new_uuid()), str(generate_new_uuid())

# the parts of the OpenLineage 2-0-2 schema that every event must meet
FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {"_producer": {"pattern": "^urn:"}, "_schemaURL": {"pattern": "^https://openlineage.io/spec/"}},
    },
}
DATASETS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["namespace", "name"],
        "properties": {
            "namespace": {"type": "string"},
            "name": {"type": "string"},
            "facets": FACETS,
            "inputFacets": FACETS,
            "outputFacets": FACETS,
        },
        "additionalProperties": False,
    },
}
SCHEMA = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job", "eventType"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
        "producer": {"type": "string", "format": "uri"},
        "run": {"type": "object", "required": ["runId"], "properties": {"facets": FACETS}},
        "job": {"type": "object", "required": ["namespace", "name"], "properties": {"facets": FACETS}},
        "inputs": DATASETS,
        "outputs": DATASETS,
        "schemaURL": {"type": "string", "pattern": "^https://openlineage.io/spec/2-0-2/"},
    },
    "additionalProperties": False,
}


def charting() -> dict[str, Any]:
    made = chart_edges("customers", ["id", "email"], {"email": verdict("email", "EMAIL")})
    raw = Dataset(
        "explore.customers",
        columns={"id": "text", "email": "text"},
        rows=3,
        metrics={"email": {"nulls": 1, "distinct": 2}},
        checks=[
            CheckResult("email is filled in", "completeness", "email", 1, 3),
            CheckResult("country is known", "accuracy", "country", 0, 0),
        ],
    )
    done = Dataset(
        "customers", columns={"id": "BIGINT", "email": "VARCHAR"}, edges=made, owner="crm-team", rows=2, files=1
    )
    step = Step.chart("customers", owner="crm-team", description="Customers from the CRM export")
    return event("COMPLETE", step, RUN, AT, [raw], [done], parent=(PARENT, "customers"), nominal=AT)


def test_an_event_meets_the_specification() -> None:
    made = charting()
    jsonschema.validate(made, SCHEMA)
    assert json.loads(json.dumps(made)) == made
    assert made["job"]["name"] == "customers.chart"
    assert made["producer"] == "urn:atlas:engine"


@pytest.mark.parametrize("state", ["START", "RUNNING", "COMPLETE", "FAIL", "ABORT"])
def test_every_state_of_a_run_has_its_event(state: Any) -> None:
    made = event(state, Step.explore("customers"), RUN, AT, error="`db.example.com` refused the connection.")
    jsonschema.validate(made, SCHEMA)
    assert made["eventType"] == state
    assert made["run"]["facets"]["errorMessage"]["message"].startswith("`db.example.com`")


def test_a_masked_column_says_so_twice() -> None:
    fields = charting()["outputs"][0]["facets"]["columnLineage"]["fields"]
    [email] = fields["email"]["inputFields"]
    assert fields["email"]["transformationType"] == "MASKED"
    assert email["transformations"] == [
        {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "hashed", "masking": True}
    ]
    assert email["name"] == "explore.customers"
    assert fields["id"]["transformationType"] == "IDENTITY"
    assert fields["id"]["inputFields"][0]["transformations"][0]["masking"] is False


def test_what_was_not_tested_is_no_assertion() -> None:
    facet = charting()["inputs"][0]["inputFacets"]["dataQualityAssertions"]
    assert [(a["name"], a["success"], a["actual"]) for a in facet["assertions"]] == [
        ("email is filled in", False, "1 of 3 failed")
    ]


def test_quality_stands_on_the_input_and_statistics_on_the_output() -> None:
    made = charting()
    assert made["inputs"][0]["inputFacets"]["dataQualityMetrics"]["rowCount"] == 3
    assert made["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert made["outputs"][0]["facets"]["ownership"]["owners"] == [{"name": "team:crm-team", "type": "MAINTAINER"}]


def test_a_model_names_sources_groups_and_filters() -> None:
    sql = "select country, sum(total) as revenue, count(*) as n from invoices where total > 0 group by country"
    found = columns(sql, {"invoices": {"country": "VARCHAR", "total": "DECIMAL(18,2)"}})
    target = Dataset("navigate.revenue", edges=model_edges("revenue", found), columns={"country": "VARCHAR"})
    made = event("COMPLETE", Step.navigate("revenue", sql), RUN, AT, [Dataset("invoices")], [target])
    jsonschema.validate(made, SCHEMA)
    fields = made["outputs"][0]["facets"]["columnLineage"]["fields"]
    kinds = {
        (into["field"], into["transformations"][0]["type"], into["transformations"][0]["subtype"])
        for into in fields["revenue"]["inputFields"]
    }
    assert kinds == {("total", "DIRECT", "AGGREGATION"), ("country", "INDIRECT", "GROUP_BY")}
    assert made["job"]["facets"]["sql"]["query"] == sql
    assert made["job"]["name"] == "navigate.revenue"


def test_a_source_keeps_its_own_namespace() -> None:
    found = names.source(
        {"connector": "csv", "path": "data/customers.csv"}, load({"ATLAS_PIPELINES": "/srv/pipelines"})
    )
    target = Dataset("explore.customers", edges=explore_edges(str(found), "customers", ["id"]))
    made = event("COMPLETE", Step.explore("customers"), RUN, AT, [Dataset(found.name, found.namespace)], [target])
    [into] = made["outputs"][0]["facets"]["columnLineage"]["fields"]["id"]["inputFields"]
    assert (into["namespace"], into["name"]) == ("file", "/srv/pipelines/data/customers.csv")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ({"connector": "csv", "path": "/srv/data/a:b*.csv"}, ("file", "/srv/data/a_b*.csv")),
        ({"connector": "csv", "path": "../data/c.csv"}, ("file", "/srv/data/c.csv")),
        (
            {"connector": "postgres", "dsn": "${secret:CRM}", "table": "c"},
            ("postgres://db.example.com:5432", "crm.public.c"),
        ),
        (
            {"connector": "postgres", "dsn": "${secret:CRM}", "table": '"a b"."c"'},
            ("postgres://db.example.com:5432", "crm.a b.c"),
        ),
        (
            {"connector": "rest", "url": "https://api.example.com/v1/items?token=hush"},
            ("https://api.example.com", "v1/items"),
        ),
    ],
)
def test_a_source_is_named_by_the_rules_of_openlineage(source: dict[str, Any], named: tuple[str, str]) -> None:
    secret = "postgresql://me:hush@db.example.com/crm?sslmode=require"
    found = names.source(source, load({"ATLAS_PIPELINES": "/srv/pipelines", "ATLAS_SECRET_CRM": secret}))
    assert found == named
    assert not [word for word in ("hush", "me:", "sslmode") if word in str(found)]
    assert names.read(str(found)) == named


class Server:
    """A lineage server that answers as it is told to."""

    def __init__(self) -> None:
        self.status = 201
        self.got: list[dict[str, Any]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.got.append({"path": self.path, "body": json.loads(body)})
                self.send_response(server.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def test_an_event_arrives_as_it_was_stored(server: Server) -> None:
    made = charting()
    assert forward(server.url, made).sent
    assert server.got == [{"path": "/api/v1/lineage", "body": made}]


@pytest.mark.parametrize(("status", "retry"), [(400, False), (422, False), (429, True), (500, True), (503, True)])
def test_a_refused_event_is_tried_again_only_if_that_can_help(server: Server, status: int, retry: bool) -> None:
    server.status = status
    outcome = forward(server.url, charting())
    assert (outcome.sent, outcome.retry, outcome.reason) == (False, retry, f"it answered HTTP {status}")
    assert len(server.got) == 1


def test_a_server_that_is_down_costs_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    outcome = forward(url, charting())
    assert (outcome.sent, outcome.retry, outcome.reason) == (False, True, "it cannot be reached")


def test_a_server_that_hangs_is_left_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = forward(f"http://127.0.0.1:{silent.getsockname()[1]}", charting(), timeout=0.2)
        assert (outcome.sent, outcome.retry, outcome.reason) == (False, True, "no answer in 0.2 s")


def test_an_address_that_is_none_is_not_tried_again() -> None:
    assert not forward("not an address", charting()).retry


def test_times_are_told_in_utc() -> None:
    from datetime import timezone

    copenhagen = timezone(timedelta(hours=1))
    made = event("START", Step.explore("customers"), RUN, datetime(2026, 11, 23, 7, 0, tzinfo=copenhagen))
    assert made["eventTime"] == "2026-11-23T06:00:00.000Z"
