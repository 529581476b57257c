"""The age of the newest row is told of a column that holds no personal data, and of no other."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from core.settings import Settings
from engine.alerts import asking
from engine.contract import why
from engine.home import Home, open_home
from engine.store import alerts, quality, runs
from engine.store.tables import Alert
from tests.test_rulings import rule, run, work

FILE = """name: people
owner: crm
source: {{connector: csv, path: people.csv}}
key: [id]
quality: {{completeness: [id], timeliness: {{column: {column}, max_age_hours: 24}}}}
"""
REASON = "`{}` holds personal data; timeliness needs a column that does not"


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    opened = open_home(settings)
    lines = [f"{n},{1950 + n}-11-{1 + n % 28:02d},2024-03-{1 + n % 28:02d}T08:00:00Z" for n in range(50)]
    (settings.pipelines / "people.csv").write_text("\n".join(["id,date_of_birth,seen", *lines, ""]))
    yield opened
    opened.database.close()


def contract(home: Home, column: str) -> None:
    (home.settings.pipelines / "people.yml").write_text(FILE.format(column=column))


def told(home: Home, number: int) -> str:
    """All that readers see of the age."""
    with home.database.read() as db:
        checks = [c for c in quality.checks(db, number) if c.dimension == "timeliness"]
        score = quality.score(db, number)
        assert score is not None
        shown = [vars(c) | {"_sa_instance_state": None} for c in checks]
        causes = [alert.cause for alert in db.query(Alert)]
        return repr((shown, score.dimensions, score.overall, why.explain(db, runs.get(db, number)), causes))


def is_withheld(home: Home, number: int, column: str) -> bool:
    said = told(home, number)
    with home.database.read() as db:
        score = quality.score(db, number)
        assert score is not None
        assert quality.newest(db, "people") is None
        assert alerts.live(db, "people") == []
        return (score.dimensions["timeliness"], score.overall, score.measured) == (None, 100.0, 1) and (
            REASON.format(column) in said and " h old," not in said and "newest row is of" not in said
        )


def test_the_newest_date_of_birth_is_told_to_nobody(home: Home) -> None:
    contract(home, "date_of_birth")
    ended = run(home)
    asking.look(home, datetime.now(UTC))
    assert ended.state == "succeeded"
    assert is_withheld(home, ended.id, "date_of_birth")


def test_an_age_that_was_told_is_taken_away_when_a_person_rules_that_the_column_is_personal(home: Home) -> None:
    contract(home, "seen")
    first = run(home)
    asking.look(home, datetime.now(UTC))
    assert "newest row is of 28 March 2024" in told(home, first.id)
    masking = rule(home, "seen", "DATE_OF_BIRTH").run
    assert masking is not None
    work(home)
    asking.look(home, datetime.now(UTC))
    for number in (first.id, masking.id):
        assert is_withheld(home, number, "seen")


def test_a_refused_run_tells_no_age_of_a_personal_column(home: Home) -> None:
    contract(home, "date_of_birth")
    path = home.settings.pipelines / "people.yml"
    path.write_text(
        path.read_text().replace("completeness: [id]", "minimum_score: 90, validity: [{column: id, max: 9}]")
    )
    ended = run(home)
    assert ended.state == "refused"
    assert " h old," not in told(home, ended.id)
