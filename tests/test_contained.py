"""A model that would run for hours ends when its run is cancelled."""

import time
from pathlib import Path

import duckdb
import polars as pl
import pytest

from core.errors import Cancelled
from core.models import Table
from engine.navigate import build
from engine.navigate.models import Model


def test_a_cancelled_run_does_not_wait_for_an_endless_query(tmp_path: Path) -> None:
    pl.DataFrame({"id": range(3000)}).write_parquet(tmp_path / "t.parquet")
    table = Table("t", (tmp_path / "t.parquet",), {"id": "BIGINT"}, rows=3000)
    endless = "select count(*) as n from t a, t b, t c, t d where a.id + b.id + c.id + d.id = 7"
    model = Model("endless", endless, "", ("t",))
    start = time.monotonic()

    def wanted() -> None:
        if time.monotonic() - start > 0.5:
            raise Cancelled("Run `#1` was cancelled.")

    with pytest.raises(Cancelled):
        build.build(model, {"t": table}, tmp_path / "endless.parquet", "UTC", wanted)


def test_an_interruption_by_somebody_else_stays_what_it_is() -> None:
    from engine.interrupt import stopped_by

    with duckdb.connect() as connection, pytest.raises(duckdb.InterruptException), stopped_by(connection, lambda: None):
        raise duckdb.InterruptException("by hand")
