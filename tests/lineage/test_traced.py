"""Column lineage against what the database does with marked values: see tests/lineage/traced.py."""

import pytest

from tests.lineage import hard
from tests.lineage.traced import measure, measure_given


def test_whatever_arrives_is_told() -> None:
    measured = measure(12, 5, thorough=False)
    assert measured.told > 50
    assert measured.missing == []


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_arrives_is_told_and_little_else(seed: int) -> None:
    measured = measure(1000, seed)
    assert measured.missing == []
    assert measured.extra_share < 0.03, measured.extra[:20]


@pytest.mark.long
def test_whatever_arrives_is_told_in_queries_that_are_rare() -> None:
    measured = measure_given(hard.QUERIES, 3)
    assert len(measured.verdicts) > 80
    assert measured.missing == []
