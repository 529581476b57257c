"""Rows in = rows out + rejected, whatever stands in the file."""

import asyncio
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atlas.embedded import Embedded
from core.settings import load
from tests.homes import prepare

RULES = """name: things
owner: tests
source: {connector: csv, path: things.csv, header: true, delimiter: ",", encoding: utf-8}
quality:
  uniqueness: [id]
  validity: [{column: id, min: 3}]
  reject_rows: [validity, uniqueness]
max_rejected_percent: 100
"""
CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
ROW = st.lists(CELL, min_size=1, max_size=4)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    folder = tmp_path_factory.mktemp("rows")
    (folder / "things.yml").write_text(RULES, encoding="utf-8")
    prepare(folder / "home")
    embedded = Embedded(load({"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(folder)}))
    yield embedded
    embedded.close()


def run(atlas: Embedded, text: str) -> dict[str, Any]:
    async def conversation() -> dict[str, Any]:
        async with atlas.client() as http:
            answer = (await http.post("/api/v1/runs", json={"pipeline": "things", "full": True})).json()
            while answer["state"] in ("queued", "running"):
                params = {"seen": answer["revision"], "wait": 20}
                answer = (await http.get(f"/api/v1/runs/{answer['run']}", params=params)).json()
            return dict(answer)

    (Path(atlas.home.settings.pipelines) / "things.csv").write_text(text, encoding="utf-8", newline="")
    return asyncio.run(conversation())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, max_size=12), loose=st.lists(st.sampled_from(["a,b,c,d,e", "x", "1,2", '3,"4']), max_size=3))
def test_rows_in_are_rows_out_and_rejected(atlas: Embedded, rows: list[list[str]], loose: list[str]) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([["id", "a", "b"], *rows])
    answer = run(atlas, file.getvalue() + "".join(f"{line}\n" for line in loose))
    assert answer["state"] == "succeeded", answer["error"]
    assert answer["rows_in"] == answer["rows_out"] + answer["rows_rejected"]
    not_blank = [row for row in rows if row != [""] and "".join(row).strip()]
    assert answer["rows_in"] >= len(not_blank) - sum("\r" in "".join(row) for row in rows)


@pytest.mark.parametrize("text", ["id,a\n", "id,a\n1\n2\n", "id,a\n" + "5,x\n" * 300])
def test_files_of_one_kind_of_row_add_up(atlas: Embedded, text: str) -> None:
    answer = run(atlas, text)
    assert answer["state"] == "succeeded", answer["error"]
    assert answer["rows_in"] == answer["rows_out"] + answer["rows_rejected"] == text.count("\n") - 1
