"""What a rule is told, and what it says.

A rule is a module with `SEVERITY` (high or low), `SPREADS` (whether it can cause another alert, or be caused by one,
and so waits a little before it is sent), `BY_CLOCK` (whether it is asked now and then, too, and not only when a run has
ended), `MASKING` (whether a run that only masked what is published tells anything of it: such a run reads no source),
`OVER` (why an alert of it closes by itself), and `problems(facts)`: those there are, none, or None if these facts do
not tell.

A problem names what can have caused it in `comes_of`. Nothing else groups it with another alert: a run that fails while
it reads its own source has no cause in another dataset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

ROWS = "rows"  # touched by what keeps a version from being published
# the published version of such a dataset is old, or lacks rows that others refer to
NOT_AS_IT_SHOULD_BE = {
    "failed_run": ROWS, "refused_run": None, "low_score": None, "freshness": None, "lost_rows": None,
    "falling_score": None,
}  # fmt: skip
NOT_PUBLISHED = {"failed_run": ROWS, "refused_run": None, "low_score": None}
# rules about the published version: they change nothing before it is published
AT_ONCE = ("lost_rows", "falling_score", "schema_drift")


@dataclass(frozen=True)
class Problem:
    """Something that somebody should look at, in words made of facts: names and counts, no values."""

    title: str
    cause: str
    next: tuple[str, ...] = ()  # commands that help
    what: str = ""  # tells problems of one rule and dataset apart: a column
    detail: Mapping[str, Any] = field(default_factory=dict)  # JSON, to be remembered at the next look
    comes_of: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    # dataset -> rules whose alerts about it can be the cause; a name there must be among what the alert `touches`
    touches: tuple[str, ...] = ()  # columns that this problem changes for other datasets


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
    rows: int | None = None  # rows of the version that the run has published
    rows_before: int | None = None
    unbuilt: Mapping[str, str] = field(default_factory=dict)  # models that could not be built after it, and why
    blamed: frozenset[str] = frozenset()  # datasets that rules name which fail in more rows than in the last good run
    late: bool = False  # the rows are older than `timeliness` allows, and were not in the last good run
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

    def of_others(self) -> dict[str, dict[str, str | None]]:
        """What can have made rules fail that look into other datasets: these were not published, or hold less."""
        return {name: dict(NOT_AS_IT_SHOULD_BE) for name in self.blamed}

    def remembered(self, now: dict[str, dict[str, str | None]]) -> Mapping[str, Mapping[str, str | None]]:
        """What an open alert was found to come of when it began: the last good run may have been as bad since."""
        known: Mapping[str, Mapping[str, str | None]] = self.live.get("", {}).get("comes_of") or {}
        return known or now

    def of_age(self) -> dict[str, dict[str, str | None]]:
        """What can have made `timeliness` fail."""
        return {self.dataset: {"freshness": None}} if self.late else {}

    def time(self, moment: datetime) -> str:
        there = moment.astimezone(ZoneInfo(self.zone))
        return f"{there.day} {there:%B %Y %H:%M}"
