"""What Prometheus reads: right, bounded, and without anything of a person."""

from datetime import UTC, datetime

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api import metrics
from api.main import IN_PROCESS, create_app
from engine.home import Home
from engine.store import access
from engine.store.tables import Run, Score, VerdictRow
from tests.api.conftest import Client

CANARY = "canary010190"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(prometheus: TestClient) -> Samples:
    answer = prometheus.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def ended(home: Home, pipeline: str, number: int, found: dict[str, int] | None = None) -> None:
    """A run that has ended, with a score."""
    now = datetime.now(UTC)
    with home.database.write() as db:
        db.add(
            Run(
                id=number, pipeline=pipeline, definition={}, state="succeeded", full=False, requested_by=CANARY,
                created_at=now, finished_at=now, rows_in=3, rows_out=2, rows_rejected=1, tables=[], warnings=[],
            )
        )  # fmt: skip
        db.flush()
        db.add(Score(run_id=number, dataset=pipeline, at=now, overall=number / 10, measured=1, dimensions={}))
        verdict = {"types": ["EMAIL"], "confidence": 1, "reason": CANARY, "action": "hash", "scope": "column"}
        counts = {"rows": 2, "masked": sum((found or {}).values()), "found": found or {}}
        db.add(VerdictRow(run_id=number, ordinal=0, dataset=pipeline, column=CANARY, options={}, **verdict, **counts))


def anew(home: Home) -> Samples:
    """What a process says that has not looked before."""
    with home.database.write() as db:
        token = access.issue(db, access.user(db, "admin"), 60)
    app = create_app(home, lambda: None)
    return scraped(TestClient(app, base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"}))


def test_the_figures_are_those_of_the_database(home: Home) -> None:
    ended(home, "orders", 1, {"EMAIL": 4})
    ended(home, "orders", 2, {"EMAIL": 1, "PHONE": 2})
    seen = anew(home)
    assert seen["atlas_runs_ended_total", (("pipeline", "orders"), ("state", "succeeded"))] == 2
    assert [seen["atlas_rows_total", (("kind", kind),)] for kind in ("in", "out", "rejected")] == [6, 4, 2]
    assert [seen["atlas_masked_cells_total", (("kind", kind),)] for kind in ("EMAIL", "PHONE")] == [5, 2]
    assert seen["atlas_score", (("dataset", "orders"),)] == 0.2


def test_names_are_bounded_and_the_sums_stay_right(home: Home) -> None:
    for number in range(1, 106):
        ended(home, f"p{number}", number, {"EMAIL": 1, f"{CANARY}": 1})
    seen = anew(home)
    runs = {dict(labels)["pipeline"]: v for (name, labels), v in seen.items() if name == "atlas_runs_ended_total"}
    assert len(runs) == metrics.MOST_NAMES + 1
    assert (runs["other"], "p5" in runs, "p6" in runs, sum(runs.values())) == (5, False, True, 105)
    assert sum(name == "atlas_score" for name, _ in seen) == metrics.MOST_NAMES
    masked = {dict(labels)["kind"]: v for (name, labels), v in seen.items() if name == "atlas_masked_cells_total"}
    assert masked == {"EMAIL": 105, "other": 105}


def test_requests_are_counted_by_template_never_by_path(client: Client) -> None:
    admin = client("admin")
    for number in range(30):
        admin.get(f"/api/v1/datasets/{CANARY}{number}")
        admin.get(f"/api/v1/datasets/{CANARY}{number}?{CANARY}=1")
        admin.get(f"/{CANARY}{number}")
        admin.request(f"{CANARY.upper()}{number}", "/api/v1/me")
    seen = scraped(admin)
    counted = {labels: value for (name, labels), value in seen.items() if name == "atlas_http_requests_total"}
    assert {tuple(dict(labels).values()): value for labels, value in counted.items()} == {
        ("GET", "/api/v1/datasets/{name}", "404"): 30,
        ("GET", "/api/v1/datasets/{name}", "422"): 30,
        ("GET", "unknown", "404"): 30,
        ("other", "/api/v1/me", "405"): 30,
    }
    assert seen["atlas_http_request_seconds_count", (("method", "GET"), ("route", "unknown"))] == 30


def test_nothing_of_a_person_stands_in_the_figures(home: Home, client: Client) -> None:
    admin = client("admin")
    ended(home, "orders", 1, {"EMAIL": 4, CANARY: 1})
    admin.get(f"/api/v1/datasets/{CANARY}", headers={"X-Request-ID": CANARY, "User-Agent": CANARY})
    admin.post("/api/v1/auth/token", data={"username": CANARY, "password": CANARY})
    scraped(admin)  # its own request counts at the next
    assert CANARY not in admin.get("/metrics").text


def test_only_who_has_the_right_reads_them(client: Client) -> None:
    roles = (None, "viewer", "operator", "steward", "dpo", "admin")
    assert [client(role).get("/metrics").status_code for role in roles] == [401, 403, 403, 403, 403, 200]


def test_two_looks_in_a_row_ask_the_database_once(home: Home, client: Client) -> None:
    prometheus = client("admin")
    before = scraped(prometheus)
    ended(home, "orders", 1)
    after = scraped(prometheus)
    assert ("atlas_rows_total", (("kind", "in"),)) not in after
    assert {key for key in after if not key[0].startswith("atlas_http")} == {
        key for key in before if not key[0].startswith("atlas_http")
    }
