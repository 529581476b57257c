"""Rulings over HTTP: made, listed and withdrawn by those who may, about columns and kinds that there are."""

import pytest
from fastapi.testclient import TestClient

from core.pipeline import Pipeline
from engine.home import Home
from engine.store import datasets, runs
from engine.store.tables import AuditEntry
from tests.api.conftest import Client
from tests.test_rulings import NAMES, prepared, run, work

RULINGS = "/api/v1/datasets/people/pii/rulings"


@pytest.fixture
def people(home: Home) -> Home:
    prepared(home.settings)
    run(home)
    return home


def said(client: TestClient, column: str = "who", type_: str | None = "PERSON", because: str = "") -> tuple[int, dict]:
    answer = client.post(RULINGS, json={"column": column, "type": type_, "because": because})
    return answer.status_code, answer.json()


def test_a_ruling_that_hides_more_starts_a_run_and_closes_the_tables_until_it_has_ended(
    people: Home, client: Client
) -> None:
    status, answer = said(client("steward"))
    assert (status, answer["effect"], answer["action"]) == (202, "being masked", "hash")
    assert (answer["run"]["masking"], answer["run"]["requested_by"]) == (True, "steward")
    closed = client("admin").get("/api/v1/models/by_who/rows")
    assert (closed.status_code, closed.json()["code"]) == (409, "refused")
    assert closed.json()["hint"] == "status people"
    work(people)
    shown = client("admin").get("/api/v1/models/by_who/rows")
    assert shown.status_code == 200
    assert not any(name in shown.text for name in NAMES)
    done = client("viewer").get(f"/api/v1/runs/{answer['run']['run']}").json()
    assert [layer["layer"] for layer in done["layers"]] == ["chart", "navigate"]
    assert (done["rows_in"], done["rows_out"], done["version"]) == (40, 40, 2)


def test_what_is_published_shows_its_ruling(people: Home, client: Client) -> None:
    said(client("steward"), because="they call here")
    work(people)
    columns = {c["column"]: c for c in client("dpo").get("/api/v1/datasets/people/pii").json()["columns"]}
    ruling = columns["who"]["ruling"]
    assert {key: ruling[key] for key in ("type", "by", "because")} == {
        "type": "PERSON", "by": "steward", "because": "they call here"
    }  # fmt: skip
    assert columns["who"]["reason"].startswith("ruled PERSON by steward on ")
    assert columns["id"]["ruling"] is None


def test_rulings_are_listed_with_who_when_and_why_the_withdrawn_ones_too(people: Home, client: Client) -> None:
    steward = client("steward")
    first = said(steward, because="one")[1]["ruling"]
    second = said(steward, "who", None, "two")[1]["ruling"]
    assert steward.delete(f"{RULINGS}/{second['id']}").status_code == 202
    assert steward.delete(f"{RULINGS}/{second['id']}").status_code == 409
    assert steward.delete(f"{RULINGS}/999").status_code == 404
    items = client("dpo").get(RULINGS).json()["items"]
    assert [(item["id"], item["because"], item["in_force"]) for item in items] == [
        (second["id"], "two", False),
        (first["id"], "one", True),
    ]
    assert (items[0]["withdrawn_by"], items[0]["by"], items[0]["type"]) == ("steward", "steward", None)
    assert items[0]["at"] <= items[0]["withdrawn_at"]


@pytest.mark.parametrize(
    ("column", "type_", "because", "status", "hint"),
    [
        ("wo", "PERSON", "", 404, "Did you mean who?"),
        ("xyz", "PERSON", "", 404, "It has id, who, nr, day."),
        ("who", "PERSN", "", 422, "Did you mean PERSON?"),
        ("who", "nonsense", "", 422, "There are PERSON"),
        ("who", None, " ", 422, "is not pii because"),
        ("who", "CVR", "", 422, "is not pii because"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    people: Home, client: Client, column: str, type_: str | None, because: str, status: int, hint: str
) -> None:
    got, answer = said(client("admin"), column, type_, because)
    assert (got, hint in answer["hint"]) == (status, True), answer
    assert client("admin").get(RULINGS).json()["items"] == []


@pytest.mark.parametrize(("column", "type_"), [("WHO", "person"), ("who", "Person"), ("Day", "date of birth")])
def test_columns_and_kinds_are_known_in_any_case(people: Home, client: Client, column: str, type_: str) -> None:
    ruling = said(client("admin"), column, type_)[1]["ruling"]
    assert (ruling["column"], ruling["type"]) == (column.lower(), type_.upper().replace(" ", "_"))


@pytest.mark.parametrize("body", [{}, {"column": "who"}, {"column": "", "type": None}, {"column": "who", "type": 1},
                                  {"column": "who", "type": "CPR", "because": "a\u0000b"},
                                  {"column": "who", "type": "CPR", "more": 1},
                                  {"column": "who", "type": "CPR", "because": "x" * 501}])  # fmt: skip
def test_what_cannot_be_read_is_refused(people: Home, client: Client, body: dict[str, object]) -> None:
    assert client("admin").post(RULINGS, json=body).status_code == 422


@pytest.mark.parametrize(
    ("role", "reads", "rules"),
    [("viewer", 403, 403), ("operator", 403, 403), ("steward", 200, 202), ("dpo", 200, 202), ("admin", 200, 202)],
)
def test_stewards_data_protection_officers_and_administrators_rule(
    people: Home, client: Client, role: str, reads: int, rules: int
) -> None:
    caller = client(role)
    assert caller.get(RULINGS).status_code == reads
    status, answer = said(caller)
    assert status == rules
    if rules == 202:
        assert caller.delete(f"{RULINGS}/{answer['ruling']['id']}").status_code in (200, 202)
    else:
        assert caller.delete(f"{RULINGS}/1").status_code == 403


def test_a_ruling_is_of_its_own_dataset(people: Home, client: Client) -> None:
    """A right on one dataset does not reach the rulings of another by their number."""
    number = said(client("admin"))[1]["ruling"]["id"]
    with people.database.write() as db:
        other = Pipeline(name="other", owner="x", source={"connector": "csv", "path": "x"})
        started = runs.start(db, other, "bo", "plan")[0].id
        datasets.publish(db, datasets.Snapshot("other", "charted", "x", "", started, [], {"who": "VARCHAR"}))
    answer = client("admin").delete(f"/api/v1/datasets/other/pii/rulings/{number}")
    assert answer.status_code == 404


@pytest.mark.parametrize(("name", "status"), [("nothing", 404), ("by_who", 409)])
def test_only_published_datasets_are_ruled_on(people: Home, client: Client, name: str, status: int) -> None:
    where = f"/api/v1/datasets/{name}/pii/rulings"
    assert client("admin").post(where, json={"column": "who", "type": "CPR"}).status_code == status
    assert client("admin").get(where).status_code == status


def test_a_ruling_and_its_withdrawal_are_audited(people: Home, client: Client) -> None:
    number = said(client("dpo"))[1]["ruling"]["id"]
    client("dpo").delete(f"{RULINGS}/{number}")
    with people.database.read() as db:
        done = [(row.who, row.action, row.about) for row in db.query(AuditEntry).order_by(AuditEntry.number)]
    assert done == [("dpo", "pii.rule", "dataset people"), ("dpo", "pii.withdraw", "dataset people")]
