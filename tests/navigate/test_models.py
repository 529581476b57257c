"""Models are read from their files, put in order, and told of with file and line when they cannot be."""

from pathlib import Path

import pytest

from engine.navigate import models

DATASETS = {"orders", "customers"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, **sql: str) -> None:
    for name, text in sql.items():
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")


def test_a_model_is_its_file_name_its_first_comment_and_what_it_reads(folder: Path) -> None:
    write(folder, by_country="-- Revenue by country,\n--  largest first\nselect c.country, sum(o.total) as revenue\n"
          "from orders o join customers c using (customer_id) -- both\ngroup by 1")  # fmt: skip
    found, mistakes = models.read(folder, DATASETS)
    assert mistakes == []
    assert found["by_country"].description == "Revenue by country, largest first"
    assert found["by_country"].inputs == ("orders", "customers")


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("select 1 from orders", ""),
        ("/* What was sold,\n * by day */ select 1 from orders", "What was sold, by day"),
        ("\n\n-- Øl og vand\n\nselect 1 from orders -- not this", "Øl og vand"),
        ("\ufeff-- with a byte order mark\nselect 1 from orders", "with a byte order mark"),
    ],
)
def test_the_first_comment_describes_a_model(folder: Path, text: str, description: str) -> None:
    write(folder, m=text)
    assert models.read(folder, DATASETS)[0]["m"].description == description


def test_each_model_comes_after_what_it_reads(folder: Path) -> None:
    write(folder, a="select * from c, b", b="select * from navigate.c", c="select * from orders", d="from customers")
    found, mistakes = models.read(folder, DATASETS)
    assert mistakes == []
    order = list(found)
    assert order.index("c") < order.index("b") < order.index("a")
    assert [model.name for model in models.downstream_of(found, "orders")] == ["c", "b", "a"]
    assert [model.name for model in models.downstream_of(found, "customers")] == ["d"]
    assert models.downstream_of(found, "tickets") == []


def test_two_circles_are_told_apart_and_the_rest_still_holds(folder: Path) -> None:
    write(folder, a="from b", b="from a", c="from d", d="from c", leaning="from a, orders", fine="from orders")
    found, mistakes = models.read(folder, DATASETS)
    assert list(found) == ["fine"]
    told = {mistake.file: mistake.message for mistake in mistakes}
    assert set(told) == {f"navigate/{name}.sql" for name in ("a", "b", "c", "d", "leaning")}
    assert told["navigate/a.sql"] in (
        "It reads itself in a circle: a → b → a.",
        "It reads itself in a circle: b → a → b.",
    )
    assert told["navigate/leaning.sql"] == "It reads `a`, which cannot be built."


@pytest.mark.parametrize(
    ("name", "text", "line", "told"),
    [
        ("m", "select *\nfrom ordrs", 2, "there is no table `ordrs`. Tables: customers, orders."),
        ("m", "select *\nfrom explore.orders", 1, "`explore.orders` cannot be read: the raw zone is closed."),
        ("m", "select * from m", 1, "there is no table `m`"),
        ("m", "select *\nfrom orders\nwhere (", 3, ""),
        ("m", "", 1, "There must be exactly one statement; there are 0."),
        ("orders", "select * from customers", 1, "There is a dataset `orders` already"),
        ("Big", "select * from customers", 1, "`Big` cannot be the name of a model"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_file_and_line(folder: Path, name: str, text: str, line: int, told: str) -> None:
    write(folder, **{name: text})
    found, (mistake,) = models.read(folder, DATASETS)
    assert found == {}
    assert (mistake.file, mistake.line) == (f"navigate/{name}.sql", line)
    assert told in mistake.message


def test_a_file_that_is_no_text_is_a_mistake(folder: Path) -> None:
    (folder / "m.sql").write_bytes(b"select '\xe6' from orders")
    found, (mistake,) = models.read(folder, DATASETS)
    assert found == {}
    assert mistake.file == "navigate/m.sql"


def test_no_folder_is_no_models(folder: Path) -> None:
    assert models.read(folder / "navigate", DATASETS) == ({}, [])


def test_what_leans_on_a_broken_model_is_told_and_not_built(folder: Path) -> None:
    write(
        folder,
        broken="-- æøå\nselect *\nfrom ordrs",
        leaning="from broken, orders",
        top="from leaning",
        fine="from orders",
    )
    found, mistakes = models.read(folder, DATASETS)
    assert list(found) == ["fine"]
    assert [str(mistake).partition(". ")[0] for mistake in mistakes] == [
        "navigate/broken.sql:3: there is no table `ordrs`",
        "navigate/leaning.sql:1: It reads `broken`, which cannot be built.",
        "navigate/top.sql:1: It reads `leaning`, which cannot be built.",
    ]


def test_a_circle_is_told_in_each_of_its_files_and_in_all_that_leans_on_it(folder: Path) -> None:
    write(folder, a="from b", b="from c", c="from a", leaning="from orders, c", top="from leaning", fine="from orders")
    found, mistakes = models.read(folder, DATASETS)
    assert list(found) == ["fine"]
    told = {mistake.file: mistake.message for mistake in mistakes}
    assert set(told) == {f"navigate/{name}.sql" for name in ("a", "b", "c", "leaning", "top")}
    assert told["navigate/a.sql"].count("→") == 3
    assert told["navigate/top.sql"] == "It reads `leaning`, which cannot be built."


def test_a_model_of_a_datasets_name_leaves_the_dataset_to_others(folder: Path) -> None:
    write(folder, orders="from customers", good="from orders")
    found, (mistake,) = models.read(folder, DATASETS)
    assert found["good"].inputs == ("orders",)
    assert mistake.file == "navigate/orders.sql"


@pytest.mark.parametrize("name", ["Sales", "1st", "a-b", "a b", "ærø", "x" * 64, "_a"])
def test_a_name_that_is_none_is_told(folder: Path, name: str) -> None:
    write(folder, **{name: "from orders"})
    found, (mistake,) = models.read(folder, DATASETS)
    assert found == {}
    assert f"`{name}` cannot be the name of a model" in mistake.message


def test_a_run_tells_the_mistakes_of_what_it_changes_and_counts_the_others(folder: Path) -> None:
    write(folder, totals="select * from orders where", sums="select * from totals", odd="select * from customers where")
    write(folder, bad="drop table people")
    (folder / "dd.sql").mkdir()
    _, mistakes = models.read(folder, {"orders", "customers"})
    told = models.told_after(mistakes, folder, {"orders"})
    assert [line.partition(":")[0] for line in told[:-1]] == ["navigate/totals.sql", "navigate/sums.sql"]
    assert told[-1] == "3 other models have mistakes: atlas check"
    assert "every CSV" not in str(mistakes)


def test_a_link_to_nothing_is_told_as_such_beside_a_dataset_of_its_name(folder: Path) -> None:
    (folder / "dang.sql").symlink_to(folder / "nowhere.sql")
    ((mistake),) = models.read(folder, {"dang"})[1]
    assert "is a link to something that is not a file" in mistake.message


def test_a_folder_or_a_mere_comment_is_a_mistake(folder: Path) -> None:
    (folder / "inner.sql").mkdir()
    write(folder, comment="-- nothing yet")
    found, mistakes = models.read(folder, DATASETS)
    assert found == {}
    assert [mistake.file for mistake in mistakes] == ["navigate/comment.sql", "navigate/inner.sql"]
