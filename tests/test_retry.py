"""Whatever order parts are done in, and wherever a run ends: a retry makes it what a run without a fault would be."""

import random
from collections.abc import Iterator

import pytest

from core.settings import Settings
from engine import catalog
from engine.home import Home, open_home
from engine.runs import course
from engine.store import leases, privacy, quality, runs

FILE = """name: people
owner: crm
source: {connector: csv, path: people-*.csv}
quality: {validity: [{column: id, min: 0}], reject_rows: [validity]RULES}
"""
ELSEWHERE = ", consistency: [{column: id, references: people.id}]"
STEPS = ["chart", "chart", "contract", "explore", "explore", "navigate", "plan", "publish", "rejects", "verdicts"]


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    for name in ("a", "b"):
        (settings.pipelines / f"people-{name}.csv").write_text("id,who\n1,Anna\n-1,Bo\n")
    opened = open_home(settings)
    yield opened
    opened.database.close()


@pytest.mark.parametrize(("rules", "score"), [("", 50), (ELSEWHERE, 75)])
@pytest.mark.parametrize("done", range(len(STEPS)))
def test_a_run_that_ended_anywhere_is_made_whole_by_a_retry(home: Home, rules: str, score: int, done: int) -> None:
    (home.settings.pipelines / "people.yml").write_text(FILE.replace("RULES", rules))
    definition = catalog.pipeline(home.settings.pipelines, "people")
    chance = random.Random(done)
    for _ in range(3):
        with home.database.write() as db:
            number = course.start(db, definition, "anna", full=True)[0].id
        assert _work(home, number, chance, done) == done
        with home.database.write() as db:
            course.end(home, db, number, "failed", {"message": "the power went"})
            again = course.retry(home, db, number, definition, "bo")[0].id
        _work(home, again, chance)
        with home.database.read() as db:
            run, measured, rejected = runs.get(db, again), quality.score(db, again), privacy.dead_letters(db, again)
            assert (run.state, run.rows_in, run.rows_out, run.rows_rejected) == ("succeeded", 4, 2, 2)
            assert measured is not None
            assert measured.overall == score
            assert [(cause.rule, cause.rows) for cause in rejected] == [("id is at least 0", 2)]
            assert sorted(part.step for part in runs.parts(db, again)) == STEPS


def _work(home: Home, run: int, chance: random.Random, most: int = 1000) -> int:
    """Does parts that are ready, in any order, until there are none or so many are done; how many were."""
    for done in range(most):
        with home.database.read() as db:
            ready = [part.id for part in runs.parts(db, run) if part.state == "ready"]
        if not ready:
            return done
        with home.database.write() as db:
            claim = leases.claim(db, chance.choice(ready), "here", 60)
        assert claim
        course.work(home, claim, lambda _: None)
    return most
