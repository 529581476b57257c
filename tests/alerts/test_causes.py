"""Random worlds of datasets in which it is known what has caused what: an alert is grouped under its cause alone.

Each world is played as it is, with each of its troubles alone, and without each. A trouble has caused a problem if the
problem is there with it alone, or is not there without it: that is the truth, and it comes from the world, not from the
rules.
"""

import random
from dataclasses import dataclass, field

import pytest

from core.models import CheckResult
from tests.alerts.conftest import LOW, MISSING, Team, missing

ROWS, MINIMUM = 100, 90.0
TROUBLES = ("away", "fewer", "empty")  # of a source
SEEDS, MANY = 12, 300


@dataclass
class World:
    """Datasets, each with the ids of its rows and those of the rows that it refers to in others."""

    references: dict[str, list[str]]
    troubles: dict[str, str]  # dataset -> what is wrong with its source, this time
    strict: set[str]  # whose version is refused below a minimum
    order: list[str]  # in which they run
    published: dict[str, set[int]] = field(default_factory=dict)

    def only(self, *names: str) -> "World":
        """The same world, with no troubles but those of some datasets."""
        return World(self.references, {name: self.troubles[name] for name in names}, self.strict, self.order)

    def play(self, team: "Team | None" = None) -> dict[tuple[str, str], int]:
        """Two days: all is well on the first, on the second the troubles come. The problems there are then.

        What a dataset refers to are the rows that the other would have today: new ids come in every day.
        """
        self.published = {name: set(range(ROWS)) for name in self.references}
        for name in self.references if team else ():
            team.publishes(name, ROWS, self._checks(name, {}, 0), 100.0)
        found: dict[tuple[str, str], int] = {}
        today = set(range(ROWS // 2, ROWS + ROWS // 2))  # half of them are new
        for name in self.order:
            self._run(name, today, found, team)
        return found

    def _run(self, name: str, today: set[int], found: dict[tuple[str, str], int], team: "Team | None") -> None:
        trouble = self.troubles.get(name)
        if trouble == "away":
            found[name, "failed_run"] = 1
            if team:
                team.ends(name, "failed", MISSING)
            return
        rows = set(sorted(today)[-ROWS // 4 :]) if trouble == "fewer" else today
        lost = {to: len(today - self.published[to]) for to in self.references[name]}
        empty = ROWS // 2 if trouble == "empty" else 0
        checks = self._checks(name, lost, empty)
        score = min(100.0 * (1 - check.failed / check.tested) for check in checks)
        if name in self.strict and score < MINIMUM:
            found[name, "low_score"] = 1
            if team:
                team.ends(name, "refused", LOW, checks=checks, score=score)
            return
        self.published[name] = rows
        if score <= 95:
            found[name, "falling_score"] = 1
        if trouble == "fewer":
            found[name, "lost_rows"] = 1
        if team:
            team.publishes(name, len(rows), checks, score)

    def _checks(self, name: str, lost: dict[str, int], empty: int) -> list[CheckResult]:
        own = CheckResult("country is filled in", "completeness", "country", empty, ROWS)
        return [own, *(missing(to, lost.get(to, 0)) for to in self.references[name])]


def world(chance: random.Random) -> World:
    names = [f"d{n}" for n in range(chance.randint(2, 8))]
    references = {
        name: chance.sample(names[:n], chance.randint(0, min(n, 2))) for n, name in enumerate(names)
    }  # fmt: skip
    troubles = {name: chance.choice(TROUBLES) for name in chance.sample(names, chance.randint(1, min(3, len(names))))}
    order: list[str] = []
    while len(order) < len(names):  # each after what it refers to
        order.append(chance.choice([n for n in names if n not in order and set(references[n]) <= set(order)]))
    return World(references, troubles, {name for name in names if chance.random() < 0.5}, order)


def causes(of: World, problem: tuple[str, str]) -> set[str]:
    """The datasets whose troubles have caused a problem: it is there with such a one alone, or is not without it."""
    others = {name: [other for other in of.troubles if other != name] for name in of.troubles}
    return {
        name for name in of.troubles
        if problem in of.only(name).play() or problem not in of.only(*others[name]).play()
    }  # fmt: skip


@pytest.mark.parametrize(
    "seed", [*range(SEEDS), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(SEEDS, MANY))]
)
def test_every_alert_stands_under_what_has_caused_it_and_under_nothing_else(team: Team, seed: int) -> None:
    one = world(random.Random(seed))
    for name, references in one.references.items():
        team.pipeline(name, *references)
    problems = one.play(team)
    found = {(alert.dataset, alert.rule): alert for alert in team.alerts()}
    assert found.keys() == problems.keys(), one
    at = {alert.id: alert for alert in found.values()}
    for problem, alert in found.items():
        true = causes(one, problem)
        if alert.root_id is not None:  # nothing is grouped under what it would be there without
            root = at[alert.root_id]
            assert causes(one, (root.dataset, root.rule)) & true, (one, problem, root.dataset, root.rule)
            assert root.root_id is None
        own = problem[0] in one.troubles
        if true and not own:  # and what has one cause that shows is grouped
            assert alert.root_id is not None, (one, problem, true)
