"""A contract over raw rows: what each rule counts, which rows it rejects, and what it says where it cannot tell."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.errors import BadPipeline, SourceUnreadable
from core.models import LINE, CheckResult, ColumnType, RawFile, Table
from core.pipeline import Pipeline
from engine.chart import quality, score

TEXT, INTEGER = ColumnType(), ColumnType("integer")
MONEY = ColumnType("decimal", scale=2)
DATE, DANISH_DATE = ColumnType("date", "%Y-%m-%d"), ColumnType("date", "%d-%m-%Y")
MOMENT = ColumnType("datetime", "%Y-%m-%d")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Cells = Sequence[str | None]


@dataclass
class Source:
    """Raw files in a folder, and a contract over them."""

    folder: Path
    files: list[RawFile] = field(default_factory=list)
    types: dict[str, ColumnType] = field(default_factory=dict)
    others: dict[str, Table] = field(default_factory=dict)

    def file(self, **columns: Cells) -> "Source":
        return self.rows(columns)

    def rows(self, columns: dict[str, Cells], first_line: int = 2) -> "Source":
        path = self.folder / f"raw-{len(self.files)}.parquet"
        frame = pl.DataFrame(columns, dict.fromkeys(columns, pl.String))
        frame.with_columns(pl.Series(LINE, range(first_line, first_line + len(frame)), pl.Int64)).write_parquet(path)
        self.files.append(RawFile(str(path), len(frame)))
        self.types = {**dict.fromkeys(columns, TEXT), **self.types}
        return self

    def typed(self, **types: ColumnType) -> "Source":
        self.types.update(types)
        return self

    def published(self, name: str, masked: Sequence[str] = (), **columns: Any) -> "Source":
        path = self.folder / f"{name}.parquet"
        frame = pl.DataFrame(columns)
        frame.write_parquet(path)
        self.others[name] = Table(name, (path,), dict.fromkeys(columns, "VARCHAR"), frozenset(masked), len(frame))
        return self

    def verify(self, contract: dict[str, Any], now: datetime = NOW, **more: Any) -> quality.Verified:
        pipeline = Pipeline.model_validate(
            {"name": "orders", "owner": "web", "source": {"connector": "csv"}, "quality": contract, **more}
        )
        raw = quality.Raw(self.files, self.types, "Europe/Copenhagen")
        return quality.verify(pipeline, raw, self.others, _hashed, now, self.folder / "rejected.parquet")

    def one(self, contract: dict[str, Any], now: datetime = NOW) -> CheckResult:
        (found,) = self.verify(contract, now).results
        return found

    def counts(self, contract: dict[str, Any]) -> tuple[float, float]:
        found = self.one(contract)
        return found.failed, found.tested


def _hashed(column: str, values: pl.Series) -> pl.Series:
    return values.map_elements(lambda value: f"h_{value.strip().lower()}", pl.String)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


# Completeness


def test_completeness_counts_the_empty_cells(source: Source) -> None:
    found = source.file(email=["a@b.dk", None, "", None]).one({"completeness": "email"})
    assert (found.check, found.dimension, found.column) == ("email is filled in", "completeness", "email")
    assert (found.failed, found.tested) == (2, 4)


def test_the_share_of_empty_cells_that_is_allowed_is_not_counted_as_failed(source: Source) -> None:
    source.file(phone=["1", None, None, None, "5", "6", "7", "8", "9", "10"])
    rule = {"column": "phone", "max_missing_percent": 20}
    found = source.one({"completeness": [rule]})
    assert found.check == "phone is empty in 20 % of rows at most"
    assert (found.failed, found.tested) == (1, 10)
    assert source.counts({"completeness": [{**rule, "max_missing_percent": 30}]}) == (0, 10)
    assert source.verify({"completeness": [rule], "reject_rows": ["completeness"]}).rejected == 0


# Uniqueness


def test_uniqueness_counts_the_rows_too_many_of_those_that_have_a_value(source: Source) -> None:
    source.file(id=["1", "2", "2", "2", None, None])
    assert source.counts({"uniqueness": "id"}) == (2, 4)


def test_uniqueness_of_columns_together_tests_rows_that_have_them_all(source: Source) -> None:
    source.file(a=["1", "1", "1", "2", None, None], b=["x", "x", "y", "x", "x", "x"])
    found = source.verify({"uniqueness": [{"columns": ["a", "b"]}], "reject_rows": ["uniqueness"]})
    assert (found.results[0].check, found.results[0].column) == ("a, b together are unique", None)
    assert (found.results[0].failed, found.results[0].tested) == (1, 4)
    assert found.rejected == 1


def test_of_duplicates_the_first_in_source_order_stays(source: Source) -> None:
    source.rows({"id": ["2", "1", "2"]}, first_line=2).rows({"id": ["1", "3"]}, first_line=2)
    found = source.verify({"uniqueness": "id", "reject_rows": ["uniqueness"]})
    assert found.rejected == 2
    assert found.rejects_path is not None
    assert pl.read_parquet(found.rejects_path).select("file", LINE).rows() == [(0, 4), (1, 2)]


# Validity

FORMATS = {
    "email": (
        ["a@b.dk", "åse.øst@bryghus.dk", "x+y@sub.example.org"],
        ["a@b", "a b@c.dk", "@b.dk", "a@b.dk; c@d.dk", "a@b..dk", "a@.dk", "a@b.dk "],
    ),
    "phone": (
        ["20 30 40 50", "+45 20304050", "(+45) 20-30-40-50", "+1 (202) 555-0147", "20304050"],
        ["2030405", "+45", "call me", "1234567890123456", "1234567890123456789012345", "20304050x"],
    ),
    "cpr": (
        ["0101011234", "010101-1234", "290200-1234", "290204 1234", "6102901234", "3112991234"],
        ["3201011234", "0113011234", "290201-1234", "310401-1234", "9001011234x", "0001011234", "010101-123"],
    ),
    "cvr": (["13585628", "DK13585628", "13 58 56 28"], ["13585629", "1358562", "00000000", "1358562X"]),
    "url": (["https://atlas.dk", "http://a.b/c?d=e"], ["atlas.dk", "ftp://a.b", "https://", "http://a b.dk"]),
    "uuid": (
        ["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
        ["123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g"],
    ),
    "iban": (
        ["DK5000400440116243", "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "NO9386011117947"],
        ["DK5000400440116244", "DE89 3704 0044 0532 0130 01", "GB82", "gb82west12345698765432", "5000400440116243"],
    ),
    "postcode": (["8000", "DK-0800"], ["800", "80000", "DK8000", "8 000"]),
    "date": (
        ["2024-02-29", "2024-12-31T10:00", "2024-01-01 00:00:00"],
        ["2023-02-29", "2024-13-01", "2024-04-31", "29-02-2024", "2024-1-1", "20240101"],
    ),
    "integer": (["0", "-12", "+7", "007"], ["1.0", "1,000", "x", "1e3", "- 1"]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_takes_what_has_its_form_and_nothing_else(source: Source, name: str) -> None:
    good, bad = FORMATS[name]
    source.file(c=[*good, *bad, None])
    found = source.verify({"validity": [{"column": "c", "format": name}], "reject_rows": ["validity"]})
    assert found.rejects_path is not None
    rejected = pl.read_parquet(found.rejects_path)[LINE].to_list()
    assert [value for line, value in enumerate([*good, *bad], 2) if line in rejected] == bad
    assert (found.results[0].failed, found.results[0].tested) == (len(bad), len(good) + len(bad))


def test_every_format_of_the_pipeline_file_is_tried_here() -> None:
    from engine.chart.dimensions.validity import FORMATS as known

    assert set(FORMATS) == set(known)


def test_formats_hold_for_columns_that_became_numbers_or_dates(source: Source) -> None:
    source.file(
        cvr=["13585628", "13585629"], day=["01-02-2024", "29-02-2024"], at=["2024-01-01 10:00", None],
        amount=["3.50", "3"], postcode=["8000", "800"],
    ).typed(cvr=INTEGER, day=DANISH_DATE, at=MOMENT, amount=MONEY, postcode=INTEGER)  # fmt: skip
    formats = {"cvr": "cvr", "day": "date", "at": "date", "amount": "integer", "postcode": "postcode"}
    found = source.verify({"validity": [{"column": column, "format": name} for column, name in formats.items()]})
    assert [(r.column, r.failed, r.tested, r.note) for r in found.results] == [
        ("cvr", 1, 2, None), ("day", 0, 2, None), ("at", 0, 1, None), ("amount", 1, 2, None), ("postcode", 1, 2, None),
    ]  # fmt: skip


def test_allowed_values_are_compared_as_what_the_column_holds(source: Source) -> None:
    source.file(
        size=["0.50", "1", "2.00", None], day=["01-02-2024", "02-02-2024", None, None], word=["ja", "nej", "it's", "Ja"]
    ).typed(size=MONEY, day=DANISH_DATE)
    found = source.verify({"validity": [
        {"column": "size", "values": [0.5, "1"]}, {"column": "size", "values": ["small"]},
        {"column": "day", "values": ["2024-02-01"]}, {"column": "day", "values": ["01-02-2024"]},
        {"column": "word", "values": ["ja", "it's"]},
    ]})  # fmt: skip
    assert [(r.failed, r.tested) for r in found.results] == [(1, 3), (3, 3), (1, 2), (1, 2), (2, 4)]
    assert [r.check for r in found.results][::2] == ["size is one of 2 values", "day is 2024-02-01",
                                                     "word is one of 2 values"]  # fmt: skip


def test_a_range_includes_its_ends_and_text_that_is_no_number_is_outside(source: Source) -> None:
    source.file(n=["0", "1", "10", "11", None], t=["0", "1", "10", "many", None]).typed(n=INTEGER)
    found = source.verify({"validity": [
        {"column": "n", "min": 1}, {"column": "n", "max": 10}, {"column": "n", "min": 1, "max": 10},
        {"column": "t", "min": 1}, {"column": "n", "min": 1234567.89},
    ]})  # fmt: skip
    assert [r.failed for r in found.results] == [1, 1, 2, 2, 4]
    assert [r.check for r in found.results] == [
        "n is at least 1", "n is at most 10", "n is from 1 to 10", "t is at least 1", "n is at least 1234567.89",
    ]  # fmt: skip


def test_a_pattern_is_matched_with_the_text_as_it_stands_in_the_source(source: Source) -> None:
    source.file(day=["01-02-2024", "02-02-2024"], sku=["AB-1", "xAB-1x"]).typed(day=DANISH_DATE)
    found = source.verify({"validity": [
        {"column": "day", "regex": r"\d{2}-\d{2}-\d{4}"}, {"column": "sku", "regex": "[A-Z]+-[0-9]"},
    ]})  # fmt: skip
    assert [(r.failed, r.tested) for r in found.results] == [(0, 2), (1, 2)]


# Accuracy and consistency


def test_an_expression_is_not_tested_where_it_is_null(source: Source) -> None:
    source.file(a=["1", "2", "3", None], b=["2", "1", None, None]).typed(a=INTEGER, b=INTEGER)
    found = source.one({"consistency": {"expression": " b >= a "}})
    assert (found.check, found.failed, found.tested) == ("b >= a", 1, 2)
    assert source.counts({"accuracy": {"expression": "abs(a - b) < 1 or a = 3"}}) == (2, 3)


def test_dates_and_times_are_compared_as_such(source: Source) -> None:
    source.file(
        day=["31-01-2024", "01-02-2024"], at=["2024-02-01 00:30", "2024-02-01 00:30"], text=["2024-02-02", "x"]
    ).typed(day=DANISH_DATE, at=MOMENT)
    assert source.counts({"consistency": {"expression": "day < date '2024-02-01'"}}) == (1, 2)
    assert source.counts({"consistency": {"expression": "at >= day"}}) == (0, 2)
    assert source.counts({"consistency": {"expression": "try_cast(text as date) > day"}}) == (0, 1)


def test_a_reference_is_looked_up_in_what_the_other_dataset_published(source: Source) -> None:
    source.file(customer=["C1", "C2", "C2", "C9", None]).published("customers", customer=["C1", "C2", "C3"])
    found = source.verify(
        {"consistency": {"column": "customer", "references": "customers.customer"}, "reject_rows": ["consistency"]}
    )
    assert found.results[0].check == "customer is in customers.customer"
    assert (found.results[0].failed, found.results[0].tested) == (1, 4)
    assert [(c["reason"], c["rows"], c["lines"]) for c in found.causes] == [
        ("customer is not in customers.customer", 1, [(0, 5)])
    ]


def test_masked_values_are_compared_with_masked_ones(source: Source) -> None:
    source.file(email=["A@b.dk", "x@y.dk"]).published("customers", masked=["email"], email=["h_a@b.dk"])
    rule = {"accuracy": {"column": "email", "matches": "customers.email"}}
    assert source.counts(rule) == (1, 2)
    source.published("customers", email=["h_a@b.dk"])
    assert source.counts(rule) == (2, 2)


def test_references_compare_numbers_as_numbers_and_others_as_text(source: Source) -> None:
    source.file(n=["1", "2"], price=["1.50", "2"], t=["1", "02"], day=["01-02-2024", "02-02-2024"]).typed(
        n=INTEGER, price=MONEY, day=DANISH_DATE
    )
    day = pl.Series(["2024-02-01"]).str.to_date()
    source.published("a", n=pl.Series(["1.00"]).cast(pl.Decimal(18, 2)), t=["1"], i=[1], d=day.cast(pl.Date))
    source.published("b", price=pl.Series(["1.5000", "2.0000"]).cast(pl.Decimal(18, 4)), f=[1.5, 7.0])
    for column, target, failed in (
        ("n", "a.n", 1), ("n", "a.t", 1), ("t", "a.i", 1), ("day", "a.d", 1),
        ("price", "b.price", 0), ("price", "b.f", 1),
    ):  # fmt: skip
        assert source.counts({"consistency": {"column": column, "references": target}}) == (failed, 2), target


def test_a_dataset_may_reference_itself(source: Source) -> None:
    source.file(id=["1", "2", "3"], boss=[None, "1", "7"]).typed(id=INTEGER, boss=INTEGER)
    assert source.counts({"consistency": {"column": "boss", "references": "orders.id"}}) == (1, 2)


def test_a_dataset_that_is_not_published_yet_is_waited_for(source: Source) -> None:
    source.file(customer=["C1"])
    rule = {"consistency": {"column": "customer", "references": "customers.id"}, "reject_rows": ["consistency"]}
    found = source.verify(rule)
    assert (found.results[0].tested, found.results[0].note) == (0, "waits for customers")
    assert score.scores(found.results).dimensions["consistency"] is None
    assert found.rejected == 0


def test_a_published_dataset_without_rows_or_files_has_no_value(source: Source) -> None:
    source.file(customer=["C1"]).published("customers", id=pl.Series([], dtype=pl.Int64))
    assert source.counts({"consistency": {"column": "customer", "references": "customers.id"}}) == (1, 1)
    source.others["customers"] = Table("customers", (), {"id": "VARCHAR"})
    assert source.counts({"consistency": {"column": "customer", "references": "customers.id"}}) == (1, 1)


def test_a_column_that_the_other_dataset_lacks_is_a_mistake_of_the_file(source: Source) -> None:
    source.file(customer=["C1"]).published("customers", id=["C1"])
    with pytest.raises(BadPipeline, match=r"`orders\.yml`: `customers` has no column `nr`") as caught:
        source.verify({"consistency": {"column": "customer", "references": "customers.nr"}})
    assert caught.value.hint == "It has: id."


# Timeliness


@pytest.mark.parametrize(
    ("hours", "points", "note"),
    [
        (0, 100, None),
        (24, 100, None),
        (30, 75, "the newest row is 30 h old, 24 h allowed"),
        (36, 50, "the newest row is 36 h old, 24 h allowed"),
        (48, 0, "the newest row is 48 h old, 24 h allowed"),
        (5000, 0, "the newest row is 5,000 h old, 24 h allowed"),
        (-5, 100, None),
    ],
)
def test_timeliness_falls_from_the_age_allowed_to_twice_that(
    source: Source, hours: int, points: float, note: str | None
) -> None:
    source.file(at=["2026-01-01 12:00", "2026-02-01 12:00", None]).typed(at=MOMENT)
    newest = datetime(2026, 2, 1, 11, 0, tzinfo=UTC)  # twelve in Copenhagen
    found = source.one({"timeliness": {"column": "at", "max_age_hours": 24}}, newest + timedelta(hours=hours))
    assert score.scores([found]).dimensions["timeliness"] == pytest.approx(points)
    assert found.note == note


def test_timeliness_takes_dates_and_says_so_where_there_are_none(source: Source) -> None:
    source.file(day=["2026-02-28"], word=["x"], none=[None]).typed(day=DATE, none=MOMENT)
    rule = {"max_age_hours": 100}
    assert source.one({"timeliness": {"column": "day", **rule}}).failed == 0
    assert source.one({"timeliness": {"column": "word", **rule}}).note == "word holds text, no times"
    found = source.one({"timeliness": {"column": "none", **rule}})
    assert (found.tested, found.note) == (0, "no row to test")


# What must not go wrong

EVERYTHING = {
    "completeness": ["a"],
    "uniqueness": ["a", {"columns": ["a", "b"]}],
    "validity": [{"column": "a", "min": 1}, {"column": "b", "format": "email"}],
    "accuracy": [{"expression": "a > 0"}],
    "consistency": [{"expression": "b <> 'x'"}],
    "timeliness": {"column": "at", "max_age_hours": 1},
    "reject_rows": ["completeness", "uniqueness", "validity", "accuracy", "consistency"],
}


def test_an_empty_table_is_not_measured(source: Source) -> None:
    source.file(a=[], b=[], at=[]).typed(a=INTEGER, at=MOMENT)
    found = source.verify(EVERYTHING)
    assert [(r.failed, r.tested, r.note) for r in found.results] == [(0, 0, "no row to test")] * 8
    assert (found.rejected, found.causes, found.rejects_path) == (0, [], None)
    assert score.scores(found.results).overall is None


def test_no_file_at_all_is_not_measured(source: Source) -> None:
    source.typed(a=INTEGER, b=TEXT, at=MOMENT)
    assert {r.tested for r in source.verify(EVERYTHING).results} == {0}


def test_no_rule_is_no_result(source: Source) -> None:
    found = source.file(a=["1"]).verify({})
    assert (found.results, found.rejected) == ([], 0)


def test_a_rule_that_cannot_be_computed_spoils_no_other(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    source.file(a=["1", "1", "hemmelig"], n=["0", "1", "2"]).typed(n=INTEGER)
    caplog.set_level(logging.DEBUG)
    broken = ["no_such_function(a)", "unnest([1]) = 1"]
    found = source.verify({
        "completeness": ["a"], "uniqueness": ["a"], "validity": [{"column": "a", "regex": "("}],
        "accuracy": [{"expression": "cast(a as integer) > 0"}, {"expression": "1 // n >= 0"}],
        "consistency": [{"expression": expression} for expression in (*broken, "n < 2")],
        "reject_rows": ["uniqueness", "validity", "accuracy", "consistency"],
    })  # fmt: skip
    assert [(r.failed, r.tested, r.note) for r in found.results] == [
        (0, 3, None),
        (1, 3, None),
        (0, 0, "InvalidInput error in the rule"),
        (0, 0, "it could not be computed: a value cannot be converted to INT32."),
        (0, 0, "it could not be computed: it divides by zero; nullif(x, 0) makes that null."),
        (0, 0, "Catalog error in the rule"),
        (0, 0, "Binder error in the rule"),
        (1, 3, None),
    ]
    assert [(c["reason"], c["lines"]) for c in found.causes] == [
        ("duplicate key", [(0, 3)]),
        ("n < 2 does not hold", [(0, 4)]),
    ]
    assert "hemmelig" not in caplog.text + str(found)


def test_rejected_rows_are_told_by_the_first_rule_they_break_with_five_lines(source: Source) -> None:
    many = ["x"] * 7
    source.rows({"id": [str(n) for n in range(7)], "mail": many}, 2).rows(
        {"id": ["9", "9"], "mail": ["a@b.dk", "y"]}, 100
    )
    found = source.verify({
        "uniqueness": "id", "validity": [{"column": "mail", "format": "email"}],
        "reject_rows": ["validity", "uniqueness"],
    })  # fmt: skip
    assert found.rejected == 8
    assert found.causes == [
        {"reason": "duplicate key", "rule": "id is unique", "column": "id", "rows": 1, "lines": [(1, 101)]},
        {
            "reason": "mail does not look like an e-mail address", "rule": "mail looks like an e-mail address",
            "column": "mail", "rows": 7, "lines": [(0, 2), (0, 3), (0, 4), (0, 5), (0, 6)],
        },
    ]  # fmt: skip
    assert found.rejects_path is not None
    rejects = pl.read_parquet(found.rejects_path)
    assert rejects.select("file", LINE).rows() == [*((0, line) for line in range(2, 9)), (1, 101)]
    assert [r.failed for r in found.results] == [1, 8]  # measured before rejection


def test_files_of_a_glob_may_have_other_columns_in_another_order(source: Source) -> None:
    source.file(a=["1", "2"], b=["x", "y"]).file(c=["z"], a=["3"]).typed(a=INTEGER)
    assert source.counts({"completeness": "b"}) == (1, 3)
    assert source.counts({"completeness": "c"}) == (2, 3)
    assert source.counts({"validity": [{"column": "a", "max": 2}]}) == (1, 3)


def test_a_column_written_in_two_ways_is_told(source: Source) -> None:
    source.file(Email=["a"]).file(email=["b"])
    with pytest.raises(SourceUnreadable, match="one column in 2 ways"):
        source.verify({})


NAMES = [
    "e mail", "it's", "æøå ÆØÅ", "select", "order", "rows", "_file", "_row", "_at_0", "file", "cause", "value", "text",
    "_rejected", "a.b", "a,b", "(x)", "x; drop view rows", "--", "/* x */", "{{x}}", "$x", "#", "%s", "\\", "`", "[0]",
    "😀", "\u2028", "\x85", "ﬁ", "null", "1", "yes", "~", "&a", "*a", "!x", "a: b", "a # b", "'", " ", "x" * 200,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_column_may_have_any_name(source: Source, name: str) -> None:
    source.rows({name: ["1", "2", "2", None], "at": ["2026-03-01 10:00"] * 4}).typed(at=MOMENT, **{name: INTEGER})
    quoted = '"' + name + '"'
    found = source.verify({
        "completeness": [name], "uniqueness": [name, {"columns": [name, "at"]}],
        "validity": [{"column": name, "min": 2}, {"column": name, "regex": "[0-9]"}],
        "consistency": [{"expression": f"{quoted} = 1"}, {"column": name, "references": f"orders.{name}"}],
        "timeliness": {"column": "at", "max_age_hours": 24}, "reject_rows": ["uniqueness", "completeness"],
    }, key=[name])  # fmt: skip
    assert [(r.failed, r.tested) for r in found.results] == [
        (1, 4), (1, 3), (1, 3), (1, 3), (0, 3), (2, 3), (0, 3), (0, 1)
    ]  # fmt: skip
    assert found.rejected == 2


@pytest.mark.parametrize(
    "contract",
    [
        {"completeness": "nope"},
        {"uniqueness": "nope"},
        {"uniqueness": [{"columns": ["a", "nope"]}]},
        {"validity": [{"column": "nope", "min": 1}]},
        {"accuracy": {"column": "nope", "matches": "b.c"}},
        {"consistency": {"column": "nope", "references": "b.c"}},
        {"timeliness": {"column": "nope", "max_age_hours": 1}},
    ],
)
def test_a_rule_for_a_column_that_is_not_there_names_the_file_and_the_columns(
    source: Source, contract: dict[str, Any]
) -> None:
    with pytest.raises(BadPipeline, match=r"`orders\.yml` names the column `nope`") as caught:
        source.file(a=["1"], Nope=["2"]).verify(contract)
    assert caught.value.hint == "It has: a, Nope."


def test_a_key_a_subject_or_a_masking_decision_for_a_column_that_is_not_there_is_told(source: Source) -> None:
    source.file(a=["1"])
    for more in ({"key": ["b"]}, {"subject": {"customer": "b"}}, {"privacy": {"columns": {"b": "hash"}}}):
        with pytest.raises(BadPipeline, match="names the column `b`"):
            source.verify({}, **more)


def test_an_expression_that_is_none_names_the_file(source: Source) -> None:
    with pytest.raises(BadPipeline, match=r"`orders\.yml`: `a in \(select 1\)` may hold only columns"):
        source.file(a=["1"]).verify({"consistency": {"expression": "a in (select 1)"}})


def test_no_variable_reaches_soda(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hemmelig")
    name = "${env.SECRET}"
    source.rows({"a": ["1"], name: ["1"]})
    for contract in (
        {"consistency": {"expression": "a = '${env.SECRET}'"}},
        {"consistency": {"expression": f'"{name}" = 1'}},
        {"validity": [{"column": "a", "values": ["${env.SECRET}"]}]},
        {"validity": [{"column": "a", "regex": "x${2}"}]},
        {"completeness": [name]},
        {"uniqueness": [name]},
        {"uniqueness": [{"columns": ["a", name]}]},
        {"consistency": {"column": name, "references": "orders.a"}},
    ):
        with pytest.raises(BadPipeline, match="Soda would take for a variable") as caught:
            source.verify(contract)
        assert "hemmelig" not in str(caught.value)


def test_soda_tells_nobody_and_reads_no_env_file(source: Source) -> None:
    source.file(a=["1"]).verify({"completeness": "a"})
    from opentelemetry import trace

    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
    assert not [thread.name for thread in threading.enumerate() if "otel" in thread.name.lower()]
    assert logging.getLogger("soda").level > logging.CRITICAL


def test_the_rows_cannot_be_left_for_another_file(source: Source, tmp_path: Path) -> None:
    """The expressions run in a DuckDB that is shut before the first of them is planned."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nx\n")
    source.file(a=["1"])
    with quality.sandbox.open_duckdb("UTC") as connection:
        data = quality._Data(connection, "orders", quality.Raw(source.files, source.types, "UTC"), {}, _hashed)
        with pytest.raises(quality.duckdb.PermissionException):
            connection.execute(f"SELECT * FROM rows WHERE a IN (FROM read_csv('{secret}'))")
        assert data.types == source.types
