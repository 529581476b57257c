"""`atlas check` tells what no data could make right."""

from pathlib import Path

import pytest

from core.errors import NotFound
from core.roots import Roots
from engine.check import check

FILE = """name: orders
owner: web-team
source: {connector: csv, path: orders.csv}
quality:
  validity:
    - {column: mail, regex: ".+@.+"}
    - RULE
"""
GOOD = "{column: total, min: 0}"


@pytest.mark.parametrize(
    ("good", "bad", "line", "said"),
    [
        (GOOD, '{column: mail, regex: "(["}', 7, "not a valid regular expression"),
        (GOOD, f'{GOOD}\n  consistency: [{{expression: "drop table x"}}]', 8, "expression"),
        (GOOD, f"{GOOD}\n  accuracy: [{{expression: \"read_csv('x') is null\"}}]", 8, "read_csv"),
        (GOOD, f"{GOOD}\n  consistency: [{{column: id, references: nope.id}}]", 8, "no dataset `nope`"),
        (GOOD, f'{GOOD}\nschedule: "every day"', 8, "five fields"),
    ],
)
def test_a_rule_that_cannot_hold_is_told_with_its_line(
    tmp_path: Path, good: str, bad: str, line: int, said: str
) -> None:
    path = tmp_path / "orders.yml"
    path.write_text(FILE.replace("RULE", good), encoding="utf-8")
    assert check(tmp_path)[1] == []
    path.write_text(FILE.replace("RULE", bad), encoding="utf-8")
    (mistake,) = check(tmp_path)[1]
    assert (mistake.line, said in mistake.message) == (line, True), str(mistake)


def test_a_column_that_is_not_known_yet_is_no_mistake(tmp_path: Path) -> None:
    rule = f'{GOOD}\n  consistency: [{{expression: "shipped >= ordered"}}]\nschedule: "0 6 * * MON-FRI"'
    (tmp_path / "orders.yml").write_text(FILE.replace("RULE", rule), encoding="utf-8")
    assert check(tmp_path)[1] == []


def test_a_folder_that_is_not_there_is_no_good_news(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no folder"):
        check(tmp_path / "nowhere")


def test_a_path_outside_the_roots_is_told_with_its_line_and_the_roots(tmp_path: Path) -> None:
    (tmp_path / "pipelines" / "data").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.csv").write_text("a\n1\n")
    (tmp_path / "pipelines" / "data" / "link.csv").symlink_to(tmp_path / "elsewhere" / "x.csv")
    file = tmp_path / "pipelines" / "orders.yml"
    for path in ("../elsewhere/x.csv", "data/link.csv", "data/*.csv", "../elsewhere/*.csv"):
        file.write_text(FILE.replace("orders.csv", path).replace("RULE", GOOD), encoding="utf-8")
        (mistake,) = check(tmp_path / "pipelines")[1]
        assert (mistake.file, mistake.line) == ("orders.yml", 3)
        assert f"Allowed: `{tmp_path / 'pipelines'}`. Put the file there, or name its folder in ATLAS_DATA." in str(
            mistake
        )
        both = Roots((tmp_path / "pipelines", tmp_path / "elsewhere"))
        assert check(tmp_path / "pipelines", roots=both)[1] == []
    file.write_text(FILE.replace("orders.csv", "data/comes_later_*.csv").replace("RULE", GOOD), encoding="utf-8")
    assert check(tmp_path / "pipelines")[1] == []


MISNAMED = """name: orders
owner: web-team
key: [ordernr]
source: {connector: csv, path: orders.csv}
quality:
  completeness: [Telefonnr]
  uniqueness: [id]
  validity: [{column: Kreditmax, min: 0}]
  consistency:
    - {column: id, references: kunde.id}
    - {column: id, references: kunder.Kundenummer}
    - {expression: "beloeb > belob"}
"""


def test_every_name_that_is_not_published_is_told_at_once_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "orders.yml").write_text(MISNAMED, encoding="utf-8")
    (tmp_path / "orders.csv").write_text("id,order_nr,Telefon,Kreditmax (kr.),beloeb\n1,2,3,4,5\n", encoding="utf-8")
    other = "name: kunder\nowner: web-team\nsource: {connector: csv, path: kunder.csv}\n"
    (tmp_path / "kunder.yml").write_text(other, encoding="utf-8")
    published = {
        "orders": dict.fromkeys(("id", "order_nr", "Telefon", "Kreditmax (kr.)", "beloeb"), "VARCHAR"),
        "kunder": {"Kundenr": "BIGINT"},
    }
    told = {m.line: m.message for m in check(tmp_path, "orders", published=published)[1]}
    for line, place, close in (
        (3, "`key`", "order_nr"), (6, "`quality.completeness.1`", "Telefon"),
        (8, "`quality.validity.1`", "Kreditmax (kr.)"), (10, "`quality.consistency.1`", "kunder"),
        (11, "`quality.consistency.2`", "Kundenr"), (12, "`quality.consistency.3`", "beloeb"),
    ):  # fmt: skip
        assert told[line].startswith(place), told[line]
        assert f"id you mean `{close}`?" in told[line], told[line]
    assert len(told) == 6
    unpublished = [m.line for m in check(tmp_path, "orders")[1]]
    assert unpublished == [10]


NEW = """name: orders
owner: web-team
key: [id]
source: SOURCE
quality:
  completeness: [phone]
  consistency: [{expression: "phone <> town"}]
"""
LINES = [6, 7]
OLD = {"orders": {"id": "BIGINT"}}


@pytest.mark.parametrize(
    ("source", "file", "lines"),
    [
        ("{connector: csv, path: orders.csv}", "id,phone,town\n1,2,3\n", LINES),
        ('{connector: csv, path: "o*.csv"}', "id,phone,town\n1,2,3\n", LINES),
        ("{connector: jsonl, path: orders.csv}", '{"id": 1, "phone": 2, "town": 3}\n', LINES),
    ],
)
def test_a_column_that_is_new_in_the_source_is_not_published_yet(
    tmp_path: Path, source: str, file: str, lines: list[int]
) -> None:
    (tmp_path / "orders.yml").write_text(NEW.replace("SOURCE", source), encoding="utf-8")
    (tmp_path / "orders.csv").write_text(file, encoding="utf-8")
    (tmp_path / "other.csv").write_text("id\n1\n", encoding="utf-8")
    told = check(tmp_path, published=OLD)[1]
    assert [(m.line, m.warning) for m in told] == [(line, True) for line in lines]
    assert told[0].message == (
        "`quality.completeness.1`: `phone` is new in the source and not published yet; to publish it: run orders"
    )
    assert "`phone` and `town` are new in the source and not published yet" in told[1].message
    assert str(told[0]).startswith("orders.yml:6: warning: ")


def test_a_column_that_the_source_lacks_too_is_a_mistake(tmp_path: Path) -> None:
    source = "{connector: csv, path: orders.csv}"
    (tmp_path / "orders.yml").write_text(NEW.replace("SOURCE", source), encoding="utf-8")
    (tmp_path / "orders.csv").write_text("id,phones\n1,2\n", encoding="utf-8")
    told = check(tmp_path, published=OLD)[1]
    assert [(m.line, m.warning) for m in told] == [(6, False), (7, False)]
    assert told[0].message == (
        "`quality.completeness.1`: `orders` was published without a column `phone`, and its source has none. "
        "It has: id."
    )


@pytest.mark.parametrize(
    "source", ["{connector: csv, path: gone.csv}", "{connector: rest, url: 'https://x.example/y'}"]
)
def test_a_column_of_a_source_that_only_a_run_can_read_is_a_warning(tmp_path: Path, source: str) -> None:
    (tmp_path / "orders.yml").write_text(NEW.replace("SOURCE", source), encoding="utf-8")
    told = check(tmp_path, published=OLD)[1]
    assert [(m.line, m.warning) for m in told] == [(6, True), (7, True)]
    for one in told:
        assert "Whether its source has it is only known after a run: run orders" in one.message


def test_a_model_and_a_reference_may_read_a_column_that_is_not_published_yet(tmp_path: Path) -> None:
    good = "name: orders\nowner: web-team\nsource: {connector: csv, path: orders.csv}\n"
    (tmp_path / "orders.yml").write_text(good, encoding="utf-8")
    (tmp_path / "orders.csv").write_text("id,phone\n1,2\n", encoding="utf-8")
    refers = "quality: {consistency: [{column: id, references: orders.phone}]}\n"
    (tmp_path / "cases.yml").write_text(good.replace("orders", "cases") + refers, encoding="utf-8")
    (tmp_path / "navigate").mkdir()
    (tmp_path / "navigate" / "phones.sql").write_text("select phone, town from orders\n")
    (tmp_path / "navigate" / "numbers.sql").write_text("select phone from orders\n")
    told = check(tmp_path, published=OLD)[1]
    assert [(m.file, m.warning) for m in told if "not published yet" in m.message] == [
        ("cases.yml", True), ("navigate/numbers.sql", True),
    ]  # fmt: skip
