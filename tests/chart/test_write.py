"""Charted files: masked, and in their types."""

from pathlib import Path

import polars as pl
import pytest

from core.models import LINE, ColumnType
from engine.chart.write import charted, rejected_rows
from engine.personal.detect import verdicts
from engine.personal.mask import Masker

KEY = b"k" * 32
CARD = 4111111111111111
SOME = ["010203-1234", "4111111111111111"]


def written(folder: Path, frame: pl.DataFrame, types: dict[str, ColumnType], sample: pl.DataFrame) -> pl.DataFrame:
    raw, target = folder / "raw.parquet", folder / "charted.parquet"
    frame.with_columns(pl.int_range(2, len(frame) + 2).alias(LINE)).write_parquet(raw)
    masker = Masker(verdicts(sample, types, {}, set()), KEY)
    charted(raw, rejected_rows(None, 0), masker, types, "Europe/Copenhagen", target, lambda _rows: None)
    return pl.read_parquet(target)


def test_a_number_among_numbers_is_never_lost_for_looking_like_a_card(tmp_path: Path) -> None:
    numbers = pl.DataFrame({"order_no": [str(n) for n in range(900)]})
    frame = pl.DataFrame({"order_no": ["7", str(CARD), None]})
    out = written(tmp_path, frame, {"order_no": ColumnType("integer")}, numbers)
    assert out["order_no"].to_list() == [7, CARD, None]


@pytest.mark.parametrize(("header", "first"), [("cpr", 1010190000), ("kortnummer", CARD)])
def test_a_column_of_personal_numbers_is_masked_whatever_its_type(tmp_path: Path, header: str, first: int) -> None:
    frame = pl.DataFrame({header: [str(first + n) for n in range(300)]})
    out = written(tmp_path, frame, {header: ColumnType("integer")}, frame)
    assert out[header].str.starts_with("h_").all()


def test_text_beside_numbers_is_still_masked_cell_by_cell(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": ["1", "2"], "felt": SOME})
    out = written(tmp_path, frame, {"id": ColumnType("integer"), "felt": ColumnType()}, frame)
    assert out["id"].to_list() == [1, 2]
    assert not set(out["felt"]) & set(SOME)
