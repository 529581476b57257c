"""Scores are honest: what was not measured has none, and no figure is rounded up."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import DIMENSIONS, CheckResult
from engine.chart import score


def result(dimension: str, failed: float, tested: float, weight: float = 1.0) -> CheckResult:
    return CheckResult("a rule", dimension, None, failed, tested, weight)


def test_a_dimension_is_the_weighted_share_that_did_not_fail() -> None:
    found = score.scores([result("validity", 1, 4), result("validity", 0, 10, 3), result("accuracy", 5, 5)])
    assert found.dimensions["validity"] == 93.75
    assert found.dimensions["accuracy"] == 0
    assert found.overall == 46.875
    assert found.measured == 2


def test_what_was_not_tested_has_no_score_and_weighs_nothing() -> None:
    assert score.scores([]).overall is None
    assert score.scores([result("validity", 0, 0)]).overall is None
    found = score.scores([result("validity", 0, 0, 100), result("validity", 1, 2), result("timeliness", 0, 0)])
    assert found.overall == 50
    assert list(found.dimensions) == list(DIMENSIONS)
    assert [name for name, value in found.dimensions.items() if value is not None] == ["validity"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (99.99, "99.9"), (99.9999991, "99.9"), (100.0, "100.0"), (99.9, "99.9"), (0.0, "0.0"), (0.09, "0.0"),
        (66.66666, "66.6"), (None, "not measured"),
    ],
)  # fmt: skip
def test_a_score_is_shown_rounded_down(value: float | None, shown: str) -> None:
    assert score.text(value) == shown


def test_nine_duplicates_in_a_million_are_no_full_score() -> None:
    assert score.text(score.scores([result("uniqueness", 9, 1_000_000)]).overall) == "99.9"


def test_every_score_of_one_decimal_is_shown_as_itself() -> None:
    assert [score.text(tenth / 10) for tenth in range(1001)] == [f"{tenth // 10}.{tenth % 10}" for tenth in range(1001)]


def test_a_minimum_that_is_met_exactly_is_met() -> None:
    for failed in range(101):
        found = score.scores([result("validity", failed, 100), result("validity", 7 * failed, 700, 0.3)])
        assert score.reaches(found.overall, 100 - failed)
        assert not score.reaches(found.overall, math.nextafter(100 - failed, 101))


def test_the_unrounded_score_is_compared_and_not_measured_is_not_enough() -> None:
    assert not score.reaches(89.9999, 90)
    assert not score.reaches(None, 0)
    assert score.reaches(None, None)
    assert score.reaches(0, 0)


@given(
    st.lists(
        st.tuples(st.sampled_from(DIMENSIONS), st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0.01, 100)),
        max_size=12,
    )
)
def test_a_score_is_full_only_if_nothing_failed(checks: list[tuple[str, int, int, float]]) -> None:
    results = [result(name, min(failed, tested), tested, weight) for name, failed, tested, weight in checks]
    overall = score.scores(results).overall
    if overall is None:
        assert not any(r.tested for r in results)
    else:
        assert 0 <= overall <= 100
        assert (score.text(overall) == "100.0") == (not any(r.failed for r in results))
