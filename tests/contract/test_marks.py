"""Marks beside the rows of a version give the scores that one measurement of all its rows gives."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import LINE, CheckResult, ColumnType, RawFile, Table
from core.pipeline import Pipeline
from engine.contract import marked, marks, measure, score
from engine.contract.rows import Raw
from engine.personal import sought

Row = dict[str, str | None]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TYPES = {
    "id": ColumnType("integer"), "mail": ColumnType(), "land": ColumnType(), "amount": ColumnType("decimal", scale=1),
    "boss": ColumnType("integer"), "at": ColumnType("datetime", "%Y-%m-%d"),
}  # fmt: skip
RULES: dict[str, Any] = {
    "completeness": ["mail", {"column": "land", "max_missing_percent": 30}],
    "uniqueness": ["mail", ["land", "amount"]],
    "validity": [{"column": "mail", "format": "email"}, {"column": "amount", "min": 0, "max": 50, "weight": 3}],
    "accuracy": [{"column": "land", "matches": "lands.code"}],
    "consistency": [{"column": "boss", "references": "orders.id"}, {"expression": "amount < 40 or land is not null"}],
    "timeliness": {"column": "at", "max_age_hours": 7},
}
SECRET = "of a test"


class Link:
    """A parent that masks nothing."""

    def at(self, what: str) -> None:
        pass

    def asked(self, question: bytes) -> bytes:
        return sought.answer(question, TYPES, lambda _, values: values)


class Version:
    """What runs leave of marks, and what they are scored by."""

    def __init__(self, folder: Path, rules: dict[str, Any] = RULES) -> None:
        self.folder, self.paths, self.pipeline = folder, list[str](), self.by(rules)
        lands = folder / "lands.parquet"
        pl.DataFrame({"code": ["dk", "se"]}).write_parquet(lands)
        self.others = {"lands": Table("lands", (lands,), {"code": "VARCHAR"})}
        self.planned: list[marks.Planned] = []

    def by(self, rules: dict[str, Any]) -> Pipeline:
        self.pipeline = Pipeline.model_validate(
            {"name": "orders", "owner": "x", "source": {}, "key": ["id"], "quality": rules}
        )
        return self.pipeline

    def raw(self, rows: list[Row]) -> Raw:
        path = self.folder / f"raw-{len(self.paths)}.parquet"
        frame = pl.DataFrame(rows, dict.fromkeys(TYPES, pl.String)).with_row_index(LINE)
        frame.with_columns(pl.col(LINE).cast(pl.Int64)).write_parquet(path)
        return Raw([RawFile(str(path), len(rows))], TYPES, "UTC", self.others, lambda _, v: v, NOW)

    def reads(self, rows: list[Row]) -> None:
        draft, target = self.folder / "draft.parquet", self.folder / f"marks-{len(self.paths)}.parquet"
        self.planned = marks.mark(self.pipeline, self.raw(rows), draft, self.folder / "spill", Link())
        ids = pl.DataFrame({"id": [row["id"] for row in rows]}, {"id": pl.String}).cast(pl.Int64)
        keys = pl.DataFrame({marked.KEY: marked.key_texts(ids)}).with_row_index(LINE)
        marked.write(
            draft, iter([(0, keys)]), self.planned, frozenset(), SECRET, target, self.folder / "spill", lambda _: None
        )
        self.paths.append(str(target))

    def scored(self, now: datetime = NOW) -> list[CheckResult]:
        with marked.opened(self.paths, SECRET, self.folder / "spill", lambda _: None) as all_of_them:
            return all_of_them.scored(self.planned, self.others, frozenset(), now, "orders")


row = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", "3", "4"]),
        "mail": st.sampled_from(["a@b.dk", "c@d.dk", "nobody", "", None]),
        "land": st.sampled_from(["dk", "se", "xx", None]),
        "amount": st.sampled_from(["1", "1.0", "45", "-1", "99.5", None]),
        "boss": st.sampled_from(["1", "2", "9", None]),
        "at": st.sampled_from(["2026-11-23 11:59:59", "2026-11-23 01:13:07", "2026-11-23 15:00", None]),
    }
)
batches = st.lists(st.lists(row, max_size=5), min_size=1, max_size=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def final(runs: list[list[Row]]) -> list[Row]:
    """Of each key the rows of the last run that has read it."""
    last = {r["id"]: n for n, rows in enumerate(runs) for r in rows}
    return [r for n, rows in enumerate(runs) for r in rows if last[r["id"]] == n]


def scored_alike(tmp_path_factory: pytest.TempPathFactory, runs: list[list[Row]], hours: int) -> None:
    many, one = (Version(tmp_path_factory.mktemp("marks")) for _ in "ab")
    for rows in runs:
        many.reads(rows)
    one.reads(final(runs))
    later = NOW + timedelta(hours=hours)
    assert many.scored(later) == one.scored(later)


@settings(max_examples=8, deadline=None)
@given(runs=batches, hours=st.integers(0, 30))
def test_a_sequence_of_runs_scores_what_one_run_over_the_final_rows_scores(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[Row]], hours: int
) -> None:
    scored_alike(tmp_path_factory, runs, hours)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(runs=batches, hours=st.integers(0, 30))
def test_any_sequence_of_runs_scores_what_one_run_over_the_final_rows_scores(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[Row]], hours: int
) -> None:
    scored_alike(tmp_path_factory, runs, hours)


@settings(max_examples=3, deadline=None)
@given(rows=st.lists(row, max_size=8))
def test_marks_give_what_soda_measures_on_the_raw_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    version = Version(tmp_path_factory.mktemp("marks"))
    version.reads(rows)
    spill = version.folder / "soda.spill"
    assert version.scored() == measure.measure(version.pipeline, version.raw(rows), spill, Link())


def orders(*cells: tuple[str, str | None, str | None, str | None]) -> list[Row]:
    return [dict(zip(("id", "mail", "land", "amount"), c, strict=True)) | {"boss": None, "at": None} for c in cells]


def test_a_hand_computed_example_to_the_last_digit(folder: Path) -> None:
    """Four rows, of which one is corrected and one turns bad; then 1 of 4 is no address and 1 of 3 lacks a land."""
    version = Version(folder, {
        "completeness": ["land"], "uniqueness": ["mail"],
        "validity": [{"column": "mail", "format": "email", "weight": 2}, {"column": "amount", "max": 50}],
    })  # fmt: skip
    version.reads(orders(("1", "a@b.dk", "dk", "1"), ("2", "nobody", None, "2"), ("3", "c@d.dk", None, "3")))
    first = score.scores(version.scored())
    # 2 of 3 have no land; 1 of 3 is no address and weighs 2, no amount is over 50 and weighs 1
    assert first.dimensions["completeness"] == 100 / 3
    assert first.dimensions["uniqueness"] == 100
    assert first.dimensions["validity"] == 700 / 9
    version.reads(orders(("2", "a@b.dk", "se", "2"), ("4", None, "dk", "99")))
    second = version.scored()
    assert [(r.failed, r.tested) for r in second] == [(1, 4), (1, 3), (0, 3), (1, 4)]
    scores = score.scores(second)
    assert scores.dimensions["completeness"] == 75  # of rows 1 to 4 only 3 has no land
    assert scores.dimensions["uniqueness"] == 200 / 3  # a@b.dk comes twice in three addresses
    assert scores.dimensions["validity"] == 275 / 3  # (2 x 1 + 1 x 0.75) / 3
    assert scores.overall == 700 / 9  # (75 + 66.666… + 91.666…) / 3
    assert scores.measured == 3


def test_a_rule_that_older_rows_were_not_tested_by_is_not_measured(folder: Path) -> None:
    version = Version(folder, {"completeness": ["land"]})
    version.reads(orders(("1", "a@b.dk", "dk", "1"), ("2", "b", None, "2")))
    version.by({"completeness": ["land", "mail"]})
    version.reads(orders(("2", "b", "dk", "2")))
    old, new = version.scored()
    assert (old.failed, old.tested) == (0, 2)
    assert (new.tested, new.note) == (0, "1 older row was not tested by this rule; to test all: run orders --full")
    version.reads(orders(("1", None, "dk", "1")))
    assert [(r.failed, r.tested) for r in version.scored()] == [(0, 2), (1, 2)]


def test_a_row_that_a_rule_fails_over_spoils_the_rule_until_it_is_corrected(folder: Path) -> None:
    version = Version(folder, {"accuracy": [{"expression": "cast(mail as integer) > 0"}], "completeness": ["land"]})
    version.reads(orders(("1", "7", "dk", "1"), ("2", "x", "dk", "2")))
    assert [(r.tested, r.note) for r in version.scored()] == [(2, None), (0, "it cannot be computed for 1 row")]
    version.reads(orders(("2", "-7", "dk", "2")))
    assert [(r.failed, r.tested) for r in version.scored()] == [(0, 2), (1, 2)]


def test_marks_hold_no_value_and_no_hash_that_can_be_guessed(folder: Path) -> None:
    version = Version(folder)
    version.reads(orders(("4711", "anna@firma.dk", "dk", "1")))
    (path,) = version.paths
    held = Path(path).read_bytes()
    for value in (b"anna@firma.dk", b"4711"):
        assert value not in held
    version.paths.clear()
    other = marked.salt(b"another key")
    assert other != marked.salt(b"a key")
    kinds = {str(field.type) for field in pq.read_schema(path)}
    assert kinds == {"binary", "uint8", "int64"}
