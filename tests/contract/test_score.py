"""Scores are honest: what is not measured has none, and no figure is rounded up."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import DIMENSIONS, CheckResult
from engine.contract import score


def result(dimension: str, failed: float, tested: float, weight: float = 1.0) -> CheckResult:
    return CheckResult("a check", dimension, None, failed, tested, weight)


def test_a_dimension_is_the_weighted_mean_of_its_checks() -> None:
    scores = score.scores([result("validity", 10, 100, 3), result("validity", 50, 100, 1), result("validity", 0, 0, 9)])
    assert scores.dimensions["validity"] == pytest.approx(100 * (3 * 0.9 + 0.5) / 4)


def test_overall_is_the_mean_of_the_dimensions_that_were_measured() -> None:
    scores = score.scores([result("validity", 10, 100), result("uniqueness", 0, 5), result("timeliness", 0, 0)])
    assert scores.overall == 95
    assert scores.measured == 2
    assert scores.dimensions == {**dict.fromkeys(DIMENSIONS), "validity": 90, "uniqueness": 100}


def test_nothing_measured_is_no_score_and_reaches_no_minimum() -> None:
    scores = score.scores([result("validity", 0, 0)])
    assert (scores.overall, scores.measured) == (None, 0)
    assert score.text(None) == "not measured"
    assert not score.reaches(None, 0)
    assert score.reaches(None, None)


@pytest.mark.parametrize(
    ("value", "text"), [(100, "100.0"), (99.9991, "99.9"), (94.19, "94.1"), (94.1, "94.1"), (0.0, "0.0"), (0.09, "0.0")]
)
def test_a_score_is_rounded_down(value: float, text: str) -> None:
    assert score.text(value) == text


def test_nine_duplicates_in_a_million_are_not_a_hundred() -> None:
    assert score.text(score.scores([result("uniqueness", 9, 1_000_000)]).overall) == "99.9"


def test_the_gate_compares_what_is_not_rounded() -> None:
    measured = score.scores([result("validity", 1, 1_000_000)]).overall
    assert not score.reaches(measured, 100)
    assert score.reaches(score.scores([result("validity", 100, 1000)]).overall, 90)


@given(
    st.lists(st.tuples(st.sampled_from(DIMENSIONS), st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.1, 9)))
)
def test_scores_stay_between_0_and_100_and_a_failure_never_shows_as_100(
    checks: list[tuple[str, int, int, float]],
) -> None:
    results = [result(name, min(a, b), max(a, b), weight) for name, a, b, weight in checks]
    scores = score.scores(results)
    for name, value in scores.dimensions.items():
        tested = [r for r in results if r.dimension == name and r.tested]
        assert (value is None) == (not tested)
        if value is not None:
            assert -1e-9 <= value <= 100 + 1e-9
            assert (score.text(value) == "100.0") == (not any(r.failed for r in tested))


def test_a_minimum_that_is_met_exactly_is_met() -> None:
    for failed in range(101):
        found = score.scores([result("validity", failed, 100), result("validity", 7 * failed, 700, 0.3)])
        assert score.reaches(found.overall, 100 - failed)
        assert not score.reaches(found.overall, math.nextafter(100 - failed, 101))


def test_every_score_of_one_decimal_is_shown_as_itself() -> None:
    assert [score.text(tenth / 10) for tenth in range(1001)] == [f"{tenth // 10}.{tenth % 10}" for tenth in range(1001)]
