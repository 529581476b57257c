"""What a ruling hides is hidden at once: from readers, in what is published, and in every file that is left."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from core.errors import AtlasError, Refused
from core.settings import Settings
from engine import catalog
from engine.home import Home, open_home
from engine.personal import rulings
from engine.runs import course
from engine.runs.sweep import sweep
from engine.runs.worker import Worker, celery_app
from engine.store import datasets, leases, privacy, runs
from engine.store import rulings as stored
from engine.store.database import Database
from engine.store.tables import Run
from tests.program import HANGS

NAMES = [f"Agent{n:02d}Zebra" for n in range(40)]  # no name and no code that anything finds
FILE = """name: people
owner: crm
source: {connector: csv, path: people.csv}
key: [id]
privacy: {columns: {who: keep}}
quality: {validity: [{column: id, min: 0}], reject_rows: [validity]}
"""
MODELS = {
    "by_who": "select who, count(*) as n from people group by 1 order by 1",
    "most": "select max(who) as who from by_who",
    "sums": "select sum(nr) as nr from people",
}


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    opened = open_home(settings)
    prepared(settings)
    yield opened
    opened.database.close()


def prepared(settings: Settings) -> None:
    lines = [f"{n},{name},{70000000 + n},{1 + n % 28:02d}-0{1 + n % 9}-1970" for n, name in enumerate(NAMES)]
    (settings.pipelines / "people.csv").write_text("\n".join(["id,who,nr,day", *lines, "-1,x,1,01-01-1970", ""]))
    (settings.pipelines / "people.yml").write_text(FILE)
    for name, sql in MODELS.items():
        (settings.pipelines / "navigate" / f"{name}.sql").write_text(sql)


def start(home: Home, *, full: bool = False) -> int:
    with home.database.write() as db:
        return course.start(db, catalog.pipeline(home.settings.pipelines, "people"), "bo", full=full)[0].id


def work(home: Home, stop: Callable[[str], bool] = lambda _: False) -> None:
    """Does all parts that are ready, one after the other, until there are none or one of a step to stop before."""
    while True:
        with home.database.read() as db:
            ready = [part for n in sorted(runs.active(db)) for part in runs.parts(db, n) if part.state == "ready"]
        if not ready or stop(ready[0].step):
            return
        with home.database.write() as db:
            claim = leases.claim(db, ready[0].id, "here", 60)
        assert claim
        try:
            course.work(home, claim, lambda _: None)
        except AtlasError as error:
            with home.database.write() as db:
                course.end(home, db, claim.run, "failed", {"code": error.code, "message": error.message})


def run(home: Home, *, full: bool = False) -> Run:
    number = start(home, full=full)
    work(home)
    return told(home, number)


def told(home: Home, number: int) -> Run:
    with home.database.read() as db:
        return runs.get(db, number)


def rule(home: Home, column: str = "who", type_: str | None = "PERSON", by: str = "anna") -> rulings.Outcome:
    with home.database.write() as db:
        return rulings.rule(db, "people", column, type_, "so it is", by)


def cells(home: Home, name: str, column: str) -> list[object]:
    with home.database.read() as db:
        dataset, version = datasets.get(db, name)
        rulings.must_not_be_shown(db, name, version)
        files = datasets.table(db, dataset, version).files
    return [cell for file in files for cell in pl.read_parquet(file)[column].to_list()]


def hashed(home: Home, column: str = "who") -> bool:
    return all(str(cell).startswith("h_") for cell in cells(home, "people", column))


def left_over(home: Home, values: list[str]) -> set[tuple[str, str]]:
    """Where some values still stand in the home, the raw zone aside."""
    found = set()
    for path in home.settings.home.rglob("*"):
        if path.is_file() and "explore" not in path.parts:
            held = path.read_bytes().decode("utf-8", "ignore")
            if path.suffix == ".parquet":
                held += str(duckdb.connect().execute("select * from read_parquet(?)", [str(path)]).fetchall())
            found |= {(value, path.name) for value in values if value in held}
    return found


def test_what_is_published_is_masked_as_the_next_run_does_it(home: Home) -> None:
    first = run(home)
    assert (first.state, cells(home, "people", "who")) == ("succeeded", NAMES)
    outcomes = [rule(home), rule(home, "nr", "PHONE"), rule(home, "day", "PERSON")]
    assert [o.effect for o in outcomes] == ["being masked"] * 3
    assert len({o.run.id for o in outcomes if o.run}) == 1
    work(home)
    again = outcomes[0].run
    assert again
    done = told(home, again.id)
    assert (done.state, done.rows_in, done.rows_out, done.rows_rejected) == ("succeeded", 40, 40, 0)
    now = {column: cells(home, "people", column) for column in ("id", "who", "nr", "day")}
    assert all(hashed(home, column) for column in ("who", "nr", "day"))
    assert cells(home, "by_who", "who") == sorted(map(str, now["who"]))
    with home.database.read() as db:
        version = datasets.get(db, "people")[1]
        assert set(version.masked) >= {"who", "nr", "day"}
        assert len(privacy.dead_letters(db, version.run_id)) == 1
        assert {v.column: v.masked for v in privacy.verdicts(db, version.run_id)}["who"] == len(NAMES)
    assert run(home, full=True).state == "succeeded"
    assert {column: cells(home, "people", column) for column in now} == now


def test_no_value_is_left_in_any_file_but_the_raw_ones(home: Home) -> None:
    run(home)
    run(home)  # an older version, whose files no version lists any more
    assert left_over(home, NAMES)
    rule(home)
    work(home)
    assert left_over(home, NAMES) == set()


def test_until_it_is_masked_nobody_is_shown_it_nor_what_was_built_from_it(home: Home) -> None:
    run(home)
    rule(home)
    for name in ("people", "by_who", "most", "sums"):
        with pytest.raises(Refused, match=r"people\.who"):
            cells(home, name, "*")
    work(home)
    assert hashed(home)
    assert len(cells(home, "most", "who")) == 1


def test_a_model_that_cannot_be_built_any_more_is_taken_away_with_its_file(home: Home) -> None:
    run(home)
    again = rule(home, "nr", "PHONE").run
    assert again
    work(home)
    warnings = told(home, again.id).warnings
    assert any("sums is taken away" in warning for warning in warnings)
    with home.database.read() as db:
        assert "sums" not in datasets.tables(db)
    assert list((home.settings.warehouse / "sums").glob("*.parquet")) == []
    assert list((home.settings.warehouse / "by_who").glob("*.parquet")) != []


@pytest.mark.parametrize("step", ["plan", "explore", "verdicts", "rejects", "contract", "chart", "publish", "navigate"])
def test_a_run_that_began_before_the_ruling_does_not_publish_the_column_after_it(home: Home, step: str) -> None:
    run(home)
    number = start(home)
    work(home, lambda ready: ready == step)
    outcome = rule(home)
    assert outcome.run
    assert outcome.run.id == number
    ruled_at = outcome.ruling.at
    work(home)
    assert told(home, number).state == "succeeded"
    assert hashed(home)
    with home.database.read() as db:
        for version in [datasets.version(db, row.id) for row in datasets.versions(db, "people", limit=50)]:
            assert version.published_at < ruled_at or "who" in version.masked
    assert left_over(home, NAMES) == set()


@pytest.mark.parametrize("step", ["remask", "chart", "publish", "navigate"])
def test_a_ruling_that_comes_while_another_is_followed_is_followed_too(home: Home, step: str) -> None:
    run(home)
    rule(home)
    work(home, lambda ready: ready == step)
    second = rule(home, "nr", "PHONE").ruling.at
    work(home)
    assert hashed(home)
    assert hashed(home, "nr")
    with home.database.read() as db:
        for version in [datasets.version(db, row.id) for row in datasets.versions(db, "people", limit=50)]:
            assert version.published_at < second or "nr" in version.masked
    assert left_over(home, [*NAMES, "70000007"]) == set()


def test_a_run_that_ends_without_publishing_is_followed_by_one_that_masks(home: Home) -> None:
    run(home)
    number = start(home)
    work(home, lambda ready: ready == "explore")
    (home.settings.pipelines / "people.csv").unlink()
    rule(home)
    work(home)
    assert told(home, number).state == "failed"
    assert told(home, number + 1).requested_by == "anna"
    assert hashed(home)


def test_a_run_that_failed_can_be_tried_again_after_the_masking_and_follows_the_ruling(home: Home) -> None:
    run(home)
    number = start(home)
    work(home, lambda ready: ready == "publish")  # all of it was made by the verdicts before the ruling
    with home.database.write() as db:
        course.end(home, db, number, "failed", {"message": "the power went"})
    rule(home)
    work(home)
    with home.database.write() as db:
        wanted = catalog.pipeline(home.settings.pipelines, "people")
        again = course.retry(home, db, number, wanted, "bo")[0].id
    work(home)
    assert told(home, again).state == "succeeded"
    assert hashed(home)
    assert left_over(home, NAMES) == set()


def test_a_cancelled_run_is_followed_by_one_that_masks(home: Home) -> None:
    run(home)
    number = start(home)
    rule(home)
    with home.database.write() as db:
        course.cancel(home, db, number)
    work(home)
    assert told(home, number).state == "cancelled"
    assert hashed(home)


def test_a_run_that_cannot_mask_leaves_readers_refused_and_can_be_tried_again(home: Home) -> None:
    run(home)
    with home.database.read() as db:
        file = Path(next(iter(datasets.files_in_use(db) & {str(p) for p in home.settings.charted_zone.rglob("*.p*")})))
    whole = file.read_bytes()
    file.write_bytes(b"no parquet")
    again = rule(home).run
    assert again
    worker = Worker(home, celery_app(home))
    worker.wake()
    end = time.monotonic() + HANGS
    while (failed := told(home, again.id)).state in runs.ACTIVE:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert worker.stop(10)
    assert failed.state == "failed"
    with home.database.read() as db:
        assert runs.active(db) == set()  # it is not begun again by itself
    with pytest.raises(Refused, match=r"people\.who") as refused:
        cells(home, "by_who", "who")
    assert refused.value.hint == f"retry {again.id}"
    file.write_bytes(whole)
    wanted = catalog.pipeline(home.settings.pipelines, "people")
    with home.database.write() as db:
        retried, joined = course.retry(home, db, again.id, wanted, "bo")
        assert (retried.retry_of, joined) == (again.id, False)
        assert course.retry(home, db, again.id, wanted, "bo") == (retried, True)
    work(home)
    assert hashed(home)
    with pytest.raises(Refused, match="Nothing"), home.database.write() as db:
        course.retry(home, db, again.id, wanted, "bo")


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_models_that_a_stopped_run_left_are_built_by_the_next(home: Home, state: str) -> None:
    run(home)
    again = rule(home).run
    assert again
    work(home, lambda ready: ready == "navigate")
    with home.database.write() as db:
        course.end(home, db, again.id, state)
    assert hashed(home)
    with pytest.raises(Refused, match=r"people\.who"):
        cells(home, "by_who", "who")
    with home.database.write() as db:
        course.retry(home, db, again.id, catalog.pipeline(home.settings.pipelines, "people"), "bo")
    work(home)
    assert all(str(cell).startswith("h_") for cell in cells(home, "by_who", "who"))
    assert left_over(home, NAMES) == set()


def test_done_twice_it_gives_the_same(home: Home) -> None:
    run(home)
    again = rule(home).run
    assert again
    work(home, lambda ready: ready == "publish")
    folder = home.settings.charted_zone / "people"
    once = pl.read_parquet(folder / f"run-{again.id}-00000-1.parquet")
    with home.database.write() as db:  # as if the worker had died before it could tell
        runs.offer(db, again.id, "chart", [part.spec for part in runs.parts(db, again.id, "chart")])
    work(home, lambda ready: ready == "publish")
    assert pl.read_parquet(folder / f"run-{again.id}-00000-2.parquet").equals(once)
    work(home)
    assert left_over(home, NAMES) == set()


def test_that_a_column_is_not_personal_holds_from_the_next_run(home: Home) -> None:
    (home.settings.pipelines / "people.yml").write_text(FILE.replace("who: keep", "who: hash"))
    run(home)
    (home.settings.pipelines / "people.yml").write_text(FILE.replace("privacy: {columns: {who: keep}}\n", ""))
    rule(home)
    run(home)
    assert hashed(home)
    outcome = rule(home, type_=None)
    assert (outcome.effect, outcome.run) == ("from the next run", None)
    assert hashed(home)
    done = run(home)
    assert cells(home, "people", "who") == NAMES
    assert done.warnings == ["Changed: `who` was names, hashed; now it is not personal, kept."]


def test_a_withdrawn_ruling_that_kept_a_column_masks_it_again(home: Home) -> None:
    lines = [f"{n},person{n}@mail.example,1,01-01-1970" for n in range(40)]
    (home.settings.pipelines / "people.yml").write_text(FILE.replace("privacy: {columns: {who: keep}}\n", ""))
    (home.settings.pipelines / "people.csv").write_text("\n".join(["id,who,nr,day", *lines, ""]))
    run(home)
    found = cells(home, "people", "who")
    assert hashed(home)
    kept = rule(home, type_=None)
    run(home)
    assert cells(home, "people", "who") == [f"person{n}@mail.example" for n in range(40)]
    with home.database.write() as db:
        assert rulings.withdraw(db, "people", kept.ruling.id, "bo").effect == "being masked"
    work(home)
    assert cells(home, "people", "who") == found
    assert left_over(home, ["person7@"]) == set()
    with home.database.read() as db:
        row = stored.listed(db, "people")[0]
        assert (row.by, row.withdrawn_by) == ("anna", "bo")


def test_a_ruling_withdrawn_before_it_was_followed_lets_readers_in_again(home: Home) -> None:
    run(home)
    outcome = rule(home)
    with home.database.write() as db:
        rulings.withdraw(db, "people", outcome.ruling.id, "anna")
    assert cells(home, "people", "who") == NAMES
    work(home)
    assert cells(home, "people", "who") == NAMES


def test_a_ruling_survives_new_versions_and_columns_that_come_and_go(home: Home) -> None:
    run(home)
    rule(home)
    work(home)
    path = home.settings.pipelines / "people.csv"
    with_it = path.read_text()
    path.write_text("id,nr\n1,70000000\n")
    definition = home.settings.pipelines / "people.yml"
    definition.write_text(FILE.replace("privacy: {columns: {who: keep}}\n", ""))
    for name in ("by_who", "most"):
        (home.settings.pipelines / "navigate" / f"{name}.sql").unlink()
    done = run(home, full=True)
    assert (done.state, done.error) == ("succeeded", None)
    with pytest.raises(AtlasError, match="has no column `who`"):
        rule(home)
    path.write_text(with_it)
    run(home)
    assert hashed(home)


def test_no_other_run_publishes_a_model_from_what_is_to_be_masked(home: Home) -> None:
    run(home)
    with home.database.read() as db:
        before = datasets.get(db, "by_who")[1].id
    number = start(home)
    work(home, lambda ready: ready == "navigate")
    rule(home)  # after the run has published, before it builds
    work(home, lambda ready: ready == "remask")
    done = told(home, number)
    assert [table["state"] for table in done.tables if table["name"] == "by_who"] == ["waits"]
    with home.database.read() as db:
        assert datasets.get(db, "by_who")[1].id == before
    work(home)
    assert all(str(cell).startswith("h_") for cell in cells(home, "by_who", "who"))


def test_files_that_hide_what_is_ruled_stay_for_readers_who_are_in_the_middle_of_them(home: Home) -> None:
    run(home)
    rule(home)
    work(home)
    with home.database.read() as db:
        masked = datasets.files_in_use(db)
    run(home)
    sweep(home)
    assert all(Path(path).exists() for path in masked)


def test_while_another_run_may_read_them_open_files_stay_for_ten_minutes(home: Home) -> None:
    other = home.settings.pipelines / "other.yml"
    other.write_text("name: other\nowner: x\nsource: {connector: csv, path: people.csv}\n")
    run(home)
    outcome = rule(home)
    with home.database.write() as db:
        active = course.start(db, catalog.pipeline(home.settings.pipelines, "other"), "bo")[0].id
    ours = {"remask", "chart", "publish", "navigate"}
    work(home, lambda ready: ready not in ours)
    while told(home, outcome.run.id if outcome.run else 0).state in runs.ACTIVE:
        one(home, outcome.run.id if outcome.run else 0)
    assert left_over(home, NAMES)
    sweep(home, time.time() + 601)
    assert left_over(home, NAMES) == set()
    assert told(home, active).state == "queued"


def one(home: Home, number: int) -> None:
    """The next part of one run."""
    with home.database.write() as db:
        part = next(part for part in runs.parts(db, number) if part.state == "ready")
        claim = leases.claim(db, part.id, "here", 60)
    assert claim
    course.work(home, claim, lambda _: None)


def test_a_verdict_that_changes_is_reported(home: Home) -> None:
    (home.settings.pipelines / "people.yml").write_text(FILE.replace("privacy: {columns: {who: keep}}\n", ""))
    run(home)
    lines = [f"{n},person{n}@mail.example,1,01-01-1970" for n in range(40)]
    (home.settings.pipelines / "people.csv").write_text("\n".join(["id,who,nr,day", *lines, ""]))
    assert run(home).warnings == ["Changed: `who` was not personal, kept; now it is e-mail addresses, hashed."]
    assert run(home).warnings == []


def installed(database: Database, settings: Settings) -> Home:
    """A home on a database of either kind, with a version of people in it."""
    if not database.embedded:
        with database.engine.begin() as connection:
            connection.execute(text("TRUNCATE ruling"))
    opened = Home(settings.model_copy(update={"masking_key": SecretStr("k" * 64)}), database)
    prepared(settings)
    run(opened)
    return opened


def test_a_ruling_waits_for_a_version_that_is_just_being_published(database: Database, settings: Settings) -> None:
    opened = installed(database, settings)
    ruling = threading.Thread(target=lambda: rule(opened))
    with database.write() as db:
        datasets.hold(db, "people", "charted")  # as publish does before it looks for rulings
        ruling.start()
        ruling.join(1)
        assert ruling.is_alive()
        assert stored.in_force(db, "people") == {}
    ruling.join()
    work(opened)
    assert hashed(opened)


def test_two_rulings_at_once_are_both_followed(database: Database, settings: Settings) -> None:
    opened = installed(database, settings)
    together = threading.Barrier(4)
    columns = {"who": "PERSON", "nr": "PHONE", "day": "PERSON", "id": "CPR"}

    def one_ruling(column: str) -> None:
        together.wait()
        rule(opened, column, columns[column])

    threads = [threading.Thread(target=one_ruling, args=(column,)) for column in columns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as db:
        assert len(stored.in_force(db, "people")) == 4
        assert len(runs.active(db)) == 1
    work(opened)
    assert all(hashed(opened, column) for column in columns)
