"""Six honest scores: what was not measured has none, and a figure is never rounded up."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol, TypeVar

from core.models import DIMENSIONS, NO_ROWS, CheckResult, Verdict


class Result(Protocol):
    """What counts of a check, just measured or kept."""

    @property
    def dimension(self) -> str: ...
    @property
    def failed(self) -> float: ...
    @property
    def tested(self) -> float: ...
    @property
    def weight(self) -> float: ...
    @property
    def note(self) -> str | None: ...


T = TypeVar("T", bound=Result)


@dataclass(frozen=True)
class Scores:
    """Scores from 0 to 100, unrounded; None is not measured."""

    overall: float | None
    dimensions: dict[str, float | None]

    @property
    def measured(self) -> int:
        return sum(score is not None for score in self.dimensions.values())


def without_ages(results: Sequence[CheckResult], verdicts: Mapping[str, Verdict]) -> list[CheckResult]:
    """The results without the age of a column that is not known to be kept: the newest moment is one person's cell."""
    kept = {column for column, verdict in verdicts.items() if verdict.action == "keep"}
    return [
        replace(r, failed=0, tested=0, note=personal(r.column), newest=None)
        if r.tested and r.dimension == "timeliness" and r.column not in kept
        else r
        for r in results
    ]


def personal(column: str | None) -> str:
    return f"`{column}` holds personal data; timeliness needs a column that does not"


def scores(results: Sequence[Result]) -> Scores:
    """Of each dimension 100 x the weighted mean of 1 - failed/tested; overall the mean of those measured.

    A rule for which there is no row counts for nothing. One that could not be measured leaves its dimension without a
    score: that of the other rules would be taken for the whole.
    """
    exact = {name: _dimension([r for r in results if r.dimension == name]) for name in DIMENSIONS}
    measured = [score for score in exact.values() if score is not None]
    overall = float(sum(measured) / len(measured)) if measured else None
    return Scores(overall, {name: None if score is None else float(score) for name, score in exact.items()})


def could_not(result: Result) -> bool:
    """Whether a rule could not be measured, other than for want of rows; its note says why."""
    return not result.tested and bool(result.note) and result.note != NO_ROWS


def points(results: Sequence[T]) -> list[tuple[float, T]]:
    """What each check took from the overall score, most first: its part of its dimension, of those measured."""
    measured = [name for name in DIMENSIONS if _dimension([r for r in results if r.dimension == name]) is not None]
    counted = [r for r in results if r.tested and r.dimension in measured]
    weights = {name: sum(r.weight for r in counted if r.dimension == name) for name in measured}
    taken = [
        (100 * r.failed / r.tested * r.weight / weights[r.dimension] / len(measured), r) for r in counted if r.failed
    ]
    return sorted(taken, key=lambda pair: -pair[0])


def _dimension(results: Sequence[Result]) -> Fraction | None:
    """Exact: as floats, 66 of 100 rows would score 65.99999999999999 and miss a minimum of 66."""
    if any(map(could_not, results)):
        return None
    tested = [r for r in results if r.tested > 0]
    right = [Fraction(r.weight) * (1 - Fraction(r.failed) / Fraction(r.tested)) for r in tested]
    return 100 * sum(right, Fraction()) / sum(Fraction(r.weight) for r in tested) if tested else None


def text(score: float | None) -> str:
    """One decimal, rounded down: 99.99 is 99.9, for 100.0 says that nothing failed."""
    if score is None:
        return "not measured"
    return f"{math.floor(round(score, 9) * 10) / 10:.1f}"


def reaches(score: float | None, minimum: float | None) -> bool:
    """Whether the unrounded score is enough; where one is asked for, not measured is not."""
    return minimum is None or (score is not None and score >= minimum)
