"""Filling the audit log, hiding in it, changing it, and writing personal data into it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text, update

from api.main import IN_PROCESS, create_app
from core.settings import load
from engine.home import Home, open_home
from engine.store import access, audit
from engine.store.audit import Act
from engine.store.database import Database
from engine.store.tables import AuditEntry, Refusals
from tests.api import rights
from tests.attack.attempts import Attempts, Guard
from tests.homes import prepare

GUARDS = [
    Guard("engine/store/audit.py", "counted.written < MOST_OF_A_KIND and ", "",
          "test_audit_log.py::test_a_viewer_cannot_fill_the_log"),
    Guard("engine/store/audit.py", "(db.scalar(of_the_hour) or 0) < MOST_OF_A_PERSON", "True",
          "test_audit_log.py::test_refusals_of_many_kinds_do_not_fill_the_log"),
    Guard("api/objects.py", 'return f"user {text}" if access.users_named(db, text[:64]) else ""',
          'return f"user {text}"', "test_audit_log.py::test_no_raw_value_of_a_refused_request_is_in_the_log"),
    Guard("api/objects.py", '_shown(noun, _SHAPES.get(noun, _NUMBER).fullmatch(text))', 'f"{noun} {text}"',
          "test_audit_log.py::test_no_raw_value_of_a_refused_request_is_in_the_log"),
    Guard("engine/store/audit.py", "if counted.folded:", "if False:",
          "test_audit_log.py::test_a_viewer_cannot_fill_the_log"),
]  # fmt: skip
CANARIES = ["010180-1234", "ida.holm@example.dk", "Ida Holm", "4571000000000001", "+4512345678", "hunter2-secret"]
NAME = "'ida'; drop table run"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    free = dict.fromkeys(("ATLAS_LIMIT_PER_ADDRESS", "ATLAS_LIMIT_PER_TOKEN", "ATLAS_LIMIT_SIGN_IN"), "99999/second")
    places = {"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(tmp_path / "pipelines")}
    (tmp_path / "pipelines" / "navigate").mkdir(parents=True)
    prepare(tmp_path / "home")
    opened = open_home(load({**places, **free}))
    with opened.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    yield opened
    opened.database.close()


@pytest.fixture
def viewer(home: Home) -> TestClient:
    with home.database.write() as db:
        token = access.issue(db, access.user(db, "viewer"), 600)
    return TestClient(create_app(home, lambda: None), base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"})


def rows(database: Database) -> list[AuditEntry]:
    with database.read() as db:
        return list(db.scalars(select(AuditEntry).order_by(AuditEntry.number)))


def an_hour_later(database: Database) -> None:
    with database.write() as db:
        for counted in db.scalars(select(Refusals)).all():
            db.execute(
                update(Refusals)
                .values(hour=counted.hour - timedelta(hours=1))
                .where(
                    Refusals.who == counted.who, Refusals.action == counted.action, Refusals.result == counted.result
                )
            )


def holds(database: Database, expected: str | None = None) -> bool:
    with database.read() as db:
        return not audit.verify(db, expected=expected).wrong


REFUSED = [
    ("GET", "models/revenue/rows", None, "model revenue"),
    ("GET", "datasets/customers/pii", None, "dataset customers"),
    ("GET", "datasets/customers/dead-letters", None, "dataset customers"),
    ("POST", "datasets/customers/replay", None, "dataset customers"),
    ("PUT", "datasets/customers/grants/steward", {"role": "steward"}, "dataset customers, user steward"),
    ("DELETE", "datasets/customers/grants/steward", None, "dataset customers, user steward"),
    ("DELETE", "datasets/customers/pii/rulings/7", None, "dataset customers, ruling 7"),
    ("PUT", "schedules/customers", {"cron": "0 6 * * *"}, "schedule customers"),
    ("POST", "runs", {"pipeline": "customers"}, "pipeline customers"),
    ("POST", "runs/12/cancel", None, "run 12"),
    ("POST", "runs/12/retry", None, "run 12"),
    ("POST", "users", {"user": "steward"}, "user steward"),
    ("PATCH", "users/steward", {"role": "dpo"}, "user steward"),
    ("PUT", "users/steward/password", {"password": "a long sentence"}, "user steward"),
    ("GET", "users/steward", None, "user steward"),
    ("GET", "gdpr/report?dataset=customers", None, "dataset customers"),
    ("POST", "reveal", {"token": "t_75zxml4nsoplhl55ovweuoxjjm"}, "token t_75zxml4nsoplhl55ovweuoxjjm"),
    ("POST", "alerts/3/ack", None, "alert 3"),
    ("DELETE", "links/4", None, "link 4"),
    ("DELETE", "tokens/999", None, "token 999"),
    ("POST", "links", {"platform": "slack", "tenant": "T1", "person": "U2", "user": "steward"}, "user steward"),
]


def test_a_refusal_names_its_object(home: Home, viewer: TestClient, attempts: Attempts) -> None:
    for method, path, body, about in REFUSED:
        answer = viewer.request(method, f"/api/v1/{path}", json=body)
        assert answer.status_code in (403, 404), (method, path, answer.text)
        last = rows(home.database)[-1]
        attempts.tried("unnamed refusals", f"{method} {path}", held=(last.who, last.about) == ("viewer", about))


NODES = {
    "dataset:atlas:chart.orders": "orders", "dataset:atlas:orders": "orders", "dataset:atlas:chart": "chart",
    "dataset:atlas:navigate.revenue": "navigate.revenue", "datasetField:atlas:chart.orders:email": "orders",
}  # fmt: skip


def test_a_refusal_names_the_dataset_of_a_node(home: Home, attempts: Attempts) -> None:
    with home.database.write() as db:
        token = access.issue(db, access.user(db, "viewer"), 600, datasets=["customers"])
    client = TestClient(
        create_app(home, lambda: None), base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"}
    )
    for node, dataset in NODES.items():
        answer = client.get("/api/v1/lineage", params={"nodeId": node})
        assert answer.status_code == 403, answer.text
        attempts.tried("unnamed refusals", node, held=rows(home.database)[-1].about == f"dataset {dataset}")


def test_no_raw_value_of_a_refused_request_is_in_the_log(home: Home, viewer: TestClient, attempts: Attempts) -> None:
    """On every route, wherever it takes something."""
    app = create_app(home, lambda: None)
    for route in sorted(rights.routes(app)):
        method, _, path = route.partition(" ")
        for number, canary in enumerate(CANARIES[:3]):
            filled = re.sub(r"\{[^}]*\}", canary.replace(" ", "%20"), path)
            fields = ("user", "name", "pipeline", "dataset", "token", "node", "nodeId", "because", "key", "code")
            body = dict.fromkeys(fields, canary) if method in ("POST", "PUT", "PATCH") else None
            query = dict.fromkeys(("dataset", "pipeline", "node", "nodeId", "user"), canary)
            viewer.request(method, filled, json=body)
            viewer.request(method, filled, json=body, params=query)
            written = " ".join(f"{row.action} {row.about}" for row in rows(home.database))
            attempts.tried("raw values in the log", f"{route} {number}", held=canary not in written)
            if canary in written:
                return


def test_a_viewer_cannot_fill_the_log(home: Home, viewer: TestClient, attempts: Attempts) -> None:
    before = len(rows(home.database))
    for number in range(130):
        assert viewer.post("/api/v1/runs", json={"pipeline": f"p{number}"}).status_code == 403
    attempts.tried("a full log", "130 refusals of one kind", held=len(rows(home.database)) - before == 100)
    an_hour_later(home.database)
    assert viewer.post("/api/v1/runs/1/cancel").status_code == 403
    summary, last = rows(home.database)[-2:]
    told = (summary.who, summary.action, summary.result, summary.about[:8]) == (
        "viewer", "POST /api/v1/runs", "forbidden", "30 more "
    )  # fmt: skip
    attempts.tried("a full log", "the count is kept", held=told and last.about == "run 1")
    attempts.tried("a full log", "the chain holds", held=holds(home.database))


@pytest.mark.parametrize("who", ["viewer", None])
def test_refusals_of_many_kinds_do_not_fill_the_log(home: Home, attempts: Attempts, who: str | None) -> None:
    with home.database.write() as db:
        for number in range(1100):
            audit.refuse(db, Act(who, f"sign-in from 10.0.0.{number}"), f"GET /{number % 11}", "", f"no{number % 2}")
    attempts.tried("a full log", f"1,100 refusals of 22 kinds by {who}", held=len(rows(home.database)) == 1000)
    an_hour_later(home.database)
    with home.database.write() as db:
        audit.sum_up(db)
        audit.sum_up(db)
    told = [int(row.about.split()[0]) for row in rows(home.database)[1000:]]
    attempts.tried("a full log", f"sums of 22 kinds by {who}", held=sum(told) == 100 and holds(home.database))


def test_counts_outlive_the_process(home: Home, attempts: Attempts) -> None:
    with home.database.write() as db:
        for _ in range(110):
            audit.refuse(db, Act("viewer", "token 1"), "POST /x", "run 1", "forbidden")
    home.database.close()  # nothing was written at the end
    after = Database(home.settings.database)
    an_hour_later(after)
    with after.write() as db:
        audit.append(db, Act("admin", "token 2"), "run.start", "run 2")
    found = rows(after)[-2]
    attempts.tried("a full log", "a process that ends loses no count", held=found.about.startswith("10 more "))
    after.close()


TAMPERED = {
    "rows cut from the end": ["DELETE FROM audit WHERE number > 5"],
    "rows cut from the beginning": ["DELETE FROM audit WHERE number < 5"],
    "a row changed": ["UPDATE audit SET who = 'bo' WHERE number = 3"],
    "an object changed": ["UPDATE audit SET about = 'run 99' WHERE number = 3"],
    "a time changed": ["UPDATE audit SET at = datetime(at, '-1 day') WHERE number = 3"],
    "a row copied": ["INSERT INTO audit SELECT 99, at, who, through, action, about, result, request_id, previous, hash"
                     " FROM audit WHERE number = 3"],
    "all cut": ["DELETE FROM audit"],
    # with the noted end set as well only an end that was noted elsewhere finds it
    "cut, and the noted end set": ["DELETE FROM audit WHERE number > 5",
                                   "UPDATE fact SET value = (SELECT number || ':' || hash FROM audit WHERE number = 5)"
                                   " WHERE name = 'end of the audit log'"],
    "all cut, and the noted end": ["DELETE FROM audit", "DELETE FROM fact WHERE name = 'end of the audit log'"],
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERED)
def test_who_changes_the_database_file_is_found_by_a_noted_end(home: Home, attempts: Attempts, how: str) -> None:
    with home.database.write() as db:
        for number in range(9):
            audit.append(db, Act("anna", "sign-in"), "run.start", f"run {number}")
    with home.database.read() as db:
        noted = audit.verify(db).end
    with home.database.engine.begin() as connection:
        for statement in ("DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete", *TAMPERED[how]):
            connection.execute(text(statement))
    attempts.tried("a changed log", how, held=not holds(home.database, expected=noted))


def test_no_value_that_a_caller_chose_is_in_any_column_of_the_log(home: Home, attempts: Attempts) -> None:
    app = create_app(home, lambda: None)
    chosen = [
        "010203-1234",
        "cpr 010203-1234 Jens",
        "Jens.Hansen-010203-1234",
        "ida.holm-example.dk",
        "4571000000000001",
    ]
    for number, value in enumerate(chosen):
        with home.database.write() as db:
            token = access.issue(db, access.user(db, "viewer"), 600, name=value)
            row = access.token(db, token).id
        client = TestClient(
            app, base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}", "X-Request-ID": value}
        )
        assert client.post("/api/v1/runs", json={"pipeline": "customers"}).status_code == 403
        last = rows(home.database)[-1]
        written = " ".join(map(str, (last.who, last.through, last.action, last.about, last.result, last.request_id)))
        attempts.tried("chosen values", f"{number}", held=value not in written and last.through == f"token {row}")


ALREADY_SO = {
    "PUT datasets/customers/subscriptions/me": None,
    "PUT datasets/customers/grants/viewer": {"role": "operator"},
    "PATCH users/viewer": {"owns": ["web"]},
    "PUT schedules/customers": {"cron": "0 6 * * *"},
    "POST links": {"platform": "slack", "tenant": "T1", "person": "U2", "user": "viewer"},
}


@pytest.mark.parametrize("what", ALREADY_SO)
def test_what_changes_nothing_writes_no_row(home: Home, attempts: Attempts, what: str) -> None:
    text = "name: customers\nowner: crm\nsource: {connector: csv, path: x.csv}\n"
    (home.settings.pipelines / "customers.yml").write_text(text, "utf-8")
    with home.database.write() as db:
        token = access.issue(db, access.user(db, "admin"), 600)
    client = TestClient(
        create_app(home, lambda: None), base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"}
    )
    method, _, path = what.partition(" ")
    answers = [client.request(method, f"/api/v1/{path}", json=ALREADY_SO[what]) for _ in range(5)]
    assert [answer.status_code < 300 for answer in answers] == [True] * 5, answers[0].text
    assert answers[-1].json() == answers[1].json()
    attempts.tried("a full log", f"{what} again", held=len(rows(home.database)) == 1)
