"""The same input gives the same output, whatever the batches, their order and how many work on them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from bench.pii import customers
from core.models import LINE, Verdict
from engine.chart import write
from engine.explore import ingest, profile, sample
from engine.personal import detect
from engine.personal.mask import Masker

ROWS = 4_000  # more than the sample takes
KEY = b"the same"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("table") / "customers.csv"
    customers.write(path, ROWS, customers.templates)
    return pl.read_csv(path, infer_schema=False).with_columns(pl.int_range(2, ROWS + 2).alias(LINE))


def batches(table: pl.DataFrame, size: int) -> Iterator[pa.RecordBatch]:
    for part in table.iter_slices(size):
        yield from (
            part.to_arrow(compat_level=pl.CompatLevel.oldest())
            .cast(pa.schema([(name, pa.int64() if name == LINE else pa.string()) for name in table.columns]))
            .combine_chunks()
            .to_batches()
        )


def charted(
    parts: list[pl.DataFrame], size: int, workers: int, folder: Path
) -> tuple[dict[str, Verdict], pl.DataFrame]:
    """The verdicts, and the rows of all parts by their number."""
    read = [ingest.ingest(batches(part, size), folder, f"{n:05}", lambda _: None) for n, part in enumerate(parts)]
    types = profile.types(profile.merge([r.profile for r in read]))
    verdicts = detect.verdicts(sample.merge([r.sample_file for r in read]), types, {}, {"customer_id"})

    def chart(raw: Path) -> Path:
        target = folder / "charted" / raw.name
        none, zone = write.rejected_rows(None, 0), "Europe/Copenhagen"
        write.charted(raw, none, Masker(verdicts, KEY, zone, {}), types, zone, target, lambda _: None)
        return target

    with ThreadPoolExecutor(workers) as threads:
        files = list(threads.map(chart, [Path(file.path) for r in read for file in r.files]))
    return verdicts, pl.concat(map(pl.read_parquet, files)).sort("customer_id")


@pytest.fixture(scope="module")
def whole(table: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Verdict], pl.DataFrame]:
    found = charted([table], ROWS, 1, tmp_path_factory.mktemp("whole"))
    assert found[0]["notes"].scope == "spans"
    assert found[1]["notes"].str.contains(r"\[PERSON\]").any()
    return found


@pytest.mark.parametrize(("size", "workers"), [(97, 1), (1_000, 1), (97, 2)])
def test_the_batches_and_the_workers_make_no_difference(
    table: pl.DataFrame, whole: tuple[dict[str, Verdict], pl.DataFrame], tmp_path: Path, size: int, workers: int
) -> None:
    verdicts, rows = charted([table], size, workers, tmp_path)
    assert verdicts == whole[0]
    assert_frame_equal(rows, whole[1])


@pytest.mark.parametrize("seed", [1, 2])
def test_the_parts_and_their_order_make_no_difference(
    table: pl.DataFrame, whole: tuple[dict[str, Verdict], pl.DataFrame], tmp_path: Path, seed: int
) -> None:
    shuffled = table.sample(fraction=1, shuffle=True, seed=seed)
    parts = [shuffled.slice(at, 1_300) for at in range(0, ROWS, 1_300)]
    verdicts, rows = charted(parts, 500, 2, tmp_path)
    assert verdicts == whole[0]
    assert_frame_equal(rows, whole[1])
