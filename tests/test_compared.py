"""Scores are compared like with like, and what was not measured is told with its reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.contract import compared, why
from engine.contract.compared import Compared
from engine.store import quality, runs
from tests.shop import Shop, changing_sources

MAIL, AMOUNT = "  completeness: [mail]\n", "  validity: [{column: amount, min: 0, max: 50}]\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with changing_sources():
        yield from in_a_folder(tmp_path)


def in_a_folder(folder: Path) -> Iterator[Shop]:
    made = Shop(folder, MAIL + AMOUNT)
    made.change("1", mail="a@firma.dk", land="dk", amount="1")
    made.change("2", mail=None, land="dk", amount="99")
    yield made
    made.home.database.close()


def told(shop: Shop, run: int) -> tuple[str, Compared | None]:
    with shop.home.database.read() as db:
        found = why.explain(db, runs.get(db, run))
        return " ".join([found.headline, *found.sentences, *found.not_checked]), compared.with_the_run_before(
            db, "orders", run
        )


def test_another_contract_is_told_and_compared_over_the_rules_that_both_have(shop: Shop) -> None:
    text, before = told(shop, shop.run())
    assert before is None
    assert text.startswith("orders has 50.0 in run #2.")
    for rules, score in ((MAIL, "50.0"), (MAIL + AMOUNT.replace("50", "100"), "75.0")):
        shop.rules = rules
        text, moved = told(shop, shop.run())
        assert moved is not None
        assert moved.contract
        assert (moved.now.overall, moved.before.overall) == (50, 50)
        assert text.startswith(f"orders has {score} in run #")
        assert "The contract has changed since run #" in text
        assert "By the rules that both runs have the score stayed at 50.0." in text
        assert "rose" not in text
    shop.change("2", mail="b@firma.dk")
    text, moved = told(shop, shop.run())
    assert moved is not None
    assert not moved.contract
    assert text.startswith("orders rose from 75.0 to 100.0 in run #")
    shop.rules = shop.rules.replace("max: 100", "max: 100, weight: 2")
    moved = told(shop, shop.run())[1]
    assert moved is not None
    assert moved.contract


def test_a_rule_about_a_dataset_that_is_not_there_is_not_measured_and_neither_is_its_dimension(shop: Shop) -> None:
    both = '  consistency: [{column: land, references: land.code}, {expression: "amount > 0"}]\n'
    shop.rules = MAIL + both
    run = shop.run()
    with shop.home.database.read() as db:
        score = quality.score(db, run)
    assert score is not None
    assert (score.measured, score.dimensions["consistency"], score.overall) == (1, None, 50)
    said = "consistency (land is in land.code: there is no dataset `land`"
    assert said in told(shop, run)[0]
    (shop.folder / "land.yml").write_text("name: land\nowner: x\nsource: {connector: csv, path: lands.csv}\n")
    run = shop.run()
    assert "consistency (land is in land.code: `land` has not run yet)" in told(shop, run)[0]
    shop.run("land")
    moved = told(shop, shop.run())[1]
    assert moved is not None
    assert not moved.contract
    assert (moved.now.overall, moved.before.overall) == (75, 75)  # by what both could measure, and that is as it was


def test_a_source_without_rows_has_no_rows_to_test(shop: Shop) -> None:
    (shop.folder / "lands.csv").write_text("code,name\n")
    with (shop.folder / "lands.yml").open("a") as file:
        file.write("quality: {completeness: [code]}\n")
    text, _ = told(shop, shop.run("lands"))
    assert text.startswith("Nothing in lands was measured: there were no rows to test.")
