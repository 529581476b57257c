"""What a rule is told, and what it says.

A rule is a module with `SEVERITY` (high or low), `SPREADS` (whether trouble downstream may come of it), `BY_CLOCK`
(whether it is asked now and then, too, and not only when a run has ended), `MASKING` (whether a run that only masked
what is published tells anything of it: such a run reads no source), and `problems(facts)`: those there are, none, or
None if these facts do not tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Problem:
    """Something that somebody should look at, in words made of facts: names and counts, no values."""

    title: str
    cause: str
    next: tuple[str, ...] = ()  # what one can say about it
    what: str = ""  # tells problems of one rule and dataset apart: a column
    detail: Mapping[str, Any] = field(default_factory=dict)  # JSON, to be remembered at the next look


@dataclass(frozen=True)
class Facts:
    """What is known of a dataset when a run of it has ended, or now; of the run before it, the last good one."""

    dataset: str
    run: int  # that ended; by the clock, the one whose data are published
    now: datetime
    zone: str
    state: str = ""  # succeeded refused failed
    error: Mapping[str, Any] = field(default_factory=dict)
    rows_in: int | None = None
    rows_rejected: int | None = None
    rows: int | None = None  # of the version it has published
    rows_before: int | None = None
    unbuilt: tuple[str, ...] = ()  # models that could not be built after it
    score: float | None = None
    score_before: float | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)  # column -> what its source holds: text, integer …
    kinds_before: Mapping[str, str] = field(default_factory=dict)
    personal: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column -> kinds of personal data
    personal_before: Mapping[str, tuple[str, ...]] | None = None  # None = there is no run before
    settled: frozenset[str] = frozenset()  # columns that a person or the pipeline's file has decided on
    newest: datetime | None = None  # row of what is published
    max_age_hours: float | None = None
    live: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # this rule's alerts: what -> detail

    def time(self, moment: datetime) -> str:
        there = moment.astimezone(ZoneInfo(self.zone))
        return f"{there.day} {there:%B %Y %H:%M}"
