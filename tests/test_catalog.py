"""What is listed for somebody who names what there is not."""

from pathlib import Path

import pytest

from core.errors import NotFound
from engine import catalog


def test_only_pipelines_that_can_be_read_are_listed(tmp_path: Path) -> None:
    for name in ("birds", "crows"):
        text = f"name: {name}\nowner: crm\nsource: {{connector: csv, path: {name}.csv}}\n"
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    (tmp_path / "alias.yml").write_text("name: alias\n", encoding="utf-8")
    (tmp_path / "bin.yml").mkdir()
    (tmp_path / "dang.yml").symlink_to(tmp_path / "nowhere.yml")
    with pytest.raises(NotFound) as problem:
        catalog.pipeline(tmp_path, "zzzzzz")
    assert problem.value.hint == "There are: birds, crows."


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("custmers", "Did you mean customers?"),
        ("custmer_total", "Did you mean custmer_totals or customers?"),
        ("zzz", "There are: customers, orders."),
    ],
)
def test_a_model_is_suggested_only_if_it_is_nearer_than_every_pipeline(typed: str, hint: str) -> None:
    problem = catalog.nearest("pipeline", typed, ["customers", "orders"], ["custmer_totals"])
    assert problem.hint == hint
