"""What the API says is what its document says, and no more than the caller may know."""

import json
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from api import answers
from api.main import create_app
from api.routes import datasets, gdpr, lineage, me, models, pipelines, runs, why
from core.settings import Settings
from engine.home import Home
from engine.store.tables import Run
from tests.api.conftest import Client
from tests.api.test_pages import fill

SHAPES = [
    shape
    for module in (answers, datasets, gdpr, lineage, me, models, pipelines, runs, why)
    for shape in vars(module).values()
    if isinstance(shape, type) and issubclass(shape, BaseModel)
]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_example_is_one_of_what_it_shows(shape: type[BaseModel]) -> None:
    extra: Any = shape.model_config.get("json_schema_extra") or {}
    for example in extra.get("examples", []):
        assert set(example) <= {field.alias or name for name, field in shape.model_fields.items()} | {"nearest"}
        shape.model_validate(example)


def test_every_route_says_what_it_answers_and_how_it_refuses(home: Home) -> None:
    document = create_app(home, lambda: None).openapi()
    names = []
    for where, methods in document["paths"].items():
        for method, operation in methods.items():
            names.append(operation["operationId"])
            for status, told in operation["responses"].items():
                kinds = set(told.get("content", {}))
                if status.startswith("4"):
                    assert kinds == {"application/problem+json"}, (method, where, status)
            assert {"401", "403", "404", "409", "422", "429"} <= set(operation["responses"])
            for parameter in operation.get("parameters", []):
                assert {"type": "null"} not in parameter["schema"].get("anyOf", [])
    assert len(names) == len(set(names))
    asked = json.dumps(document)
    known = document["components"]["schemas"]
    assert all(f'"{name}"' in json.dumps(list(known)) for name in ("Problem", "Fault", "Run", "Brief"))
    assert all(part.partition('"')[0] in known for part in asked.split("#/components/schemas/")[1:])


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_why_a_column_is_personal_is_told_only_to_those_who_may_know(
    home: Home, client: Client, orders: object, role: str
) -> None:
    fill(home, 1)
    told = client(role).get("/api/v1/runs/1").json()["personal_columns"]
    assert [{key: value for key, value in column.items() if value is not None} for column in told] == [
        {"column": "email", "types": ["EMAIL"], "action": "hash", "scope": "column"}
    ]
    whole = client("steward").get("/api/v1/runs/1").json()["personal_columns"][0]
    assert (whole["confidence"], whole["reason"], whole["masked"], whole["found"]) == (
        "0.98",
        "9 of 9",
        9,
        {"EMAIL": 9},
    )


def test_a_look_at_a_run_ends_when_something_is_new(home: Home, client: Client, orders: object) -> None:
    admin = client("admin")
    run = admin.post("/api/v1/runs", json={"pipeline": "orders"}).json()
    seen: list[dict[str, Any]] = []

    def look() -> None:
        seen.append(admin.get(f"/api/v1/runs/1?seen={run['revision']}&wait=20").json())

    waiting = threading.Thread(target=look)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    with home.database.write() as db:
        db.get_one(Run, 1).cancel_requested = True
    waiting.join(10)
    assert (seen[0]["cancel_requested"], seen[0]["revision"] != run["revision"]) == (True, True)
    assert admin.get(f"/api/v1/runs/1?seen={seen[0]['revision']}").json() == {**seen[0], "seconds": None}


def test_a_watched_run_tells_each_change_until_it_ends(home: Home, client: Client, orders: object) -> None:
    admin = client("admin")
    admin.post("/api/v1/runs", json={"pipeline": "orders"})
    admin.post("/api/v1/runs/1/cancel")
    answer = admin.get("/api/v1/runs/1/events")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    told = json.loads(answer.text.partition("data: ")[2])
    assert told == admin.get("/api/v1/runs/1").json()


BROKEN = "name: orders\nowner: web-team\nsource: {connector: csv, path: orders.csv}\nowners: x\n"


def test_a_pipelines_mistakes_are_told_with_their_lines(client: Client, settings: Settings, orders: object) -> None:
    viewer = client("viewer")
    assert viewer.post("/api/v1/pipelines/orders/validate").json() == {"name": "orders", "valid": True, "mistakes": []}
    (settings.pipelines / "orders.yml").write_text(BROKEN, encoding="utf-8")
    told = viewer.post("/api/v1/pipelines/orders/validate").json()
    assert (told["valid"], [(m["file"], m["line"]) for m in told["mistakes"]]) == (False, [("orders.yml", 4)])
    whole = viewer.get("/api/v1/pipelines/orders").json()
    assert (whole["definition"], whole["mistakes"]) == (None, told["mistakes"])
    assert viewer.post("/api/v1/pipelines/nothing/validate").status_code == 404


def test_a_draft_is_checked_and_not_kept(client: Client, settings: Settings, orders: object) -> None:
    viewer, before = client("viewer"), sorted(settings.pipelines.rglob("*"))

    def mistakes(name: str, text: str) -> list[str]:
        answer = viewer.post("/api/v1/pipelines/validate", json={"name": name, "text": text})
        assert answer.status_code == 200
        return [f"{m['file']}:{m['line']}: {m['message']}" for m in answer.json()["mistakes"]]

    good = "name: new\nowner: web-team\nsource: {connector: csv, path: members.csv}\n"
    assert mistakes("new", good) == []  # whether there is such a file is not looked at
    (elsewhere,) = mistakes("new", good.replace("members.csv", "/etc/passwd"))
    assert elsewhere.startswith(
        "new.yml:3: `source.path`: `/etc/passwd` is not in a folder that may be read. Allowed: "
    )
    assert f"`{settings.pipelines}`" in elsewhere
    rule = (
        "quality:\n  consistency:\n    - {column: a, references: nowhere.b}\n    - {column: a, references: orders.id}\n"
    )
    assert mistakes("new", good + rule) == ["new.yml:6: `quality.consistency.1`: there is no dataset `nowhere`"]
    assert mistakes("orders", BROKEN)[0].startswith("orders.yml:4: unknown key `owners`")
    assert mistakes("orders", "name: other\nowner: x\nsource: {connector: csv, path: x}\n")[0].startswith(
        "orders.yml:1:"
    )
    assert sorted(settings.pipelines.rglob("*")) == before


@pytest.mark.parametrize("name", ["../orders", "/etc/passwd", "orders.yml", "", "A", "a" * 64])
def test_a_draft_has_the_name_of_a_pipeline(client: Client, orders: object, name: str) -> None:
    answer = client("viewer").post("/api/v1/pipelines/validate", json={"name": name, "text": ""})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.name")


def test_of_a_source_only_references_to_secrets_are_shown() -> None:
    from engine import secrets

    source = {
        "connector": "rest", "url": "https://kim:hunter2@crm.example/v1/people?key=hunter2", "header": True,
        "auth": {"bearer": "hunter2", "basic": ["${secret:CRM_USER}", "hunter2"]}, "dsn": "${secret:CRM_DSN}",
        "headers": {"X-Anything": "hunter2"}, "pagination": {"next": "$.next"}, "path": "data/*.csv?",
    }  # fmt: skip
    shown = secrets.hidden(source)
    assert "hunter2" not in str(shown)
    assert shown["auth"]["basic"][0] == "${secret:CRM_USER}"
    assert {key: shown[key] for key in ("connector", "header", "dsn", "pagination", "path")} == {
        key: source[key] for key in ("connector", "header", "dsn", "pagination", "path")
    }


def test_a_pipeline_is_shown_as_its_file_says(client: Client, settings: Settings, orders: object, home: Home) -> None:
    fill(home, 1)
    with (settings.pipelines / "orders.yml").open("a", encoding="utf-8") as file:
        file.write('schedule: "0 6 * * *"\n')
    told = client("viewer").get("/api/v1/pipelines/orders").json()
    assert (told["schedule"], told["last_run"]["run"], told["mistakes"]) == ("0 6 * * *", 1, [])
    assert told["definition"]["source"] == {"connector": "csv", "path": "orders.csv"}
