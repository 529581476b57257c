"""The API keeps to its OpenAPI document whoever calls: a short form of `make test-api`."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api.metrics import Requests
from api.observe import Observe
from engine.home import Home
from tests.api.contract import NOBODY, ROLES, Outcome, Served, called, is_bug
from tests.api.live import live
from tests.conftest import Lines

SEED, EXAMPLES = 1, 1


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    with Served(tmp_path_factory.mktemp("contract")).running() as served, ThreadPoolExecutor(2) as pool:
        served.document()
        calls = {role: pool.submit(served.called, role, SEED, EXAMPLES, bounded=True) for role in ROLES}
        found = {role: call.result() for role, call in calls.items()}
        assert not served.bugs
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_one_that_the_document_allows(outcomes: dict[str, Outcome], role: str) -> None:
    outcome = outcomes[role]
    print(outcome)  # noqa: T201 - the seed is needed where it fails
    assert outcome.cases > 50
    assert (outcome.failures, outcome.server_errors) == (0, 0), outcome.told


def test_a_route_that_breaks_is_counted_and_told_by_the_log(tmp_path: Path, home: Home, lines: Lines) -> None:
    app = FastAPI()
    app.add_api_route("/broken", lambda: 1 // 0)
    app.add_middleware(Observe, requests=Requests(CollectorRegistry()))
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(app.openapi()), encoding="utf-8")
    with live(app, home.settings) as server:
        outcome = called(document, server.url, NOBODY, None, SEED, EXAMPLES, bounded=True)
    assert outcome.server_errors
    assert outcome.failures
    assert any(is_bug(line) for line in lines())
