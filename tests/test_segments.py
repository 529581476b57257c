"""`why` says what the rows have in common that fail."""

from pathlib import Path

import polars as pl

from core.models import Table
from engine.contract.segments import shared_by_empty


def table(folder: Path, rows: int, **columns: list[str | None]) -> Table:
    path = folder / "rows.parquet"
    pl.DataFrame({name: cells[:rows] for name, cells in columns.items()}).write_parquet(path)
    return Table("kunder", (path,), dict.fromkeys(columns, "VARCHAR"), rows=rows)


def test_a_value_that_all_rows_share_whose_column_is_empty_is_told(tmp_path: Path) -> None:
    source = ["telefon", "web", "butik"] * 100
    mail = [None if one == "telefon" else f"h_{n}" for n, one in enumerate(source)]
    found = shared_by_empty(
        table(tmp_path, 300, mail=mail, kilde=source, land=["dk"] * 300, nr=[str(n) for n in range(300)]),
        "mail", ["kilde", "land", "nr"],
    )  # fmt: skip
    assert found is not None
    assert found.told(value=True) == "All 100 have kilde = telefon"
    assert found.told(value=False) == "All 100 have the same value of kilde"
    mail[1] = mail[2] = " "
    found = shared_by_empty(table(tmp_path, 300, mail=mail, kilde=source), "mail", ["kilde"])
    assert found is not None
    assert found.told(value=True) == "100 of 102 have kilde = telefon"


def test_what_few_rows_or_most_rows_share_is_not_told(tmp_path: Path) -> None:
    few = table(tmp_path, 12, mail=[None] * 9 + ["x"] * 3, kilde=["telefon"] * 9 + ["web"] * 3)
    assert shared_by_empty(few, "mail", ["kilde"]) is None
    usual = ["web"] * 95 + ["telefon"] * 5
    most = table(tmp_path, 100, mail=[None if n % 2 else "x" for n in range(100)], kilde=usual)
    assert shared_by_empty(most, "mail", ["kilde"]) is None
    assert shared_by_empty(most, "mail", []) is None
