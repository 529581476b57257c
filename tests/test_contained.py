"""SQL that people write runs in a child process, of which one stays warm."""

import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from core.errors import Cancelled, QueryStopped
from core.models import Table
from engine.navigate import build
from engine.navigate.models import Model
from engine.sql import contained
from engine.sql.child import Bug, Child, Limits
from tests.program import Program


@pytest.fixture
def table(tmp_path: Path) -> Table:
    pl.DataFrame({"id": range(3000)}).write_parquet(tmp_path / "t.parquet")
    return Table("t", (tmp_path / "t.parquet",), {"id": "BIGINT"}, rows=3000)


def test_a_cancelled_run_does_not_wait_for_an_endless_query(table: Table, tmp_path: Path) -> None:
    endless = "select count(*) as n from t a, t b, t c, t d where a.id + b.id + c.id + d.id = 7"
    start = time.monotonic()

    def wanted() -> None:
        if time.monotonic() - start > 0.5:
            raise Cancelled("Run `#1` was cancelled.")

    with pytest.raises(Cancelled):
        build.build(Model("endless", endless, "", ("t",)), {"t": table}, tmp_path / "endless.parquet", "UTC", wanted)
    assert time.monotonic() - start < 1.5


def test_one_warm_child_does_one_request_after_the_other(table: Table, tmp_path: Path) -> None:
    contained.warm(Limits())
    (warm,) = contained.children._idle
    for number in range(3):
        build.build(Model("m", "select id from t", "", ("t",)), {"t": table}, tmp_path / f"{number}.parquet", "UTC")
        assert contained.children._idle == [warm]


def test_a_warm_child_that_died_is_replaced_unnoticed(table: Table, tmp_path: Path) -> None:
    contained.warm(Limits())
    (warm,) = contained.children._idle
    process = psutil.Process(warm.pid)
    process.kill()
    process.wait()
    built = build.build(Model("m", "select id from t", "", ("t",)), {"t": table}, tmp_path / "m.parquet", "UTC")
    assert built.rows == 3000


def test_a_bug_in_a_child_says_its_kind_and_nothing_of_the_data() -> None:
    with pytest.raises(Bug, match=r"^KeyError$"):
        contained.call("no such request", returns=int, what="Nothing")


@pytest.mark.parametrize(
    ("seconds", "words"), [(600, "10 minutes"), (60, "1 minute"), (90, "90 seconds"), (1, "1 second")]
)
def test_a_limit_of_time_is_named_in_words(seconds: float, words: str) -> None:
    child = Child(Limits().memory, 0, preload=False)
    try:
        with pytest.raises(QueryStopped, match=f"took longer than {words} and was stopped"):
            child._hold_limits("The model `x`", Limits(None, seconds), 0.0)
    finally:
        child.end()


def test_the_limits_of_a_run_are_settings(tmp_path: Path) -> None:
    program = Program(tmp_path, ATLAS_QUERY_SECONDS="8")
    model = "-- Endless\nselect count(*) as n from t a, t b, t c, t d where a.id + b.id + c.id + d.id = 7\n"
    program.pipeline("t", "id\n" + "".join(f"{n}\n" for n in range(3000)), "", model)
    answer = program.say("run t")
    assert answer["exit"] == 0
    assert "took longer than 8 seconds and was stopped. ATLAS_QUERY_SECONDS allows more." in str(answer)
