"""The API keeps to its OpenAPI document whoever calls: a short form of `make test-api`."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.contract import ROLES, Outcome, Served

SEED, EXAMPLES = 1, 1


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    with Served(tmp_path_factory.mktemp("contract")).running() as served, ThreadPoolExecutor(2) as pool:
        served.document()
        calls = {role: pool.submit(served.called, role, SEED, EXAMPLES, bounded=True) for role in ROLES}
        found = {role: call.result() for role, call in calls.items()}
        assert '"message": "bug ' not in served.log
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_one_that_the_document_allows(outcomes: dict[str, Outcome], role: str) -> None:
    outcome = outcomes[role]
    print(outcome)  # noqa: T201 - the seed is needed where it fails
    assert outcome.cases > 50
    assert (outcome.failures, outcome.server_errors) == (0, 0), outcome.told
