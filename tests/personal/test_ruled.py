"""A ruling says what a column holds, the file what is done with it; what is published is masked as a run would."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import LINE, PERSONAL_TYPES, ColumnType, Ruling, Verdict
from core.pipeline import ColumnPolicy
from engine.chart import write
from engine.explore import profile
from engine.explore.types import text_is_known
from engine.personal import ruled
from engine.personal.detect import verdicts
from engine.personal.mask import Masker

KEY, ZONE = b"k" * 32, "Europe/Copenhagen"
WHEN = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # the 23rd in Copenhagen
TEXT = ColumnType()
KEPT = {"decided": True}


def ruling(type_: str | None, because: str = "") -> Ruling:
    return Ruling(7, "c", type_, because, "anna", WHEN)


def under(
    type_: str | None, policy: ColumnPolicy | None = None, found: Verdict | None = None, *, keyed: bool = False,
    kind: ColumnType = TEXT,
) -> Verdict:  # fmt: skip
    return ruled.ruled(found or Verdict("c"), ruling(type_, "they say so"), policy, keyed, kind, ZONE)


def test_the_reason_says_who_ruled_when_and_why() -> None:
    assert under("PERSON").reason == "ruled PERSON by anna on 2026-11-23: they say so"
    assert under(None).reason == "ruled not personal by anna on 2026-11-23: they say so"


@pytest.mark.parametrize(
    ("type_", "policy", "keyed", "action"),
    [
        ("CPR", None, False, "hash"),
        ("DATE_OF_BIRTH", None, False, "generalize"),
        ("DATE_OF_BIRTH", None, True, "hash"),
        ("CPR", ColumnPolicy(action="redact"), False, "redact"),
        ("CPR", ColumnPolicy(action="keep"), False, "hash"),
        ("CVR", None, True, "keep"),
        (None, None, True, "keep"),
        (None, ColumnPolicy(action="keep"), False, "keep"),
        (None, ColumnPolicy(action="partial"), False, "partial"),
    ],
)
def test_the_file_says_what_is_done_but_a_personal_type_withdraws_its_keep(
    type_: str | None, policy: ColumnPolicy | None, keyed: bool, action: str
) -> None:
    verdict = under(type_, policy, keyed=keyed)
    assert (verdict.action, verdict.scope) == (action, "column")
    assert ("withdraws the keep" in verdict.reason) == (type_ == "CPR" and policy == ColumnPolicy(action="keep"))


def test_without_the_ruling_what_was_found_holds_again() -> None:
    found = Verdict("c", ("PERSON",), 0.9, "many", "hash", {"threshold": 0.3}, "cells")
    again = ruled.ruled(under(None, found=found), ruling("EMAIL"), None, False, TEXT, ZONE)
    assert ruled.ruled(again, None, None, False, TEXT, ZONE) == found


ACTIONS = st.sampled_from(["keep", "partial", "generalize", "hash", "redact"])
SCOPES = st.sampled_from(["column", "cells", "spans"])
KINDS = st.builds(ColumnType, st.sampled_from(["text", "integer", "decimal", "date", "datetime"]))


@given(action=ACTIONS, scope=SCOPES, decided=st.booleans(), type_=st.sampled_from(PERSONAL_TYPES), kind=KINDS)
def test_what_is_done_without_the_raw_rows_never_hides_less(
    action: Any, scope: Any, decided: bool, type_: str, kind: ColumnType
) -> None:
    published = Verdict("c", ("PERSON",), 0.9, "", action, KEPT if decided else {}, scope)
    wanted = under(type_, kind=kind, found=published)
    done = ruled.without_raw_rows(published, wanted, kind)
    assert not ruled.tightens(done, wanted, kind)
    if action == "keep" or scope != "column":
        assert ruled.tightens(published, wanted, kind)
    assert not ruled.tightens(done, done, kind)


def days(form: str) -> st.SearchStrategy[str]:
    def written(day: Any) -> str:
        return form.replace("%Y", f"{day.year:04}").replace("%m", f"{day.month:02}").replace("%d", f"{day.day:02}")

    return st.dates().map(written)


LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
PEOPLE = st.sampled_from(["Ida Holm", " ida.HOLM@example.dk ", "20 12 34 56", "+4520123456", "010203-1234", "102031234",
                          "DK50 0040 0440 1162 43", "A\u030asa", "\u00c5sa", "n/a", "-", "1990-12-31"])  # fmt: skip
WHOLE = st.integers(-(10**17), 10**17).map(str)
COLUMNS = st.one_of(
    *(
        st.lists(st.none() | cell, min_size=1, max_size=20)
        for cell in (LETTERS, PEOPLE, WHOLE, days("%Y-%m-%d"), days("%d-%m-%Y"), days("%d.%m.%Y"),
                     st.sampled_from(["1,50", "1.234,5", "7", "0,25"]), st.sampled_from(["1.5", "2.50", "-3"]),
                     st.sampled_from(["2026-01-01 10:00", "2026-07-01T10:00:30.5"]))
    )
)  # fmt: skip
POLICIES = st.none() | st.sampled_from(
    [ColumnPolicy(action="keep"), ColumnPolicy(action="hash"), ColumnPolicy(action="redact"),
     ColumnPolicy(action="partial"), ColumnPolicy(action="generalize", to="month")]
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(cells=COLUMNS, type_=st.sampled_from(PERSONAL_TYPES), policy=POLICIES, keyed=st.booleans())
def test_what_is_published_is_masked_as_the_next_run_masks_the_raw_rows(
    cells: list[str | None], type_: str, policy: ColumnPolicy | None, keyed: bool
) -> None:
    """Published as it was by decision, for cells that were cleaned are not known any more."""
    kind = profile.Profile.of(frame := pl.DataFrame({"c": cells}, {"c": pl.String})).columns["c"].type()
    found = Verdict("c", (), 0.0, "", "keep", KEPT, "column")
    wanted = under(type_, policy, found, keyed=keyed, kind=kind)
    with TemporaryDirectory() as name:
        folder = Path(name)
        published = charted(folder, frame, found, kind)
        masker = Masker({"c": ruled.without_raw_rows(found, wanted, kind)}, KEY)
        target = folder / "again.parquet"
        write.remasked(published, {"c": found}, masker, {"c": kind}, target, lambda _rows: None)
        again = pl.read_parquet(target)["c"].to_list()
        normal = pl.read_parquet(charted(folder, frame, wanted, kind))["c"].to_list()
    if text_is_known(kind):
        assert again == normal
    else:
        assert again == [None if cell is None else f"[{type_}]" for cell in cells]


def charted(folder: Path, frame: pl.DataFrame, verdict: Verdict, kind: ColumnType) -> Path:
    raw, target = folder / "raw.parquet", folder / f"charted-{verdict.action}.parquet"
    frame.with_columns(pl.int_range(2, len(frame) + 2).alias(LINE)).write_parquet(raw)
    none = write.rejected_rows(None, 0)
    write.charted(raw, none, Masker({"c": verdict}, KEY), {"c": kind}, ZONE, target, lambda _rows: None)
    return target


def test_cells_that_were_masked_before_stay_as_they_are(tmp_path: Path) -> None:
    cells = [f"person{n}@example.dk" for n in range(60)] + ["no address"] * 40
    frame = pl.DataFrame({"c": cells})
    found = verdicts(frame, {"c": TEXT}, {}, set())["c"]
    assert (found.action, found.scope) == ("hash", "cells")
    published = charted(tmp_path, frame, found, TEXT)
    wanted = under("EMAIL", found=found)
    target = tmp_path / "again.parquet"
    write.remasked(published, {"c": found}, Masker({"c": wanted}, KEY), {"c": TEXT}, target, lambda _rows: None)
    assert (
        pl.read_parquet(target)["c"].to_list() == pl.read_parquet(charted(tmp_path, frame, wanted, TEXT))["c"].to_list()
    )


def test_a_shortened_column_that_must_be_hashed_becomes_a_label(tmp_path: Path) -> None:
    published = Verdict("c", ("PERSON",), 1.0, "", "partial", {"decided": True}, "column")
    done = ruled.without_raw_rows(published, under("PERSON", found=published), TEXT)
    file = charted(tmp_path, pl.DataFrame({"c": ["Ida Holm", None]}), published, TEXT)
    target = tmp_path / "again.parquet"
    write.remasked(file, {"c": published}, Masker({"c": done}, KEY), {"c": TEXT}, target, lambda _rows: None)
    assert pl.read_parquet(target)["c"].to_list() == ["[PERSON]", None]
    assert "label until the next run" in done.reason
