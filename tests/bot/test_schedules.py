"""What people say about schedules, and what they hear."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.embedded import Embedded
from bot.cron import in_words
from core.settings import load
from engine.store import access
from tests.bot.test_skills import Person
from tests.homes import prepare

TEXT = "name: {name}\nowner: web-team\nsource: {{connector: csv, path: {name}.csv}}\n"


@pytest.fixture
def atlas(tmp_path: Path) -> Iterator[Embedded]:
    pipelines = tmp_path / "pipelines"
    pipelines.mkdir()
    (pipelines / "orders.yml").write_text(TEXT.format(name="orders"), "utf-8")
    (pipelines / "daily.yml").write_text(TEXT.format(name="daily") + 'schedule: "15 5 * * mon-fri"\n', "utf-8")
    prepare(tmp_path / "home")
    opened = Embedded(load({"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(pipelines)}))
    with opened.home.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    yield opened
    opened.close()


def test_a_schedule_is_said_shown_and_ended(atlas: Embedded) -> None:
    person = Person(atlas, "operator")
    said = person.says('schedule orders "0 6 * * *"')
    assert said.ok
    assert said.text.startswith("orders runs every day at 06:00, next t")
    assert said.text.endswith(" 06:00.")
    assert [a.command for a in said.actions] == ["schedules", "unschedule orders", "run orders"]
    listed = person.says("schedules")
    assert listed.table is not None
    shown = {row[0]: (row[1], row[4]) for row in listed.table.rows}
    assert shown == {
        "orders": ("every day at 06:00", "operator"), "daily": ("Monday to Friday at 05:15", "its file"),
    }  # fmt: skip
    pipelines = person.says("pipelines")
    assert all(item["next_at"] for item in pipelines.facts["items"])
    assert person.says("unschedule orders").text == "orders no longer runs by itself."
    assert [item["pipeline"] for item in person.says("schedules").facts["items"]] == ["daily"]
    again = person.says("unschedule orders")
    assert (again.ok, "`orders` has no schedule" in again.text) == (False, True)


def test_without_quotes_and_with_odd_times_it_is_understood(atlas: Embedded) -> None:
    said = Person(atlas).says("schedule orders 30 2 * * *")
    assert said.text.startswith("orders runs every day at 02:30, next ")
    assert "Note: On 20" in said.text


def test_what_is_no_schedule_is_told_with_one_that_works(atlas: Embedded) -> None:
    for wrong in ("every day at six o'clock", "0 26 * * *"):
        said = Person(atlas).says(f'schedule orders "{wrong}"')
        assert not said.ok
        assert '"0 6 * * *" is every day at 06:00' in said.text
        assert [a.command for a in said.actions] == ['schedule orders "0 6 * * *"']


def test_a_typo_is_answered_with_the_nearest_pipeline(atlas: Embedded) -> None:
    said = Person(atlas).says('schedule ordres "0 6 * * *"')
    assert "Did you mean orders?" in said.text
    assert [a.command for a in said.actions] == ['schedule orders "0 6 * * *"']


def test_what_a_file_says_changes_only_there(atlas: Embedded) -> None:
    for said in ('schedule daily "0 6 * * *"', "unschedule daily"):
        answer = Person(atlas).says(said)
        assert not answer.ok
        assert "is written in daily.yml and changes only there" in answer.text


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("dpo", False), ("steward", True), ("admin", True)])
def test_who_may_run_may_schedule(atlas: Embedded, role: str, may: bool) -> None:
    assert Person(atlas, role).says('schedule orders "0 6 * * *"').ok is may
    assert Person(atlas, role).says("schedules").ok


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 6 * * 1", "every Monday at 06:00"), ("0 6 * * 7", "every Sunday at 06:00"),
        ("0 6 1 * *", "on day 1 of every month at 06:00"), ("*/15 * * * *", "every 15 minutes"),
        ("*/7 * * * *", "by `*/7 * * * *`"), ("5 * * * *", "every hour at :05"),
    ],
)  # fmt: skip
def test_common_times_are_told_in_words(cron: str, told: str) -> None:
    assert in_words(cron) == told
