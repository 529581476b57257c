"""No value is changed on the way: what is published is what stood in the file, for columns that are not masked."""

import csv
import io
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.pipeline import Pipeline
from core.settings import load
from engine.home import Home, open_home
from engine.runs import course
from engine.runs.worker import Worker
from engine.store import datasets, runs
from engine.store.tables import Run
from tests.homes import prepare
from tests.program import HANGS

NUMBERS = st.integers(-(10**20), 10**20).map(str) | st.decimals(-(10**6), 10**6, places=2).map(str)
DAYS = st.dates().map(str) | st.sampled_from(["2026-02-30", "00123", "+45", "1e5", "NULL", "true", " 7", "h_x"])
LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
CELLS = LETTERS | NUMBERS | DAYS
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # each example is a whole run: shrinking takes too long
COLUMNS = ("kind", "amount", "remark")


@st.composite
def columns_of_cells(draw: st.DrawFn) -> list[list[str]]:
    """Rows of three cells; a column may hold one kind of value only, so that it gets a type."""
    size = draw(st.integers(0, 30))
    kinds = [draw(st.sampled_from([LETTERS, NUMBERS, DAYS, CELLS, st.integers(0, 10**17).map(str)])) for _ in COLUMNS]
    cells = [draw(st.lists(kind, min_size=size, max_size=size)) for kind in kinds]
    return [list(row) for row in zip(*cells, strict=True)]


RAGGED = st.lists(LETTERS, min_size=4, max_size=6) | st.lists(LETTERS, min_size=2, max_size=2)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("rows")
    (folder / "pipelines" / "navigate").mkdir(parents=True)
    prepare(folder / "home")
    opened = open_home(load({"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(folder / "pipelines")}))
    yield opened
    opened.database.close()


def run(home: Home, worker: Worker, definition: Pipeline) -> Run:
    """A run to its end."""
    with home.database.write() as db:
        number = course.start(db, definition, "anna", full=True)[0].id
    worker.wake()
    end = time.monotonic() + HANGS
    while time.monotonic() < end:
        with home.database.read() as db:
            found = runs.get(db, number)
        if found.state not in runs.ACTIVE:
            return found
        time.sleep(0.01)
    raise AssertionError("The run did not end.")


def published(home: Home, name: str) -> list[tuple[object, ...]]:
    """The rows of the current version, every value as text; decimals as such, for 5 and 5.00 are the same."""
    with home.database.read() as db:
        table = datasets.table(db, *datasets.get(db, name))
    if not table.files:
        return []
    columns = ", ".join(
        f'"{column}"' if kind.startswith("DECIMAL") else f'CAST("{column}" AS VARCHAR)'
        for column, kind in table.columns.items()
    )
    return duckdb.connect().execute(f"SELECT {columns} FROM read_parquet(?)", [[*map(str, table.files)]]).fetchall()


def definition(home: Home, **more: object) -> Pipeline:
    return Pipeline(
        name="things",
        owner="web-team",
        source={"connector": "csv", "path": "things-*.csv", "delimiter": ",", "encoding": "utf-8", "header": True},
        privacy={"columns": dict.fromkeys(COLUMNS, "keep")},
        max_rejected_percent=100,  # a made-up file may be wrong from end to end
        **more,
    )


@settings(max_examples=20, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(
        st.tuples(columns_of_cells(), st.lists(st.tuples(st.integers(0, 30), RAGGED), max_size=3)),
        min_size=1,
        max_size=2,
    )
)
def test_every_row_of_every_file_is_published_as_it_was_or_rejected(
    home: Home, worker: Worker, files: list[tuple[list[list[str]], list[tuple[int, list[str]]]]]
) -> None:
    folder = home.settings.pipelines
    for old in folder.glob("things-*.csv"):
        old.unlink()
    for number, (rows, ragged) in enumerate(files):
        lines = list(rows)
        for place, row in ragged:
            lines.insert(min(place, len(lines)), row)
        written(folder / f"things-{number}.csv", lines)
    done = run(home, worker, definition(home))
    assert (done.state, done.error) == ("succeeded", None)
    good = [tuple(cell or None for cell in row) for rows, _ in files for row in rows]
    bad = sum(len(ragged) for _, ragged in files)
    assert (done.rows_in, done.rows_out, done.rows_rejected) == (len(good) + bad, len(good), bad)
    found = published(home, "things")
    assert found == [
        tuple(Decimal(cell) if cell and isinstance(value, Decimal) else cell for cell, value in zip(*pair, strict=True))
        for pair in zip(good, found, strict=True)
    ]


def written(path: Path, rows: list[list[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


@settings(max_examples=8, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amounts=st.lists(st.one_of(st.none(), st.integers(-5, 5)), max_size=40),
    keys=st.lists(st.integers(0, 30), max_size=40),
)
def test_rows_that_break_a_hard_rule_are_rejected_and_all_others_published(
    home: Home, worker: Worker, amounts: list[int | None], keys: list[int]
) -> None:
    folder = home.settings.pipelines
    for old in folder.glob("things-*.csv"):
        old.unlink()
    rows = [[str(key), "" if amount is None else str(amount), "x"] for key, amount in zip(keys, amounts, strict=False)]
    written(folder / "things-0.csv", rows)
    quality = {
        "uniqueness": ["kind"],
        "validity": [{"column": "amount", "min": 0}],
        "reject_rows": ["uniqueness", "validity"],
    }
    done = run(home, worker, definition(home, key=["kind"], quality=quality))
    seen: set[str] = set()
    good = []
    for row in rows:
        first = row[0] not in seen
        seen.add(row[0])
        if first and not (row[1] and int(row[1]) < 0):
            good.append(tuple(cell or None for cell in row))
    assert (done.state, done.rows_in, done.rows_out, done.rows_rejected) == (
        "succeeded", len(rows), len(good), len(rows) - len(good)
    )  # fmt: skip
    assert published(home, "things") == good
