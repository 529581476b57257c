"""Lists come in pages that stay as they are while rows are added, and cost the same however many rows there are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from engine.home import Home
from engine.store.tables import Check, Dataset, DeadLetters, LineageEvent, Part, Run, Score, VerdictRow, Version
from tests.api.conftest import Client

START = datetime(2026, 3, 2, 5, tzinfo=UTC)


def fill(home: Home, count: int, first: int = 1) -> None:
    """Runs of `orders` and of datasets of their own, each with all that a run leaves behind."""
    with home.database.write() as db:
        for n in range(first, first + count):
            at = START + timedelta(hours=n)
            state = "failed" if n % 3 == 0 else "succeeded"
            for number, name in ((2 * n - 1, "orders"), (2 * n, f"d{n:04}")):
                db.add(
                    Run(id=number, pipeline=name, definition={"owner": "web-team", "quality": {"minimum_score": 90}},
                        state=state, full=False, requested_by="kim" if n % 2 else "anna", created_at=at, started_at=at,
                        finished_at=at + timedelta(seconds=2), rows_in=10, rows_out=9, rows_rejected=1, tables=[],
                        warnings=[])
                )  # fmt: skip
                db.flush()
                db.add(Part(run_id=number, step="plan", ordinal=0, spec={}, state="done", wake_at=at))
                db.add(Score(run_id=number, dataset=name, at=at, overall=90.0 + n % 10, measured=1,
                             dimensions={"completeness": 90.0 + n % 10}))  # fmt: skip
                db.add_all(
                    Check(run_id=number, ordinal=k, name=f"column {k} is filled in", dimension="completeness",
                          column=f"column {k}", failed=k, tested=10, weight=1, note=None, fault="it is empty")
                    for k in range(count)
                )  # fmt: skip
                db.add(VerdictRow(run_id=number, ordinal=0, dataset=name, column="email", types=["EMAIL"],
                                  confidence=0.98, reason="9 of 9", action="hash", scope="column", options={}, rows=9,
                                  masked=9, found={"EMAIL": 9}))  # fmt: skip
                db.add_all(
                    DeadLetters(run_id=number, dataset=name, cause=f"cause {k}", rule=None, column=None, rows=1 + k % 3,
                                lines=[f"orders.csv:{k}"])
                    for k in range(count)
                )  # fmt: skip
                db.add(LineageEvent(run_id=number, at=at, body={
                    "eventType": "COMPLETE", "eventTime": "2026-03-02T05:00:00Z", "producer": "urn:atlas:engine",
                    "schemaURL": "https://openlineage.io/spec", "run": {}, "job": {}, "inputs": [], "outputs": [],
                    "number": number}))  # fmt: skip
                if db.get(Dataset, name) is None:
                    db.add(Dataset(name=name, kind="charted", owner="web-team" if n % 2 else "crm-team",
                                   description="", current_version_id=None))  # fmt: skip
                    db.flush()
                version = Version(dataset=name, number=n if name == "orders" else 1, run_id=number, published_at=at,
                                  rows=9, columns={"email": "VARCHAR"}, masked=["email"], policy_hash="", key_id="",
                                  inputs={})  # fmt: skip
                db.add(version)
                db.flush()
                published = db.get(Dataset, name)
                assert published is not None
                published.current_version_id = version.id


@pytest.fixture
def admin(client: Client, orders: object) -> TestClient:
    return client("admin")


LISTS = {
    "/api/v1/runs": lambda item: item["run"],
    "/api/v1/runs?pipeline=orders&state=succeeded&requested_by=kim": lambda item: item["run"],
    "/api/v1/datasets": lambda item: item["dataset"],
    "/api/v1/datasets?kind=charted&owner=crm-team": lambda item: item["dataset"],
    "/api/v1/datasets/orders/versions": lambda item: item["version"],
    "/api/v1/datasets/orders/quality/trend": lambda item: item["run"],
    "/api/v1/datasets/orders/dead-letters": lambda item: item["cause"],
    "/api/v1/lineage/events": lambda item: item["number"],
    "/api/v1/pipelines": lambda item: item["name"],
}


@pytest.mark.parametrize("where", LISTS)
def test_the_pages_of_a_list_are_the_list(home: Home, admin: TestClient, where: str) -> None:
    fill(home, 7)
    for name in ("a", "b", "c"):
        (home.settings.pipelines / f"{name}.yml").write_text(
            f"name: {name}\nowner: web-team\nsource: {{connector: csv, path: x.csv}}\n", encoding="utf-8"
        )
    by = "&" if "?" in where else "?"
    whole = items(admin.get(f"{where}{by}limit=200").json())
    seen, after, pages = [], None, 0
    while after is not None or pages == 0:
        page = admin.get(f"{where}{by}limit=2" + (f"&after={after}" if after is not None else "")).json()
        assert len(items(page)) <= 2
        # the trend goes back in time, and each page of it forward
        seen = items(page) + seen if "trend" in where else seen + items(page)
        after, pages = page["next"], pages + 1
    assert seen == whole
    assert len(set(map(LISTS[where], seen))) == len(seen) > 2
    assert pages == -(-len(seen) // 2)


def items(page: dict[str, list[dict[str, object]]]) -> list[dict[str, object]]:
    return page.get("items") or page.get("groups") or []


def test_a_page_stays_while_runs_are_added(home: Home, admin: TestClient) -> None:
    fill(home, 4)
    runs, rejected = "/api/v1/runs?limit=3", "/api/v1/datasets/orders/dead-letters?limit=2"
    first = [admin.get(where).json() for where in (runs, rejected)]
    rest = [f"{where}&after={page['next']}" for where, page in zip((runs, rejected), first, strict=True)]
    before = [admin.get(where).json() for where in rest]
    fill(home, 4, first=5)
    assert [admin.get(where).json() for where in rest] == before
    assert admin.get(rejected).json()["run"] != first[1]["run"]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("state=failed", [6, 5]),
        ("requested_by=anna", [8, 7, 4, 3]),
        ("since=2026-03-02T08:00:00Z", [8, 7, 6, 5]),
        ("since=2026-03-02T09:00:00%2B01:00&until=2026-03-02T09:00:00Z", [6, 5]),
        ("pipeline=d0002", [4]),
        ("state=running", []),
    ],
)
def test_runs_are_found_by_what_they_are(home: Home, admin: TestClient, asked: str, numbers: list[int]) -> None:
    fill(home, 4)
    assert [run["run"] for run in admin.get(f"/api/v1/runs?{asked}").json()["items"]] == numbers


@pytest.mark.parametrize(
    "where",
    [
        "/api/v1/runs?after=x", "/api/v1/runs?after=0", "/api/v1/runs?limit=201", "/api/v1/runs?state=done",
        "/api/v1/runs?since=yesterday", "/api/v1/runs?since=12", "/api/v1/runs?since=2026-03-02T05:00:00",
        "/api/v1/datasets?after=%00", "/api/v1/datasets?kind=raw", "/api/v1/datasets/orders/versions?after=last",
        "/api/v1/pipelines?limit=0", "/api/v1/datasets/orders/dead-letters?after=-1", "/api/v1/datasets/%00/quality",
        "/api/v1/lineage?nodeId=orders",
    ],
)  # fmt: skip
def test_what_is_no_page_is_told(home: Home, admin: TestClient, where: str) -> None:
    fill(home, 1)
    answer = admin.get(where)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_rejected_rows_go_on_only_from_a_group_that_is_theirs(home: Home, admin: TestClient) -> None:
    fill(home, 1)
    mine = admin.get("/api/v1/datasets/orders/dead-letters").json()
    assert (mine["total"], len(mine["groups"]), mine["next"]) == (1, 1, None)
    assert admin.get("/api/v1/datasets/orders/dead-letters?after=2").status_code == 404  # of d0001


@pytest.mark.parametrize(
    "where",
    ["/api/v1/runs?limit=200", "/api/v1/datasets?limit=200", "/api/v1/datasets/orders/quality",
     "/api/v1/datasets/orders/quality/trend", "/api/v1/datasets/orders/pii", "/api/v1/datasets/orders/dead-letters",
     "/api/v1/datasets/orders/versions", "/api/v1/pipelines", "/api/v1/runs/1", "/api/v1/why/orders",
     "/api/v1/lineage/events"],
)  # fmt: skip
def test_an_answer_takes_as_many_statements_over_60_rows_as_over_3(home: Home, admin: TestClient, where: str) -> None:
    fill(home, 3)
    few = statements(home, lambda: admin.get(where).status_code)
    fill(home, 57, first=4)
    assert 0 < statements(home, lambda: admin.get(where).status_code) == few < 16


def statements(home: Home, ask: Callable[[], int]) -> int:
    sent: list[str] = []

    def count(*given: object) -> None:
        if not str(given[2]).startswith("BEGIN"):
            sent.append(str(given[2]))

    ask()  # what is loaded once is loaded
    event.listen(home.database.engine, "before_cursor_execute", count)
    try:
        assert ask() == 200
    finally:
        event.remove(home.database.engine, "before_cursor_execute", count)
    return len(sent)
