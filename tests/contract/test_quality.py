"""A contract is measured with Soda on raw rows: six dimensions, rejected rows, rules that cannot run."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadPipeline, Cancelled, SourceUnreadable
from core.models import LINE, CheckResult, ColumnType, RawFile, Table
from core.pipeline import Pipeline
from engine.contract import measure, rejects, rows
from engine.contract.rows import Raw

Columns = dict[str, list[str | None]]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TYPES = {
    "id": ColumnType("integer"), "quantity": ColumnType("integer"), "total": ColumnType("decimal", scale=2),
    "day": ColumnType("date", "%Y-%m-%d"), "moment": ColumnType("datetime", "%Y-%m-%d"),
}  # fmt: skip


def hashed(_: str, values: pl.Series) -> pl.Series:
    """A stand-in for masking: equal values stay equal."""
    return pl.Series([None if v is None else "h_" + hashlib.sha256(v.lower().encode()).hexdigest() for v in values])


def wanted() -> None:
    """Nobody has lost interest."""


@dataclass
class Verified:
    """What the rules give, and which rows they reject."""

    results: list[CheckResult]
    rejected: int
    causes: list[dict[str, Any]]
    rejects_path: Path | None


class Contract:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, columns: Columns | list[Columns], others: dict[str, Table] | None = None,
        types: dict[str, ColumnType] | None = None, mask: rows.MaskValues = hashed, key: list[str] | None = None,
        cursor: str | None = None, later: bool = False, bad: tuple[str, ...] = (), **rules: Any,
    ) -> Verified:  # fmt: skip
        """The contract's answer on these raw columns; a list is one file each."""
        files = []
        for number, part in enumerate(columns if isinstance(columns, list) else [columns]):
            frame = pl.DataFrame(part, schema=dict.fromkeys(part, pl.String))
            frame = frame.with_columns(pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(LINE))
            path = self.folder / f"{number}.parquet"
            frame.write_parquet(path)
            files.append(RawFile(str(path), len(frame)))
        names = dict.fromkeys(name for part in (columns if isinstance(columns, list) else [columns]) for name in part)
        known = types or {name: TYPES.get(name, ColumnType()) for name in names}
        source = {"cursor": cursor} if cursor else {}
        given = {"name": "orders", "owner": "x", "source": source, "key": key or [], "quality": rules}
        pipeline = Pipeline.model_validate(given)
        raw = Raw(files, known, "Europe/Copenhagen", others or {}, mask, NOW, bad)
        results = measure.measured(pipeline, raw, self.folder / "contract.spill", wanted)
        rejected = rejects.rejected(pipeline, raw, self.folder / "rejects.parquet", wanted, later=later)
        return Verified(results, rejected.rows, rejected.causes, rejected.path)


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return Contract(tmp_path)


def one(verified: Verified) -> CheckResult:
    (result,) = verified.results
    return result


def counted(verified: Verified) -> list[tuple[str, float, float]]:
    return [(r.check, r.failed, r.tested) for r in verified.results]


def published(folder: Path, columns: dict[str, list[Any]], masked: frozenset[str] = frozenset()) -> dict[str, Table]:
    frame = pl.DataFrame(columns)
    frame.write_parquet(folder / "customers.parquet")
    kinds = {name: "BIGINT" if kind.is_integer() else "VARCHAR" for name, kind in frame.schema.items()}
    return {"customers": Table("customers", (folder / "customers.parquet",), kinds, masked, len(frame))}


def test_each_dimension_counts_what_failed_of_what_was_tested(contract: Contract, tmp_path: Path) -> None:
    columns: Columns = {
        "id": ["1", "2", "2", "3", None], "email": ["a@b.dk", "b@b.dk", None, "nobody", "c@b.dk"],
        "country": ["Denmark", "Sweden", "Danmark", None, "Sweden"], "total": ["1.50", "-2", "0", None, "9"],
        "quantity": ["1", "1", "1", "1", None], "day": ["2026-11-20", "2026-11-21", None, None, "2026-11-22"],
        "moment": ["2026-11-21 10:00", "2026-11-20 10:00", "2026-11-20 10:00", None, "2026-11-22 10:00"],
    }  # fmt: skip
    verified = contract(
        columns, published(tmp_path, {"id": [1, 3]}),
        completeness=["email", {"column": "total", "max_missing_percent": 30}], uniqueness=["id"],
        validity=[{"column": "email", "format": "email"}, {"column": "country", "values": ["Denmark", "Sweden"]},
                  {"column": "total", "min": 0}],
        accuracy=[{"column": "id", "matches": "customers.id"}, {"expression": "abs(total - quantity * 9) < 0.01"}],
        consistency=[{"expression": "moment >= day"}, {"column": "id", "references": "customers.id"}],
        timeliness={"column": "moment", "max_age_hours": 48},
    )  # fmt: skip
    assert counted(verified) == [
        ("email is filled in", 1, 5),
        ("total is empty in 30 % of rows at most", 0, 5),
        ("id is unique", 1, 4),
        ("email looks like an e-mail address", 1, 4),
        ("country is one of 2 values", 1, 4),
        ("total is at least 0", 1, 4),
        ("id is in customers.id", 2, 4),
        ("abs(total - quantity * 9) < 0.01", 3, 3),
        ("moment >= day", 1, 3),
        ("id is in customers.id", 2, 4),
        ("moment is at most 48 h old", 0, 1),
    ]
    assert verified.rejected == 0
    assert verified.rejects_path is None


def test_scores_are_those_before_rows_are_rejected(contract: Contract) -> None:
    verified = contract({"total": ["1", "-1", "x", None]}, types={"total": ColumnType()},
                        validity=[{"column": "total", "min": 0}], reject_rows=["validity"])  # fmt: skip
    assert counted(verified) == [("total is at least 0", 2, 3)]
    assert verified.rejected == 2


def test_too_many_missing_count_beyond_what_is_allowed(contract: Contract) -> None:
    columns: Columns = {"phone": ["1", None, None, None, None, None, None, None, None, None]}
    verified = contract(columns, completeness=[{"column": "phone", "max_missing_percent": 20}],
                        reject_rows=["completeness"])  # fmt: skip
    assert counted(verified) == [("phone is empty in 20 % of rows at most", 7, 10)]
    assert verified.rejected == 0  # no single row is at fault


def test_a_rejected_row_has_one_cause_the_first_it_breaks(contract: Contract) -> None:
    columns: Columns = {"id": ["1", "1", "2", None, None], "total": ["-1", "-1", "-1", "5", "-1"]}
    verified = contract(
        columns, completeness="id", uniqueness="id", validity={"column": "total", "min": 0},
        reject_rows=["validity", "uniqueness"],
    )  # fmt: skip
    assert verified.causes == [
        {"reason": "duplicate key", "rule": "id is unique", "column": "id", "rows": 1, "lines": [(0, 3)],
         "samples": [], "others": 1},
        {"reason": "total is under 0", "rule": "total is at least 0", "column": "total", "rows": 3,
         "lines": [(0, 2), (0, 4), (0, 6)], "samples": [], "others": 1},
    ]  # fmt: skip
    assert verified.rejected == 4
    assert verified.rejects_path is not None
    lines = pl.read_parquet(verified.rejects_path).sort("file", LINE)
    assert lines.select("file", LINE, "cause").rows() == [(0, 2, 1), (0, 3, 0), (0, 4, 1), (0, 6, 1)]


def test_of_duplicates_the_first_in_source_order_stays_across_files(contract: Contract) -> None:
    files: list[Columns] = [{"id": ["3", "1"]}, {"id": ["1", "2", "3"]}, {"id": [None, None, "2"]}]
    verified = contract(files, uniqueness=["id"], reject_rows=["uniqueness"])
    assert counted(verified) == [("id is unique", 3, 6)]
    assert verified.rejects_path is not None
    assert sorted(pl.read_parquet(verified.rejects_path).select("file", LINE).rows()) == [(1, 2), (1, 4), (2, 4)]


def test_a_combination_is_a_key_where_all_of_it_is_there(contract: Contract) -> None:
    columns: Columns = {"order": ["1", "1", "1", None, None], "line": ["1", "1", "2", "1", "1"]}
    verified = contract(columns, uniqueness=[["order", "line"]], reject_rows=["uniqueness"])
    assert counted(verified) == [("order, line together are unique", 1, 3)]
    assert verified.rejected == 1


def test_a_file_may_lack_columns_that_others_have(contract: Contract) -> None:
    files: list[Columns] = [{"id": ["1", "2"]}, {"note": ["x"], "id": ["3"]}]
    verified = contract(files, completeness=["id", "note"])
    assert counted(verified) == [("id is filled in", 0, 3), ("note is filled in", 2, 3)]


def test_an_expression_is_not_tested_where_it_is_null(contract: Contract) -> None:
    verified = contract({"total": ["1", None, "-1"], "id": ["1", "1", None]},
                        consistency=[{"expression": "total > 0"}, {"expression": "total > 0 or id = 1"},
                                     {"expression": "null"}])  # fmt: skip
    assert counted(verified) == [("total > 0", 1, 2), ("total > 0 or id = 1", 0, 2), ("null", 0, 0)]
    assert verified.results[2].note == "no row to test"


def test_nothing_tested_is_not_measured(contract: Contract) -> None:
    verified = contract(
        {"id": [], "moment": []}, completeness="id", uniqueness="id", validity={"column": "id", "min": 0},
        accuracy={"expression": "id > 0"}, consistency={"expression": "id > 0"},
        timeliness={"column": "moment", "max_age_hours": 1}, reject_rows=["validity", "uniqueness"],
    )  # fmt: skip
    assert [(r.failed, r.tested, r.note) for r in verified.results] == [(0, 0, "no row to test")] * 6
    assert verified.rejected == 0


def test_no_rules_are_no_results(contract: Contract) -> None:
    assert contract({"id": ["1"]}) == Verified([], 0, [], None)


@pytest.mark.parametrize(
    ("newest", "failed", "note"),
    [
        ("2026-11-23 12:00", 0, None),
        ("2026-11-21 13:00", 0, None),  # 48 h before noon in UTC
        ("2026-11-21 10:00", 3 / 48, "the newest row is 51 h old, 48 h allowed"),
        ("2026-11-20 13:00", 24 / 48, "the newest row is 72 h old, 48 h allowed"),
        ("2026-11-01 13:00", 1, "the newest row is 528 h old, 48 h allowed"),
    ],
)
def test_timeliness_falls_from_the_age_allowed_to_twice_that(
    newest: str, failed: float, note: str | None, contract: Contract
) -> None:
    columns: Columns = {"moment": [newest, "2026-10-01 00:00", None]}
    verified = contract(columns, timeliness={"column": "moment", "max_age_hours": 48})
    assert one(verified).failed == pytest.approx(failed)
    assert (one(verified).tested, one(verified).note) == (1, note)


def test_a_day_begins_at_midnight_of_the_zone(contract: Contract) -> None:
    verified = contract({"day": ["2026-11-21"]}, timeliness={"column": "day", "max_age_hours": 48})
    assert one(verified).note == "the newest row is 61 h old, 48 h allowed"


def test_timeliness_of_a_column_without_times_is_not_measured(contract: Contract) -> None:
    verified = contract({"name": ["x"]}, timeliness={"column": "name", "max_age_hours": 48})
    assert (one(verified).tested, one(verified).note) == (0, "name holds text, no times")


def test_a_rule_on_a_dataset_that_is_not_there_waits_for_it(contract: Contract) -> None:
    verified = contract({"id": ["1"]}, consistency={"column": "id", "references": "customers.id"},
                        reject_rows=["consistency"])  # fmt: skip
    assert (one(verified).tested, one(verified).note) == (0, "`customers` has not run yet")


def test_masked_values_are_compared_with_masked_ones(contract: Contract, tmp_path: Path) -> None:
    others = published(tmp_path, {"email": list(hashed("", pl.Series(["a@b.dk", "c@b.dk"])))}, frozenset({"email"}))
    verified = contract({"who": ["A@b.dk", "b@b.dk", None, "b@b.dk"]}, others,
                        consistency={"column": "who", "references": "customers.email"},
                        reject_rows=["consistency"])  # fmt: skip
    assert counted(verified) == [("who is in customers.email", 2, 3)]
    assert verified.causes == [
        {"reason": "who is not in customers.email", "rule": "who is in customers.email", "column": "who", "rows": 2,
         "lines": [(0, 3), (0, 5)], "samples": [], "others": 1}
    ]  # fmt: skip


def test_what_is_masked_on_one_end_only_is_not_measured(contract: Contract, tmp_path: Path) -> None:
    others = published(tmp_path, {"id": ["h_1"]}, frozenset({"id"}))
    verified = contract({"id": ["1", "2"]}, others, consistency={"column": "id", "references": "customers.id"},
                        mask=lambda _, values: values)  # fmt: skip
    assert (one(verified).tested, one(verified).note) == (0, "customers.id is masked and id is not")


def test_references_compare_numbers_as_numbers_and_text_as_text(contract: Contract, tmp_path: Path) -> None:
    numbers = published(tmp_path, {"id": [1, 20]})
    rule = {"column": "total", "references": "customers.id"}
    assert counted(contract({"total": ["1.00", "20", "3"]}, numbers, consistency=rule))[0][1:] == (1, 3)
    texts = published(tmp_path, {"id": ["007", "1", "it's"]})
    columns: Columns = {"code": ["007", "7", "it's", "1"]}
    rule = {"column": "code", "references": "customers.id"}
    assert counted(contract(columns, texts, consistency=rule))[0][1:] == (1, 4)


def test_values_are_numbers_where_the_column_holds_numbers(contract: Contract) -> None:
    verified = contract({"total": ["1.50", "2", "3"], "id": ["1", "2", "3"]},
                        validity=[{"column": "total", "values": [1.5, 2]},
                                  {"column": "id", "values": [1, 2]}])  # fmt: skip
    assert [failed for _, failed, _ in counted(verified)] == [1, 1]


BROKEN = [
    ("name + 1", "`+` does not take text and a whole number"),
    ("name::int > 0", "a value cannot be converted to INT32"),
    ("chr(-1) is null", "a function was given a value it does not take"),
    ("length(name)", "it is no condition: it gives BIGINT"),
    ("name = '${NOW_TS}'", "`${` cannot stand in a rule"),
]


@pytest.mark.parametrize(("expression", "note"), BROKEN)
def test_a_broken_rule_says_why_and_spoils_no_other(expression: str, note: str, contract: Contract) -> None:
    columns: Columns = {"name": ["1", "Mogens", None], "total": ["-1", "2", "3"]}
    verified = contract(
        columns, completeness="name", validity={"column": "total", "min": 0},
        consistency=[{"expression": expression}, {"expression": "total > 2"}], reject_rows=["validity", "consistency"],
    )  # fmt: skip
    assert [(r.failed, r.tested) for r in verified.results] == [(1, 3), (1, 3), (0, 0), (2, 3)]
    told = verified.results[2].note
    assert told is not None
    assert told.startswith(note)
    assert verified.rejected == 2


def test_a_pattern_that_is_none_says_so(contract: Contract) -> None:
    verified = contract({"name": ["x"]}, validity={"column": "name", "regex": "("})
    assert one(verified).tested == 0
    assert "missing )" in str(one(verified).note)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_no_value_reaches_a_log(level: int, contract: Contract, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(level)
    contract({"name": ["1", "Mogens", None]}, completeness="name", consistency=[{"expression": e} for e, _ in BROKEN])
    assert "Mogens" not in caplog.text


@pytest.mark.parametrize(
    "rules",
    [
        {"completeness": "nosuch"},
        {"uniqueness": [["id", "nosuch"]]},
        {"validity": {"column": "nosuch", "min": 0}},
        {"accuracy": {"column": "nosuch", "matches": "customers.id"}},
        {"accuracy": {"expression": "nosuch > 0"}},
        {"consistency": {"column": "id", "references": "customers.nosuch"}},
        {"consistency": {"expression": "id > (select 1)"}},
        {"consistency": {"expression": "read_text('/etc/passwd') = ''"}},
        {"timeliness": {"column": "nosuch", "max_age_hours": 1}},
    ],
)
def test_a_rule_on_what_is_not_there_is_a_mistake_in_the_pipeline(
    rules: dict[str, Any], contract: Contract, tmp_path: Path
) -> None:
    with pytest.raises(BadPipeline):
        contract({"id": ["1"]}, published(tmp_path, {"id": [1]}), **rules)


@pytest.mark.parametrize(
    "name",
    ["order", "it's", "Ærø %", "a.b", "a;b", "{{x}}", "a\\b", "_file", "_row", "file_row_number", "rows", "file",
     "cause", "value", "select", "NOW_TS", "#", "a:b", "- a", "* x", "true", "null", "😀", "\u2028", "\x85", "x" * 200],
)  # fmt: skip
def test_a_column_may_have_any_name(name: str, contract: Contract, tmp_path: Path) -> None:
    columns: Columns = {name: ["1", "1", None], "other": ["1", "2", "3"]}
    verified = contract(
        columns, published(tmp_path, {"id": [2]}), completeness=[name], uniqueness=[name, [name, "other"]],
        validity={"column": name, "max": 0}, consistency={"column": name, "references": "customers.id"},
        reject_rows=["uniqueness", "validity"],
    )  # fmt: skip
    assert [(r.failed, r.tested) for r in verified.results] == [(1, 3), (1, 2), (0, 2), (2, 2), (2, 2)]
    assert verified.rejected == 2


def test_a_dollar_in_a_name_is_no_variable(contract: Contract) -> None:
    verified = contract({"price ${EUR}": ["1", None], "id": ["1", None]}, completeness=["price ${EUR}", "id"])
    assert [(r.tested, r.note) for r in verified.results] == [(0, "`${` cannot stand in a rule"), (2, None)]


def test_soda_neither_reports_home_nor_reads_an_env_file() -> None:
    assert os.environ["SODA_CORE_TELEMETRY_ENABLED"] == "false"
    assert os.environ["PYTHON_DOTENV_DISABLED"] == "1"


def test_several_contracts_at_once_do_not_mix(tmp_path: Path) -> None:
    answers: dict[int, list[tuple[str, float, float]]] = {}

    def work(number: int) -> Callable[[], None]:
        def verify() -> None:
            folder = tmp_path / str(number)
            folder.mkdir()
            columns: Columns = {"id": [None] * number + ["1"] * (10 - number)}
            answers[number] = counted(Contract(folder)(columns, completeness="id"))

        return verify

    threads = [threading.Thread(target=work(number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [("id is filled in", number, 10)] for number in range(4)}


cells = st.none() | st.sampled_from(["a@b.dk", "nobody", "Denmark", "", " ", "1", "-5", "1.5", "ø"])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(0, 4).map(str), cells), max_size=30), st.data())
def test_counts_agree_with_python_and_rejected_rows_are_those_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str | None, str | None]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    files: list[Columns] = [
        {"id": [row[0] for row in part], "word": [row[1] for row in part]} for part in (rows[:cut], rows[cut:])
    ]
    verified = Contract(tmp_path_factory.mktemp("raw"))(
        files, completeness=["word"], uniqueness=["id"], validity={"column": "word", "values": ["Denmark", "1"]},
        reject_rows=["uniqueness", "validity"],
    )  # fmt: skip
    ids = [row[0] for row in rows if row[0] is not None]
    words = [row[1] for row in rows if row[1] and row[1].strip()]
    assert [(r.failed, r.tested) for r in verified.results] == [
        (len(rows) - len(words), len(rows)),
        (len(ids) - len(set(ids)), len(ids)),
        (sum(word not in ("Denmark", "1") for word in words), len(words)),
    ]
    seen: set[str | None] = {None}
    expected = []
    for number, (key, word) in enumerate(rows):
        if (key in seen and key is not None) or (word and word.strip() and word not in ("Denmark", "1")):
            expected.append((0, number + 2) if number < cut else (1, number - cut + 2))
        seen.add(key)
    rejected = pl.read_parquet(verified.rejects_path).select("file", LINE).rows() if verified.rejects_path else []
    assert sorted(rejected) == expected


def test_a_dataset_may_reference_itself(contract: Contract) -> None:
    found = contract(
        {"id": ["1", "2", "3"], "boss": [None, "1", "7"]},
        consistency=[{"column": "boss", "references": "orders.id"}], reject_rows=["consistency"],
    )  # fmt: skip
    assert counted(found) == [("boss is in orders.id", 1, 2)]
    assert found.rejected == 1


def test_the_form_asked_for_is_that_of_the_text_in_the_source(contract: Contract) -> None:
    found = contract(
        {"danish": ["01-02-2026", "02-02-2026"], "total": ["3", "3.50"]},
        types={"danish": ColumnType("date", "%d-%m-%Y"), "total": TYPES["total"]},
        validity=[
            {"column": "danish", "regex": "[0-9]{2}-[0-9]{2}-[0-9]{4}"}, {"column": "danish", "values": ["01-02-2026"]},
            {"column": "danish", "values": ["2026-02-01"]}, {"column": "danish", "format": "date"},
            {"column": "total", "format": "integer"}, {"column": "total", "min": 1234567.89},
        ],
    )  # fmt: skip
    assert [(r.failed, r.tested) for r in found.results] == [(0, 2), (1, 2), (1, 2), (0, 2), (1, 2), (2, 2)]
    assert found.results[-1].check == "total is at least 1234567.89"


def test_a_column_that_files_write_in_two_ways_is_told(contract: Contract) -> None:
    with pytest.raises(SourceUnreadable, match="one column in 2 ways: `Email`, `email`"):
        contract([{"Email": ["a"]}, {"email": ["b"]}])


def test_a_key_a_subject_or_a_masking_decision_for_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    raw = Raw([], {"a": ColumnType()}, "UTC", {}, hashed, NOW)
    for more in ({"key": ["b"]}, {"subject": {"customer": "b"}}, {"privacy": {"columns": {"b": "hash"}}}):
        pipeline = Pipeline.model_validate({"name": "orders", "owner": "x", "source": {}, **more})
        with pytest.raises(BadPipeline, match=r"`orders\.yml`: it names the column `b`") as caught:
            measure.measured(pipeline, raw, tmp_path / "contract.spill", wanted)
        assert caught.value.hint == "It has: a."


def test_a_mistake_in_a_rule_names_the_file(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(BadPipeline, match=r"^`orders\.yml`: `id in \(select 1\)` may hold only columns"):
        contract({"id": ["1"]}, accuracy=[{"expression": "id in (select 1)"}])
    with pytest.raises(BadPipeline, match=r"^`orders\.yml`: `customers` has no column `nr`"):
        contract(
            {"id": ["1"]},
            published(tmp_path, {"id": [1]}),
            consistency=[{"column": "id", "references": "customers.nr"}],
        )


def test_a_moment_in_the_future_does_not_make_stale_data_fresh(contract: Contract) -> None:
    rule = {"column": "moment", "max_age_hours": 24}
    stale = (NOW - timedelta(hours=240)).strftime("%Y-%m-%d %H:%M:%S")
    fresh = (NOW - timedelta(hours=10)).strftime("%Y-%m-%d %H:%M:%S")
    slip = (NOW + timedelta(days=365)).strftime("%Y-%m-%d %H:%M:%S")
    assert one(contract({"moment": [stale, slip]}, timeliness=rule)).failed == 1
    assert one(contract({"moment": [fresh, slip]}, timeliness=rule)).failed == 0
    assert one(contract({"moment": [slip]}, timeliness=rule)).tested == 0


@pytest.mark.parametrize("ask", [measure.measured, rejects.rejected])
def test_a_cancelled_run_does_not_wait_for_a_slow_rule(tmp_path: Path, ask: Callable[..., Any]) -> None:
    rows = 1_000_000
    ids = pl.int_range(2, rows + 2, dtype=pl.Int64, eager=True).alias(LINE)
    pl.DataFrame([ids, ids.cast(pl.String).alias("id")]).write_parquet(tmp_path / "0.parquet")
    slow = "len(list_filter(range(0, 3000), x -> x % 7 = id)) > 0"  # a minute or more for all rows
    rules = {"accuracy": [{"expression": slow}], "reject_rows": ["accuracy"]}
    pipeline = Pipeline.model_validate({"name": "orders", "owner": "x", "source": {}, "quality": rules})
    file = RawFile(str(tmp_path / "0.parquet"), rows)
    raw = Raw([file], {"id": ColumnType("integer")}, "UTC", {}, hashed, NOW)
    begun = time.monotonic()

    def cancelled() -> None:
        if time.monotonic() - begun > 0.5:
            raise Cancelled("Run `#1` was cancelled.")

    with pytest.raises(Cancelled):
        ask(pipeline, raw, tmp_path / "asked.parquet", cancelled)
    assert time.monotonic() - begun < 20


BLANK = ["", " ", "\t\n", "\u00a0", "\u200b", "\u3000 \r"]


def test_a_value_of_the_wrong_type_is_not_empty(contract: Contract) -> None:
    columns: Columns = {"quantity": ["1", "2", "soon", "n/a", None], "day": ["2026-11-20", "soon", "x", "-", " "]}
    verified = contract(
        columns, completeness=["quantity", "day"], reject_rows=["completeness"], bad=("quantity", "day")
    )
    assert counted(verified) == [("quantity is filled in", 2, 5), ("day is filled in", 2, 5)]
    assert [(cause["reason"], cause["rows"]) for cause in verified.causes] == [
        ("quantity is not a whole number", 1), ("day is not a date", 1), ("quantity is empty", 2),
    ]  # fmt: skip


def test_an_empty_text_is_missing_in_every_dimension(contract: Contract) -> None:
    columns: Columns = {"mail": [None, *BLANK, "a@b.dk", "ø@b.dk", "~"], "note": [*BLANK, None, " x", "x ", "0"]}
    verified = contract(
        columns, completeness=["mail", {"column": "note", "empty": "keep"}, {"column": "note"}], uniqueness="mail",
        validity={"column": "mail", "format": "email"}, reject_rows=["completeness"],
    )  # fmt: skip
    counted = [(r.dimension, r.column, r.failed, r.tested) for r in verified.results]
    assert counted == [
        ("completeness", "mail", 7, 10), ("completeness", "note", 1, 10), ("completeness", "note", 7, 10),
        ("uniqueness", "mail", 0, 3), ("validity", "mail", 1, 3),
    ]  # fmt: skip
    assert verified.rejected == 7


def test_a_key_leaves_one_row_of_each(contract: Contract) -> None:
    columns = {"id": ["1", "2", "1", None, None, "1", ""], "n": ["a", "b", "c", "d", "e", "f", "g"]}
    said = {"lines": [(0, 4), (0, 7)], "reason": "id comes again in a row that stays", "rows": 2}
    first = contract(columns, key=["id"])
    assert [{name: cause[name] for name in said} for cause in first.causes] == [said]
    later = contract(columns, key=["id"], later=True)
    assert later.causes[0]["lines"] == [(0, 2), (0, 4)]
    both = contract([columns, columns], key=["id", "n"])
    assert (both.rejected, both.causes[0]["lines"][:2]) == (4, [(1, 2), (1, 3)])


def test_the_row_with_the_highest_cursor_stays(contract: Contract) -> None:
    columns: Columns = {"id": ["1", "1", "1", "2"], "moment": ["2026-01-02 10:00", "2026-01-03 10:00", None, None]}
    assert contract(columns, key=["id"], cursor="moment").causes[0]["lines"] == [(0, 2), (0, 4)]


def test_a_row_that_stays_is_not_rejected_for_what_it_shares_with_one_that_does_not(contract: Contract) -> None:
    columns: Columns = {"id": ["1", "1", "2"], "mail": ["a", "a", "a"]}
    rules: dict[str, Any] = {"uniqueness": ["id", "mail"], "reject_rows": ["uniqueness"]}
    verified = contract(columns, key=["id"], later=True, **rules)
    assert [(cause["rule"], cause["lines"]) for cause in verified.causes] == [
        ("id comes once", [(0, 2)]), ("mail is unique", [(0, 4)]),
    ]  # fmt: skip
