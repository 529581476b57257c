"""What is published of columns whose values are known: these values, or text and a word to people. Nothing else."""

from collections import Counter
from pathlib import Path
from random import Random

import polars as pl
import pytest

from core.models import LINE, RawFile
from engine.explore import decide, fit, profile, sample
from engine.explore.decide import Decided, Known
from engine.explore.types import is_missing, parse
from tests.explore import written
from tests.explore.written import COUNTRIES, Country, Written

SHORT, LONG = 60, 1500  # files; a long test has more
WHOLE = ("whole", "whole, signed", "snowflake", "38 digits", "thousands", "thousands and less")


def decided(folder: Path, columns: dict[str, list[str | None]], known: Known | None = None) -> Decided:
    """The types of a file of such columns, read in batches and kept in two raw files."""
    rows = len(next(iter(columns.values())))
    frame = pl.DataFrame({**columns, LINE: range(rows)}, {**dict.fromkeys(columns, pl.String), LINE: pl.Int64})
    parts = [frame.head(rows // 3), frame.tail(rows - rows // 3)]
    for number, part in enumerate(parts):
        part.write_parquet(folder / f"{number}.parquet")
        sample.take(part).write_parquet(folder / f"{number}-sample.parquet")
    whole = profile.merge(profile.Profile.of(part) for part in parts)
    rows_of_it = sample.merge([folder / f"{number}-sample.parquet" for number in range(len(parts))])
    files = [RawFile(str(folder / f"{number}.parquet"), len(part)) for number, part in enumerate(parts)]
    return decide.decide(whole, rows_of_it, lambda asked: fit.look(files, asked, lambda: None), known or Known("a"))


def faults(name: str, column: Written, made: Decided) -> str | None:
    """What is silently wrong with a column, if anything is."""
    kind = made.types[name]
    if kind.kind == "text":
        return None
    frame = pl.DataFrame({"c": column.cells}, {"c": pl.String})
    values = frame.select(parse(pl.col("c"), kind, "Europe/Copenhagen"))["c"].to_list()
    missing = frame.select(is_missing(pl.col("c")).fill_null(value=True))["c"].to_list()
    rejected = {n for n, value in enumerate(values) if value is None and not missing[n]}
    if len(rejected) != made.bad.get(name, 0):
        return f"{len(rejected)} cells are rejected, {made.bad.get(name, 0)} are told"
    if rejected - column.wrong:
        return f"good cells are rejected: {[column.cells[n] for n in sorted(rejected - column.wrong)[:3]]}"
    read = [str(value) if column.is_text and value is not None else value for value in values]
    pairs = enumerate(zip(column.cells, read, column.values, strict=True))
    wrong = [row for n, row in pairs if row[1] != row[2] and not (row[1] is None and (n in column.wrong or missing[n]))]
    # a mistake that is a value of the type by chance cannot be seen
    wrong = [w for w in wrong if w[0] not in written.MISTAKES]
    return f"as {kind}: {wrong[:3]}" if wrong else None


def one_file(random: Random, folder: Path) -> tuple[Country, dict[str, Written], Decided]:
    country, rows = random.choice(COUNTRIES), random.choice([3, 12, 60, 250])
    columns = {f"c{n}": written.column(random, country, rows) for n in range(random.randint(1, 8))}
    return country, columns, decided(folder, {name: column.cells for name, column in columns.items()})


@pytest.mark.parametrize("files", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_what_is_published_is_what_was_written_or_people_are_told(tmp_path: Path, files: int) -> None:
    silent, typed, told = [], Counter[str](), Counter[str]()
    for seed in range(files):
        country, columns, made = one_file(Random(seed), tmp_path)
        for name, column in columns.items():
            if fault := faults(name, column, made):
                silent.append((seed, country.name, column.kind, fault))
            if column.is_text:
                continue
            (typed if made.types[name].kind != "text" else told)[column.kind] += 1
            codes = column.kind in WHOLE and column.wrong  # as 12B is
            much = not codes and len(column.wrong) * 4 < len(column.cells) and any(column.values)
            if made.types[name].kind == "text" and name not in made.told and much:
                silent.append((seed, country.name, column.kind, "is text without a word"))
    assert not silent, silent[:20]
    assert typed.total() > 3 * told.total(), (typed, told)
