"""What Atlas publishes is what the source holds, or it says what is not: over made sources, of each family.

A failure prints how to see the sources and the answers: `python -m tests.differential csv --seed 7 --only 123`.
"""

import pytest

from tests.differential import csv_files, postgres_tables, rest_lists
from tests.differential.__main__ import run

SHORT, LONG = 7, 1  # seeds


def judged(family: str, many: int, seed: int) -> None:
    report = run(family, range(many), seed)
    if report.different:
        pytest.fail(f"\n{report}", pytrace=False)


def test_csv_files_are_published_as_they_are_or_something_is_said() -> None:
    judged("csv", 36, SHORT)


def test_rest_lists_are_published_as_they_are_or_something_is_said() -> None:
    judged("rest", 8, SHORT)


@pytest.mark.services
def test_postgres_tables_are_published_as_they_are_or_something_is_said(url: str) -> None:
    judged("postgres", 8, SHORT)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_2000_csv_files() -> None:
    judged("csv", csv_files.COUNT, LONG)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_300_rest_lists() -> None:
    judged("rest", rest_lists.COUNT, LONG)


@pytest.mark.long
@pytest.mark.services
@pytest.mark.timeout(3600)
def test_300_postgres_tables(url: str) -> None:
    judged("postgres", postgres_tables.COUNT, LONG)
