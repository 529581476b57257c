"""The OpenAPI document is committed: what it takes from those who use the API is taken on purpose."""

import copy
import json
from typing import Any

import pytest

from docs import generate
from docs.breaking import breaking

KEPT = json.loads(generate.OPENAPI.read_text(encoding="utf-8"))


def test_the_document_is_the_one_that_is_served() -> None:
    broken = "\n".join(breaking(KEPT, generate.document()))
    assert generate.as_text(generate.document()) == generate.OPENAPI.read_text(encoding="utf-8"), (
        f"docs/reference/openapi.json is old: make docs\n{broken}"
    )


def changed(how: Any) -> list[str]:
    new = copy.deepcopy(KEPT)
    how(new)
    return breaking(KEPT, new)


def at(document: Any, *path: str) -> Any:
    for key in path:
        document = document[key]
    return document


RUN = ("paths", "/api/v1/runs", "get")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda d: d["paths"].pop("/api/v1/runs"), ["GET /api/v1/runs is gone", "POST /api/v1/runs is gone"]),
        (lambda d: at(d, *RUN)["parameters"].pop(), ["GET /api/v1/runs: the query parameter `after` is gone"]),
        (
            lambda d: at(d, *RUN)["parameters"][0].update(required=True),
            ["GET /api/v1/runs: the query parameter `pipeline` is required"],
        ),
        (
            lambda d: at(d, "components", "schemas", "RunRequest")["required"].append("full"),
            ["`RunRequest`: the field `full` is required"],
        ),
        (
            lambda d: at(d, "components", "schemas", "RunRequest", "properties", "pipeline").update(type="integer"),
            ["`RunRequest`.pipeline: no longer takes string"],
        ),
        (
            lambda d: at(d, "components", "schemas", "UserAnswer", "properties").pop("owns"),
            ["`UserAnswer`: the field `owns` is gone"],
        ),
        (
            lambda d: at(d, "components", "schemas", "UserAnswer", "properties", "user").update(
                type=["string", "null"]
            ),
            ["`UserAnswer`.user: may now be null"],
        ),
        (
            lambda d: at(d, "components", "schemas", "NewUser", "properties", "role")["enum"].remove("dpo"),
            ["`NewUser`.role: no longer takes dpo"],
        ),
        (lambda d: at(d, "components", "schemas", "UserAnswer", "properties").update(more={"type": "string"}), []),
        (lambda d: at(d, *RUN)["parameters"].append({"in": "query", "name": "more", "schema": {}}), []),
        (lambda d: d["paths"].update({"/api/v1/more": {}}), []),
    ],
)
def test_a_change_that_breaks_a_program_is_told_and_others_are_not(how: Any, told: list[str]) -> None:
    assert changed(how) == told
