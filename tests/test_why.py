"""The sentences of `why`."""

import pytest

from engine.contract.why import _sentence
from engine.store.tables import Check


def check(failed: float, tested: float) -> Check:
    return Check(ordinal=0, name="email is filled in", fault="email is empty", failed=failed, tested=tested, note=None)


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        ((10, 200), (0, 200), "email is empty in 5.0 % of 200 rows, was 0 %: 1.2 points."),
        ((10, 200), (1, 10_000), "email is empty in 5.0 % of 200 rows, was under 0.1 %: 1.2 points."),
        ((1, 1), (1, 1), "email is empty in 100.0 % of 1 row, as before: 1.2 points."),
    ],
)
def test_a_share_that_was_nothing_is_0(now: tuple[float, float], before: tuple[float, float], said: str) -> None:
    assert _sentence(check(*now), 1.2, check(*before)) == said
