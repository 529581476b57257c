"""The page about scores shows what is measured."""

import csv
import re
from pathlib import Path

from ruamel.yaml import YAML

from engine.contract import measure, score
from tests.contract.test_marks import Link, Version

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "quality.md"


def test_the_example_of_the_page_scores_what_the_page_says(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    source, contract = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)[0] for kind in ("csv", "yaml"))
    rows = [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(source.splitlines())]
    rows = [{**row, "amount": row.pop("total"), "boss": None, "at": None} for row in rows]
    version = Version(tmp_path, YAML(typ="safe").load(contract.replace("total", "amount")))
    scores = score.scores(measure.measure(version.pipeline, version.raw(rows), tmp_path / "spill", Link()))
    table = re.findall(r"^\| (.*?) \| .*? \| ([^|]*) \|$", page, re.MULTILINE)
    told = {name.strip(): said.strip() for name, said in table}
    for name in ("completeness", "uniqueness", "validity"):
        assert score.text(scores.dimensions[name]) == told[name]
    for name in ("accuracy", "consistency", "timeliness"):
        assert score.text(scores.dimensions[name]) == told["accuracy, consistency, timeliness"]
    assert f"here {score.text(scores.overall)}." in page.replace("\n  ", " ")
