"""Every rule over real runs: what brings its alert about, what it says, and what ends it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import AtlasError
from core.settings import Settings, load
from engine import catalog
from engine.alerts import asking, people
from engine.home import Home, open_home
from engine.personal import rulings
from engine.runs import course, rebuild
from engine.store import alerts, leases, quality, runs
from engine.store.database import Database
from engine.store.tables import Alert, Run

FILE = """name: orders
owner: web-team
source: {connector: csv, path: orders.csv}
key: [id]
quality:
  completeness: [country]
  validity: [{column: country, values: [DK, SE]}]
  timeliness: {column: at, max_age_hours: 48}
  reject_rows: [validity]
  minimum_score: 70
"""
COUNTRIES = ("DK", "SE")


@pytest.fixture
def home(settings: Settings, database: Database) -> Iterator[Home]:
    url = database.engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg://", "postgresql://")
    given = {"ATLAS_HOME": settings.home, "ATLAS_PIPELINES": settings.pipelines, "ATLAS_DATABASE_URL": url}
    opened = open_home(load({key: str(value) for key, value in given.items()} | {"ATLAS_MASKING_KEY": "k" * 32}))
    (settings.pipelines / "orders.yml").write_text(FILE, "utf-8")
    yield opened
    opened.database.close()


def write(home: Home, rows: int = 100, bad: int = 0, empty: int = 0, hours: float = 1, **columns: Any) -> None:
    """The source: so many rows are wrong, so many are empty; the newest is so many hours old; other columns."""
    at = datetime.now(UTC) - timedelta(hours=hours)
    lines = [",".join(["id", "country", "at", *columns])]
    for n in range(rows):
        country = "Atlantis" if n < bad else "" if n < bad + empty else COUNTRIES[n % 2]
        more = [str(make(n)) for make in columns.values()]
        lines.append(",".join([str(n), country, (at - timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M:%SZ"), *more]))
    (home.settings.pipelines / "orders.csv").write_text("\n".join([*lines, ""]), "utf-8")


def run(home: Home, name: str = "orders", *, full: bool = False) -> Run:
    """A run from its start to its end, as workers do it."""
    with home.database.write() as db:
        number = course.start(db, catalog.pipeline(home.settings.pipelines, name), "bo", full=full)[0].id
    return finished(home, number)


def finished(home: Home, number: int) -> Run:
    """A run, worked on to its end."""
    while True:
        with home.database.read() as db:
            ready = [part for part in runs.parts(db, number) if part.state == "ready"]
            if not ready:
                return runs.get(db, number)
        with home.database.write() as db:
            claim = leases.claim(db, ready[0].id, "here", 60)
        assert claim
        try:
            course.work(home, claim, lambda _: None)
        except AtlasError as error:
            told = {"code": error.code, "message": error.message, "step": claim.step}
            with home.database.write() as db:
                course.end(home, db, number, "failed", told)


def seen(home: Home) -> dict[str, Alert]:
    """The newest alert of each rule."""
    with home.database.read() as db:
        return {alert.rule: alert for alert in reversed(alerts.listed(db, among=None, limit=100))}


def live(home: Home) -> set[str]:
    return {rule for rule, alert in seen(home).items() if alert.ended_at is None}


def test_a_run_that_fails_and_one_that_is_good_again(home: Home) -> None:
    assert run(home).state == "failed"
    alert = seen(home)["failed_run"]
    assert (alert.title, alert.owner, alert.severity) == ("orders failed in Explore", "web-team", "high")
    assert "orders.csv" in alert.cause
    write(home)
    assert run(home).state == "succeeded"
    assert live(home) == set()
    assert seen(home)["failed_run"].state == "closed"


def test_a_rule_that_is_taken_out_of_the_contract_is_no_fallen_score(home: Home) -> None:
    write(home, empty=40)
    before = run(home)
    (home.settings.pipelines / "orders.yml").write_text(
        FILE.replace("  timeliness: {column: at, max_age_hours: 48}\n", "")
    )
    after = run(home)
    assert (before.state, after.state) == ("succeeded", "succeeded")
    assert live(home) == set()
    with home.database.read() as db:
        first, second = quality.score(db, before.id), quality.score(db, after.id)
    assert first
    assert second
    assert first.overall - second.overall > 5
    write(home, empty=60)  # what is worse over the rules of both is told all the same
    run(home)
    assert live(home) == {"falling_score"}


def test_a_score_that_falls_and_comes_back(home: Home) -> None:
    write(home)
    run(home)
    write(home, empty=60)
    assert run(home).state == "succeeded"
    assert live(home) == {"falling_score"}
    cause = seen(home)["falling_score"].cause
    assert cause.startswith("It was 100.0 and is ")
    assert run(home).state == "succeeded"
    assert (live(home), seen(home)["falling_score"].count) == ({"falling_score"}, 2)  # still as low
    write(home, empty=1)
    run(home)
    assert live(home) == set()


def test_rows_that_are_gone_and_come_back(home: Home) -> None:
    write(home)
    run(home)
    write(home, rows=30)
    ran = run(home)
    assert seen(home)["lost_rows"].cause == f"It had 100 rows and has 30 after run #{ran.id}."
    run(home)
    assert "lost_rows" in live(home)  # still as few
    write(home)
    run(home)
    assert "lost_rows" not in live(home)


def test_a_model_that_cannot_be_built_and_one_that_can(home: Home) -> None:
    write(home)
    (home.settings.pipelines / "navigate").mkdir(exist_ok=True)
    model = home.settings.pipelines / "navigate" / "shops.sql"
    model.write_text("select sum(country) as n from orders", encoding="utf-8")
    run(home)
    assert seen(home)["unbuilt_model"].title == "shops could not be built"
    model.write_text("select count(country) as n from orders", encoding="utf-8")
    run(home)
    assert "unbuilt_model" not in live(home)


def test_a_score_below_the_minimum_and_rows_that_are_rejected(home: Home) -> None:
    (home.settings.pipelines / "orders.yml").write_text(FILE + "max_rejected_percent: 100\n", "utf-8")
    write(home, bad=99)
    ran = run(home)
    assert ran.state == "refused"
    assert live(home) == {"low_score", "dead_letters"}
    assert "below the minimum of 70" in seen(home)["low_score"].cause
    assert seen(home)["dead_letters"].cause == f"Run #{ran.id} rejected 99 of 100 rows (99.0 %)."
    write(home)
    run(home)
    assert live(home) == set()


def test_masking_what_is_published_says_nothing_of_the_source(home: Home) -> None:
    write(home, bad=20, note=lambda n: f"n{n}")
    run(home)
    (home.settings.pipelines / "orders.csv").rename(home.settings.pipelines / "away.csv")
    run(home)
    before = live(home)
    assert {"failed_run", "dead_letters"} <= before
    with home.database.write() as db:
        masking = rulings.rule(db, "orders", "note", "PERSON", "", "anna").run
        assert masking
    assert finished(home, masking.id).state == "succeeded"
    assert live(home) == before


def test_other_columns_are_told_by_name_until_the_next_run_has_the_same(home: Home) -> None:
    write(home, size=lambda n: n)
    run(home)
    write(home, size=lambda n: f"{n} cm", shop=lambda n: "north")
    run(home, full=True)  # else a column that no longer holds numbers fails the run
    number = seen(home)["schema_drift"].run_id
    assert seen(home)["schema_drift"].cause == f"In run #{number} `shop` is new, `size` was integer and is text."
    run(home)
    assert live(home) == set()


def test_personal_data_in_a_column_stays_an_alert_until_somebody_has_decided(home: Home) -> None:
    write(home, note=lambda n: "none")
    run(home)
    write(home, note=lambda n: f"p{n}@mail.example")
    run(home)
    alert = seen(home)["new_personal_data"]
    assert (alert.title, alert.next) == (
        "New personal data in orders.note", ["pii orders.note", "impact orders.note"],
    )  # fmt: skip
    assert "EMAIL" in alert.cause
    assert "mail.example" not in f"{alert.title}{alert.cause}{alert.detail}"
    run(home)
    assert "new_personal_data" in live(home)
    with home.database.write() as db:
        rulings.rule(db, "orders", "note", "EMAIL", "", "anna")
    run(home)
    assert "new_personal_data" not in live(home)


def test_data_get_out_of_date_when_no_run_happens_and_when_runs_bring_nothing_new(home: Home) -> None:
    now = datetime.now(UTC)
    write(home, hours=40)
    run(home)
    asking.look(home, now + timedelta(hours=7))
    assert live(home) == set()
    for hours in (9, 10, 50):
        asking.look(home, now + timedelta(hours=hours))
    alert = seen(home)["freshness"]
    assert (alert.count, alert.title) == (1, "orders is out of date")
    assert f"published by run #{alert.run_id}; 48 h are allowed." in alert.cause
    write(home, hours=49)
    run(home)  # it brings no newer rows
    assert (live(home), seen(home)["freshness"].count) == ({"freshness"}, 2)
    write(home)
    run(home)
    assert live(home) == set()


def test_what_a_person_has_resolved_is_not_opened_by_the_clock_again(home: Home) -> None:
    now = datetime.now(UTC)
    write(home, hours=40)
    run(home)
    asking.look(home, now + timedelta(hours=9))
    with home.database.write() as db:
        people.resolve(db, seen(home)["freshness"].id, "anna")
    for hours in (10, 20):
        asking.look(home, now + timedelta(hours=hours))
    assert seen(home)["freshness"].state == "resolved"


def test_data_that_get_old_because_runs_fail_are_told_with_the_failure(home: Home) -> None:
    now = datetime.now(UTC)
    write(home, hours=40)
    run(home)
    (home.settings.pipelines / "orders.csv").unlink()
    run(home)
    asking.look(home, now + timedelta(hours=9))
    assert seen(home)["freshness"].root_id == seen(home)["failed_run"].id


def test_a_run_that_fails_is_not_told_with_old_data_that_it_looks_at(home: Home) -> None:
    now = datetime.now(UTC)
    write(home, hours=40)
    run(home)
    asking.look(home, now + timedelta(hours=9))
    (home.settings.pipelines / "lines.yml").write_text(
        "name: lines\nowner: web-team\nsource: {connector: csv, path: lines.csv}\n"
        "quality: {consistency: [{column: order, references: orders.id}]}\n", "utf-8",
    )  # fmt: skip
    run(home, "lines")
    assert live(home) == {"freshness", "failed_run"}
    assert seen(home)["failed_run"].root_id is None


def test_a_pipeline_that_is_gone_gets_no_older(home: Home) -> None:
    write(home, hours=40)
    run(home)
    (home.settings.pipelines / "orders.yml").unlink()
    asking.look(home, datetime.now(UTC) + timedelta(hours=90))
    assert live(home) == set()


LINES = """name: lines
owner: web-team
source: {connector: csv, path: lines.csv}
key: [nr]
quality: {consistency: [{column: order, references: orders.id}]}
"""


def both(home: Home, **columns: Any) -> None:
    """orders, and lines that refer to its rows."""
    write(home, **columns)
    (home.settings.pipelines / "lines.yml").write_text(LINES, "utf-8")
    lines = "\n".join(f"{n},{n}" for n in range(100))
    (home.settings.pipelines / "lines.csv").write_text(f"nr,order\n{lines}\n", "utf-8")


def test_a_score_that_falls_because_another_dataset_has_lost_its_rows_comes_of_that(home: Home) -> None:
    both(home)
    run(home)
    run(home, "lines")
    write(home, rows=30)
    run(home)
    run(home, "lines")
    found = seen(home)
    assert (found["falling_score"].dataset, found["falling_score"].root_id) == ("lines", found["lost_rows"].id)
    run(home, "lines")  # as low as in the last good run, which was low for the same cause
    assert seen(home)["falling_score"].root_id == found["lost_rows"].id


def test_a_score_that_falls_because_data_are_old_comes_of_that(home: Home) -> None:
    now = datetime.now(UTC)
    write(home, hours=40)
    run(home)
    asking.look(home, now + timedelta(hours=9))
    write(home, hours=80)
    run(home)
    found = seen(home)
    assert found["falling_score"].root_id == found["freshness"].id
    assert found["freshness"].root_id is None


def test_data_that_were_old_before_runs_failed_are_not_old_because_of_it(home: Home) -> None:
    now = datetime.now(UTC)
    write(home, hours=40)
    run(home)
    asking.look(home, now + timedelta(hours=9))
    with home.database.write() as db:
        db.query(Alert).update({"opened_at": now - timedelta(hours=1)})
    (home.settings.pipelines / "orders.csv").unlink()
    run(home)
    assert {alert.root_id for alert in seen(home).values()} == {None}


def test_a_model_that_lacks_a_column_that_is_gone_comes_of_that_and_ends_when_any_run_builds_it(home: Home) -> None:
    both(home, size=lambda n: n)
    model = home.settings.pipelines / "navigate" / "sizes.sql"
    model.parent.mkdir(exist_ok=True)
    model.write_text('select sum(o.size) as size from orders o join lines l on l."order" = o.id', encoding="utf-8")
    run(home)
    run(home, "lines")
    assert live(home) == set()
    both(home)
    run(home, full=True)
    found = seen(home)
    assert "`orders` has no column `size`." in found["unbuilt_model"].cause
    assert "Correct navigate/sizes.sql, then: run sizes" in found["unbuilt_model"].cause
    assert found["unbuilt_model"].root_id == found["schema_drift"].id
    model.write_text('select count(*) as size from orders o join lines l on l."order" = o.id', encoding="utf-8")
    run(home, "lines")
    assert "unbuilt_model" not in live(home)


def test_a_run_of_a_model_ends_its_alert_or_begins_one_and_touches_no_other(home: Home) -> None:
    write(home, bad=20)
    model = home.settings.pipelines / "navigate" / "shops.sql"
    model.parent.mkdir(exist_ok=True)
    model.write_text("select country::int as n from orders", encoding="utf-8")
    run(home)
    assert live(home) == {"dead_letters", "unbuilt_model"}
    for sql, then in (("count(country)", {"dead_letters"}), ("country::int", {"dead_letters", "unbuilt_model"})):
        model.write_text(f"select {sql} as n from orders", encoding="utf-8")
        wanted = rebuild.wanted(home, "shops")
        assert wanted
        with home.database.write() as db:
            number = rebuild.start(home, db, wanted, "bo")[0].id
        assert finished(home, number).state == ("failed" if "::" in sql else "succeeded")
        assert live(home) == then
    with home.database.read() as db:
        assert runs.get(db, number).error["message"] == "`shops` was not built: a value cannot be converted to INT32."
