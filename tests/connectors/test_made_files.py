"""Files made at random, whose truth is known, are read as they are, refused, or read differently and said so."""

from collections import Counter
from pathlib import Path

import pytest

from core.errors import AtlasError
from tests.connectors.made_files import made
from tests.connectors.test_exports import read


def outcomes(folder: Path, seeds: range) -> tuple[Counter[str], list[object]]:
    """How many files were read as they are, refused, or told to be uncertain; and how those are made that were not."""
    counts: Counter[str] = Counter()
    silent: list[object] = []
    for seed in seeds:
        file = made(seed)
        path = folder / "made.csv"
        path.write_bytes(file.content)
        try:
            names, rows, rejects, said = read(path)
        except AtlasError:
            counts["refused"] += 1
            continue
        if (names, rows, len(rejects.lines)) == (file.names, file.rows, file.no_rows):
            counts["as it is"] += 1
        elif said:
            counts["uncertain, and said"] += 1
        else:
            silent.append(file.how)
    return counts, silent


def test_no_file_is_silently_read_as_something_else(tmp_path: Path) -> None:
    counts, silent = outcomes(tmp_path, range(150))
    assert not silent
    assert counts["as it is"] >= 145, counts


@pytest.mark.long
def test_no_file_of_thousands_is_silently_read_as_something_else(tmp_path: Path) -> None:
    counts, silent = outcomes(tmp_path, range(150, 4000))
    assert not silent
    assert counts["as it is"] >= 0.98 * 3850, counts
