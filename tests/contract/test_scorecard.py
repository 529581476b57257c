from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import DIMENSIONS
from engine.contract.scorecard import draw, shown, trend
from tests.pictures import ink, size

SCORES = {"completeness": 91.0, "uniqueness": 100, "validity": "99.96", "accuracy": None, "consistency": 78.2,
          "timeliness": 93.7}  # fmt: skip
WORST = [
    {"check": "email is filled in", "dimension": "completeness", "failed": 918, "tested": 10214},
    {"check": "the newest row is at most 48 h old", "dimension": "timeliness", "failed": 0.06, "tested": 1},
]


def facts(**more: Any) -> dict[str, Any]:
    return {"dataset": "customers", "score": "94.13", "dimensions": SCORES, "worst": WORST, **more}


@pytest.mark.parametrize(
    ("score", "text"),
    [(100, "100.0"), ("99.96", "99.9"), (99.999999, "99.9"), (94.1, "94.1"), (0, "0.0"), (None, "not measured")],
)
def test_scores_are_rounded_down(score: Any, text: str) -> None:
    assert shown(score) == text


def test_a_scorecard_is_drawn() -> None:
    picture = draw(facts(previous={"score": 96.4, "dimensions": SCORES, "note": "run #11"}, minimum=90))
    assert size(picture)[0] == 1520
    assert ink(picture) > 20_000


def test_not_measured_looks_like_neither_zero_nor_a_hundred() -> None:
    pictures = [draw(facts(dimensions={**SCORES, "accuracy": value})) for value in (None, 0, 100)]
    assert len(set(pictures)) == 3
    assert draw(facts(score=None)) != draw(facts(score=0))


def test_every_fact_changes_the_picture() -> None:
    plain = draw(facts())
    for more in (
        {"dataset": "orders"},
        {"dataset": "ærø"},
        {"score": 94.2},
        {"note": "run #12"},
        {"minimum": 90},
        {"minimum": 95},
        {"about": "29 November 2026, 15:09 · 200 rows · owner crm"},
        {"worst": WORST[:1]},
        {"previous": {"score": 96, "dimensions": {}}},
        {"previous": {"score": None, "dimensions": {"validity": 90}}},
        *({"dimensions": {**SCORES, name: 55.5}} for name in DIMENSIONS),
    ):
        assert draw(facts(**more)) != plain, more


def test_a_dataset_without_checks_has_a_scorecard() -> None:
    assert ink(draw({"dataset": "empty", "score": None, "dimensions": {}})) > 5000


@settings(max_examples=20, deadline=None)
@given(
    st.text(max_size=60),
    st.one_of(st.none(), st.floats(0, 100)),
    st.dictionaries(st.sampled_from(DIMENSIONS), st.one_of(st.none(), st.floats(0, 100))),
    st.integers(0, 10**9),
)
def test_no_facts_break_a_scorecard(name: str, score: float | None, scores: dict[str, Any], rows: int) -> None:
    worst = [{"check": name, "dimension": name, "failed": rows / 3, "tested": rows}] * 3
    previous = {"score": score, "dimensions": scores, "note": name}
    assert draw({"dataset": name, "score": score, "dimensions": scores, "worst": worst, "previous": previous})
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert trend([{"at": at, "score": score, "dimensions": scores, "run": rows}] * 2, name)


def points(count: int, **more: Any) -> list[dict[str, Any]]:
    start = datetime(2026, 11, 1, 6, tzinfo=UTC)
    return [
        {"at": start + timedelta(days=i), "score": 90 + i % 9, "dimensions": SCORES, "run": i + 1, **more}
        for i in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 30, 400])
def test_a_trend_is_drawn_for_any_number_of_runs(count: int) -> None:
    assert size(trend(points(count), "customers")) == (1520, 1068)


def test_what_was_not_measured_is_a_gap_and_no_zero() -> None:
    gap, zero = points(7), points(7)
    gap[3]["score"], zero[3]["score"] = None, 0
    assert len({trend(gap), trend(zero), trend(points(7))}) == 3


def test_days_are_those_of_the_time_zone() -> None:
    late = [{"at": datetime(2026, 11, 1, 23, 30, tzinfo=UTC), "score": 90, "dimensions": {}}]
    assert trend(late, timezone="Europe/Copenhagen") != trend(late, timezone="UTC")
