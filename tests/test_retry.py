"""A run that failed is retried from the first step that it did not finish, wherever that was."""

from collections.abc import Iterator

import pytest

from core.settings import Settings
from engine import catalog, pipeline
from engine.home import Home, open_home
from engine.store import leases, privacy, quality, runs

FILE = """name: people
owner: crm
source: {connector: csv, path: people-*.csv}
quality: {validity: [{column: id, min: 0}], reject_rows: [validity]}
"""
STEPS = ("plan", "explore", "verdicts", "rejects", "contract", "chart", "publish")


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    for name in ("a", "b"):
        (settings.pipelines / f"people-{name}.csv").write_text("id,who\n1,Anna\n-1,Bo\n")
    (settings.pipelines / "people.yml").write_text(FILE)
    opened = open_home(settings)
    yield opened
    opened.database.close()


@pytest.mark.parametrize("ends", [(step,) for step in STEPS[1:-2]] + [("chart", "contract"), ("contract", "chart")])
def test_a_run_that_ended_after_a_step_goes_on_from_the_next(home: Home, ends: tuple[str, ...]) -> None:
    """`ends`: the last steps that were done, those side by side in this order; the last but for one part."""
    definition = catalog.pipeline(home.settings.pipelines, "people")
    with home.database.write() as db:
        old = pipeline.start(db, definition, "anna")[0].id
    order = [*STEPS[: STEPS.index("contract")], *ends] if len(ends) > 1 else list(STEPS[: STEPS.index(ends[0]) + 1])
    for step in order:
        _work(home, old, step, leave=len(ends) > 1 and step == ends[-1])
    with home.database.write() as db:
        pipeline.end(home, db, old, "failed", {"message": "the power went"})
        again = pipeline.retry(home, db, old, definition, "bo")[0].id
        done = {part.step for part in runs.parts(db, again) if part.state == "done"}
    kept = set(order[:-1] if len(ends) > 1 else order)
    assert done == (kept - {"chart"} if "contract" not in kept else kept)
    for step in STEPS:
        _work(home, again, step)
    _work(home, again, "navigate")
    with home.database.read() as db:
        run, score = runs.get(db, again), quality.score(db, again)
        assert (run.state, run.rows_in, run.rows_out, run.rows_rejected) == ("succeeded", 4, 2, 2)
        assert score is not None
        assert score.overall == 50
        rejected = privacy.dead_letters(db, again)
        assert [(cause.rule, cause.rows) for cause in rejected] == [("id is at least 0", 2)]
        assert sorted({part.step for part in runs.parts(db, again)}) == sorted([*STEPS, "navigate"])


def _work(home: Home, run: int, step: str, *, leave: bool = False) -> None:
    """Does the parts of a step that are ready, or all but the last of them."""
    with home.database.read() as db:
        ready = [part.id for part in runs.parts(db, run, step) if part.state == "ready"]
    for part in ready[:-1] if leave else ready:
        with home.database.write() as db:
            claim = leases.claim(db, part, "here", 60)
        assert claim
        pipeline.work(home, claim, lambda _: None)
