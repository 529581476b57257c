"""What an attacker would try, once each: over HTTP, on a home with a real run in it."""

import io
import json
import re
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pypdf import PdfReader

from api.main import IN_PROCESS, create_app
from core.settings import load
from engine.home import Home, open_home
from engine.runs.worker import Worker
from engine.store import access
from tests.homes import prepare
from tests.program import HANGS

BEHALF = "Atlas-On-Behalf-Of"
OUTSIDE = "outside-canary-5512"
HOSTILE = [
    "a'b", 'c"d', "x; drop table run; --", "y) union select 1 --", "%s{z}${q}", '#read("/etc/passwd")', "$x$", "]#[",
    "new\nline", "back\\slash", "select", "<b>&amp;", "{{7*7}}", "/*", "`tick`", "Ø;--", "a.b", "..", "*", "^.*$",
    "^id$", "tab\there",
]  # fmt: skip
CODE = '#read("/etc/passwd") $ 7 * 7 $ ] #{1+1} ${secret:X} {{7*7}} */ -- \\ " \' <script>'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """`strange` has columns of every hostile name, and hostile words wherever a pipeline file takes words."""
    folder = tmp_path_factory.mktemp("attacked")
    pipelines = folder / "pipelines"
    (pipelines / "navigate").mkdir(parents=True)
    names = ",".join('"' + name.replace('"', '""') + '"' for name in HOSTILE)
    rows = "".join(",".join(f"{column}-{row}" for column in range(len(HOSTILE))) + "\n" for row in range(5))
    (pipelines / "strange.csv").write_text(f"id,{names}\n" + "".join(f"{n},{r}\n" for n, r in enumerate(rows.split())))
    columns = [re.sub(r"[\x00-\x1f]", " ", name).replace('"', "'").lstrip("^") for name in HOSTILE]
    rules = {
        "completeness": columns, "uniqueness": [columns[:2], columns[2]],
        "validity": [{"column": c, "values": [CODE, "1-1"]} for c in columns],
        "consistency": [{"column": columns[0], "references": f"strange.{columns[2]}"}],
        "accuracy": [{"column": columns[2], "matches": f"strange.{columns[0]}"}],
        "timeliness": {"column": columns[3], "max_age_hours": 1},
    }  # fmt: skip
    definition = {
        "name": "strange", "owner": CODE, "description": CODE, "key": [columns[0]], "subject": {"customer": columns[1]},
        "source": {"connector": "csv", "path": "strange.csv"}, "quality": rules,
        "privacy": {"purpose": CODE, "recipients": [CODE], "persons": [CODE], "transfers": [CODE],
                    "columns": {columns[2]: "hash", columns[4]: "redact", columns[7]: "keep"}},
    }  # fmt: skip
    (pipelines / "strange.yml").write_text(json.dumps(definition), encoding="utf-8")
    (pipelines / "navigate" / "odd.sql").write_text(f"-- {CODE}\nselect * from strange", encoding="utf-8")
    other = "name: customers\nowner: crm-team\nsource: {connector: csv, path: customers.csv}\n"
    (pipelines / "customers.yml").write_text(other, encoding="utf-8")
    (pipelines / "customers.csv").write_text("customer_id,city\n1,Ry\n2,Ry\n", encoding="utf-8")
    (pipelines / "navigate" / "cities.sql").write_text("select city, count(*) as n from customers group by 1")
    for name in ("outside.yml", "outside.sql", "navigate/../outside.csv"):
        (folder / name.rpartition("/")[2]).write_text(other.replace("customers", "outside") + f"# {OUTSIDE}\n")
    no_limit = dict.fromkeys(
        ("ATLAS_LIMIT_PER_ADDRESS", "ATLAS_LIMIT_PER_TOKEN", "ATLAS_LIMIT_SIGN_IN"), "99999/second"
    )
    places = {"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(pipelines)}
    prepare(folder / "home")
    opened = open_home(load({**places, **no_limit}))
    with opened.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    yield opened
    opened.database.close()


@pytest.fixture(scope="module")
def admin(home: Home, worker: Worker) -> TestClient:
    """An administrator, after one run of each pipeline."""
    client = caller(home, "admin", wake=worker.wake)
    for name in ("strange", "customers"):
        number = client.post("/api/v1/runs", json={"pipeline": name}).json()["run"]
        end = time.monotonic() + HANGS
        while (run := client.get(f"/api/v1/runs/{number}").json())["state"] in ("queued", "running"):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert run["state"] == "succeeded", run["error"]
    return client


def caller(home: Home, user: str, wake: Any = None, **limits: Any) -> TestClient:
    with home.database.write() as db:
        token = access.issue(db, access.user(db, user), 600, **limits)
    return TestClient(
        create_app(home, wake or (lambda: None)), base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"},
        raise_server_exceptions=False,
    )  # fmt: skip


def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


# names


TRAVERSALS = [
    "../outside", "..%2foutside", "%2e%2e%2foutside", "..\\outside", "/etc/passwd", "....//outside", "outside%00",
    "navigate/../../outside", "outside.yml", "customers/../../outside", "~", "file:///etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_name_leads_out_of_its_folder(admin: TestClient, name: str) -> None:
    quoted = urllib.parse.quote(name, safe="%")
    for path, methods in document(admin)["paths"].items():
        for method, operation in methods.items():
            asked = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query" and p["name"] in
                     ("node", "nodeId", "dataset", "pipeline", "about")]  # fmt: skip
            if not asked and not re.search(r"\{(name|subject|user)\}", path):
                continue
            filled = re.sub(r"\{(number|id)\}", "1", re.sub(r"\{(name|subject|user)\}", quoted, path))
            query = "&".join(f"{one}={quoted}" for one in asked)
            answer = admin.request(method, f"{filled}?{query}")
            assert answer.status_code < 500, (method, filled, answer.text)
            assert OUTSIDE not in answer.text
            if "{name}" in path or "{subject}" in path:
                assert answer.status_code in (404, 405, 422), (method, filled, answer.text)
    answer = admin.post("/api/v1/runs", json={"pipeline": urllib.parse.unquote(name)})
    assert answer.status_code in (404, 422)


def test_hostile_names_of_columns_pass_through_every_query(admin: TestClient, home: Home) -> None:
    shown = admin.get("/api/v1/datasets/strange").json()
    columns = [column["name"] for column in shown["columns"]][1:]
    assert len(columns) == len(HOSTILE)
    assert (shown["rows"], admin.get("/api/v1/models/odd/rows").json()["total_rows"]) == (5, 5)
    assert len(admin.get("/api/v1/datasets/strange/quality").json()["checks"]) > 40
    for column in columns:
        for where in (f"strange.{column}", f"explore.strange.{column}", f"navigate.odd.{column}"):
            answer = admin.get("/api/v1/lineage/explain", params={"node": where, "direction": "downstream"})
            assert answer.status_code == (404 if column == "*" else 200), (where, answer.text)  # `*` is every row
        node = f"datasetField:atlas:strange:{column}"
        answer = admin.get("/api/v1/column-lineage", params={"nodeId": node})
        assert answer.status_code < 500, (node, answer.text)
    for where in (
        "runs", "datasets", "pipelines", "datasets/strange/pii", "why/strange", "datasets/strange/versions",
        "datasets/strange/dead-letters", "datasets/strange/quality/trend", "datasets/strange/quality/picture",
        "lineage/events", "lineage/picture?node=strange", "lineage/picture?node=odd",
    ):  # fmt: skip
        assert admin.get(f"/api/v1/{where}").status_code == 200, where
    with home.database.read() as db:
        assert len(access.ROLES) == len(access.users(db, None, 50))  # no table was dropped


def test_words_of_a_pipeline_file_are_no_code_in_the_report(admin: TestClient) -> None:
    answer = admin.get("/api/v1/gdpr/report?dataset=strange")
    assert answer.headers["content-type"] == "application/pdf"
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    flat = re.sub(r"\s+", "", text)
    assert "root:" not in text
    assert re.sub(r"\s+", "", '#read("/etc/passwd")') in flat
    assert "{{7*7}}" in flat
    assert "${secret:X}" in flat


def test_words_of_a_pipeline_file_are_no_code_in_an_answer(admin: TestClient) -> None:
    for where in ("pipelines", "datasets", "datasets/strange", "why/strange", "gdpr/report?dataset=strange"):
        answer = admin.get(f"/api/v1/{where}", headers={"Accept": "application/json"})
        assert answer.headers["content-type"].startswith("application/json")
        assert CODE in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\"), where


# rights


def test_no_write_takes_a_field_that_it_does_not_name(admin: TestClient, home: Home) -> None:
    described = document(admin)
    extra = {
        "role": "admin", "id": 1, "requested_by": "viewer", "created_by": "viewer", "admin": True, "owns": ["x"],
        "state": "succeeded", "score": "100", "generation": 0, "hash": "x", "user_id": 1, "scopes": ["admin"],
        "granted_by": "viewer", "linked_by": "viewer", "password": "x", "active": True, "__proto__": {},
    }  # fmt: skip
    taken = []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body is None:
                continue
            schema = described["components"]["schemas"][body["$ref"].rpartition("/")[2]]
            example = schema["examples"][0]
            for field in extra.keys() - schema["properties"].keys():
                answer = admin.request(method, re.sub(r"\{[^}]*\}", "1", path), json={**example, field: extra[field]})
                told = [error["field"] for error in answer.json().get("errors", [])]
                if answer.status_code != 422 or f"body.{field}" not in told:
                    taken.append(f"{method} {path}: {field}: {answer.status_code}")
    assert taken == []


def test_a_token_of_one_dataset_learns_nothing_of_another_on_any_route(admin: TestClient, home: Home) -> None:
    """Whatever a route is asked: neither the other's name, nor its columns, nor its runs are in the answer."""
    limited = caller(home, "admin", datasets=["customers", "cities"])
    runs = {run["pipeline"]: run["run"] for run in admin.get("/api/v1/runs").json()["items"]}
    seen, answered = [], 0
    for path, methods in document(admin)["paths"].items():
        if "get" not in methods or path in ("/openapi.json", "/metrics") or path.startswith("/docs"):
            continue
        for name in ("strange", "odd"):
            filled = re.sub(r"\{(number|id)\}", str(runs["strange"]), re.sub(r"\{(name|subject|user)\}", name, path))
            params = {"node": name, "nodeId": f"dataset:atlas:{name}", "dataset": name, "pipeline": name}
            given = {p["name"] for p in methods["get"].get("parameters", []) if p["in"] == "query"}
            query = {key: value for key, value in params.items() if key in given}
            for asked in ({}, query):
                answer = limited.get(filled, params=asked)
                answered += answer.status_code == 200
                # the name that was asked for may stand in a refusal
                words = "drop table|#read|strange.csv" if answer.status_code >= 400 else "strange|odd|drop table|#read"
                if re.search(words, answer.text):
                    seen.append(f"{filled} {asked}: {answer.status_code}")
                if "{name}" in path or "{number}" in path:
                    assert answer.status_code == 403, (filled, answer.text)
    assert seen == []
    assert answered >= 5
    assert limited.get("/api/v1/datasets/customers").status_code == 200


@pytest.mark.parametrize("limits", [{"scopes": ["read:runs"]}, {"datasets": ["customers"]}])
def test_a_limited_token_sets_no_password_and_takes_no_identity(home: Home, admin: TestClient, limits: Any) -> None:
    """Either would give it all that its user may: by signing in, or by speaking through the bot."""
    stolen = caller(home, "steward", **limits)
    password = {"password": "a-long-password-of-an-attacker"}
    assert stolen.put("/api/v1/users/steward/password", json=password).status_code == 403
    sign_in = {"user": "steward", **password}
    assert admin.post("/api/v1/auth/token", json=sign_in).status_code == 401
    behalf = {BEHALF: "slack:T1:ATTACKER"}
    code = admin.post("/api/v1/links/codes", headers=behalf).json()["code"]
    assert stolen.post("/api/v1/links/confirm", json={"code": code}).status_code == 403
    assert admin.get("/api/v1/me", headers=behalf).json()["rights"] == []


def test_a_person_whom_nobody_knows_ends_nobodys_token(home: Home, admin: TestClient) -> None:
    victim = caller(home, "viewer")
    with home.database.write() as db:
        owner = access.user(db, "viewer")
        number = max(row.id for row, _ in access.tokens(db, owner.id, 0, 200))
    answer = admin.delete(f"/api/v1/tokens/{number}", headers={BEHALF: "slack:T1:STRANGER"})
    assert answer.status_code in (403, 404)
    assert victim.get("/api/v1/me").status_code == 200


def test_of_anothers_run_not_even_the_pipeline_is_told(home: Home, admin: TestClient) -> None:
    limited = caller(home, "admin", datasets=["customers"])
    runs = {run["pipeline"]: run["run"] for run in admin.get("/api/v1/runs").json()["items"]}
    for number in (runs["strange"], 999_999):
        for path in (f"runs/{number}", f"runs/{number}/events", f"why/{number}"):
            told = limited.get(f"/api/v1/{path}").json()
            assert (told["status"], told["detail"]) == (403, "This token may not do that."), path


def test_a_token_of_a_dataset_that_is_not_there_is_told_no_other_name(home: Home) -> None:
    limited = caller(home, "admin", datasets=["customer"])
    for path in ("pipelines/customer", "datasets/customer/quality", "models/customer/rows", "why/customer"):
        answer = limited.get(f"/api/v1/{path}")
        assert answer.status_code == 404, path
        assert not re.search("customers|strange|odd", answer.text), path
    assert "customers" not in limited.post("/api/v1/runs", json={"pipeline": "customer"}).text


def test_a_limited_token_of_an_administrator_makes_nobody_an_administrator_in_a_chat(home: Home) -> None:
    stolen = caller(home, "admin", scopes=["admin"])
    link = {"platform": "slack", "tenant": "T1", "person": "ATTACKER", "user": "admin"}
    assert stolen.post("/api/v1/links", json=link).status_code == 403


@pytest.mark.parametrize("limits", [{"scopes": ["read:runs"]}, {"datasets": ["customers"]}])
def test_a_limited_token_ends_no_other_token_and_no_link(home: Home, admin: TestClient, limits: Any) -> None:
    whole, stolen = caller(home, "steward"), caller(home, "steward", **limits)
    person = f"S{next(iter(limits))}"
    link = admin.post("/api/v1/links", json={"platform": "slack", "tenant": "T1", "person": person, "user": "steward"})
    assert stolen.delete(f"/api/v1/links/{link.json()['id']}").status_code == 403
    for row in whole.get("/api/v1/tokens?limit=200").json()["items"]:
        assert stolen.delete(f"/api/v1/tokens/{row['id']}").status_code == 403
    assert whole.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize("number", ["0o" + "7" * 9000, "0x" + "f" * 9000])
def test_a_number_too_long_to_be_written_is_a_mistake_in_a_draft(admin: TestClient, number: str) -> None:
    answer = admin.post("/api/v1/pipelines/validate", json={"name": "x", "text": f"name: {number}\n"})
    assert answer.status_code == 200
    assert "too large" in answer.json()["mistakes"][0]["message"]
