"""Models come in the order to build them; a broken one is told with its line and takes with it what leans on it."""

from pathlib import Path

import pytest

from core.pipeline import Mistake
from engine.navigate import models
from engine.navigate.models import Model

DATASETS = {"orders", "customers"}


def read(folder: Path, **files: str) -> tuple[dict[str, Model], list[Mistake]]:
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    return models.read(folder, DATASETS)


def test_each_model_comes_after_what_it_reads(tmp_path: Path) -> None:
    found, mistakes = read(
        tmp_path,
        a_last="select * from middle join customers using (id)",
        middle="select * from navigate.z_first",
        z_first="select * from Orders",
    )
    assert mistakes == []
    assert list(found) == ["z_first", "middle", "a_last"]
    assert found["a_last"].inputs == ("middle", "customers")
    assert found["z_first"].inputs == ("orders",)


def test_what_a_dataset_changes_is_everything_downstream_of_it_in_order(tmp_path: Path) -> None:
    found, _ = read(
        tmp_path,
        by_customer="select * from customers",
        all_of_it="select * from by_customer, by_order",
        by_order="select * from orders",
        top="select * from all_of_it",
    )
    assert [model.name for model in models.downstream_of(found, "orders")] == ["by_order", "all_of_it", "top"]
    assert models.downstream_of(found, "products") == []


def test_a_circle_is_told_in_each_of_its_files_and_in_what_leans_on_it(tmp_path: Path) -> None:
    found, mistakes = read(
        tmp_path,
        a="select * from b",
        b="select * from c",
        c="select * from a",
        leaning="select * from orders, c",
        on_that="select * from leaning",
        x="select * from y",
        y="select * from x",
        good="select * from orders",
    )
    assert list(found) == ["good"]
    told = {mistake.file: mistake.message for mistake in mistakes}
    assert set(told) == {f"navigate/{name}.sql" for name in ("a", "b", "c", "leaning", "on_that", "x", "y")}
    assert told["navigate/a.sql"].startswith("It reads itself in a circle: ")
    assert told["navigate/a.sql"].count("→") == 3
    assert told["navigate/leaning.sql"] == "It reads `c`, which cannot be built."
    assert told["navigate/on_that.sql"] == "It reads `leaning`, which cannot be built."


def test_a_model_that_reads_itself_is_no_model(tmp_path: Path) -> None:
    found, mistakes = read(tmp_path, a="select * from orders\nunion all\nselect * from a")
    assert found == {}
    assert str(mistakes[0]).startswith("navigate/a.sql:3: there is no table `a`")


def test_broken_sql_is_told_with_its_line_and_what_leans_on_it_too(tmp_path: Path) -> None:
    found, mistakes = read(
        tmp_path,
        broken="-- æøå\nselect *\nfrom ordrs",
        unclosed="select (1\nfrom orders",
        leaning="select * from broken",
        good="select * from orders",
    )
    assert list(found) == ["good"]
    assert [str(mistake).partition(". ")[0] for mistake in mistakes] == [
        "navigate/broken.sql:3: there is no table `ordrs`",
        "navigate/unclosed.sql:2: Expecting ).",
        "navigate/leaning.sql:1: It reads `broken`, which cannot be built.",
    ]


@pytest.mark.parametrize("name", ["Sales", "1st", "a-b", "a b", "ærø", "x" * 64, "_a"])
def test_a_name_that_is_none_is_told(tmp_path: Path, name: str) -> None:
    found, mistakes = read(tmp_path, **{name: "select * from orders"})
    assert found == {}
    assert f"`{name}` is no name for a model" in mistakes[0].message


def test_a_model_may_not_have_the_name_of_a_dataset(tmp_path: Path) -> None:
    found, mistakes = read(tmp_path, orders="select * from customers", good="select * from orders")
    assert list(found) == ["good"]
    assert found["good"].inputs == ("orders",)
    assert "There is a dataset `orders` already" in mistakes[0].message


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.sql").write_bytes("select 'blå' from orders".encode("latin-1"))
    (tmp_path / "folder.sql").mkdir()
    found, mistakes = read(tmp_path, empty="", comment="-- nothing")
    assert found == {}
    assert {mistake.file for mistake in mistakes} == {
        f"navigate/{name}.sql" for name in ("latin", "folder", "empty", "comment")
    }


def test_a_folder_that_is_not_there_has_no_models(tmp_path: Path) -> None:
    assert models.read(tmp_path / "none", DATASETS) == ({}, [])


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("-- Sales by day\n-- in kroner\nselect * from orders", "Sales by day in kroner"),
        ("/* Sales\n * by day */\nselect * from orders", "Sales by day"),
        ("\ufeff-- Omsætning pr. ø\r\nselect * from orders\r\n", "Omsætning pr. ø"),
        ("select * from orders -- at the end", ""),
        ("\n\n-- first\n\n-- second\nselect * from orders", "first second"),
    ],
)
def test_the_first_comment_is_the_description(tmp_path: Path, text: str, description: str) -> None:
    found, mistakes = read(tmp_path, a=text)
    assert mistakes == []
    assert found["a"].description == description
