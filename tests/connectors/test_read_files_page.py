"""What docs/how-to/read-files.md shows is what happens."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from connectors import csv
from connectors._encoding import BYTEWISE
from core import parts
from tests.connectors.reading import reading

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "read-files.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_of_the_page_is_read_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "bank.csv"
    path.write_text(blocks("csv")[0], "utf-8")
    found = reading(csv, path)
    assert found.names == ["Dato", "Tekst", "Beløb", "Tekst_2"]
    assert (len(found.rows), found.rejected) == (2, [(7, "looks like a line of totals")])
    assert found.said == blocks("text")[0].splitlines()


@pytest.mark.parametrize("block", blocks("yaml"))
def test_the_sources_of_the_page_are_valid(block: str) -> None:
    source = YAML(typ="safe").load(block)["source"]
    parts.load("connector", source["connector"]).Source.model_validate(source)


def test_every_encoding_that_can_be_written_is_named() -> None:
    assert all(f"`{name}`" in PAGE for name in BYTEWISE)
