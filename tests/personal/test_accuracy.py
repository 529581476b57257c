"""Leaks and losses on labelled tables and sentences stay under what must be true, for both parts of them."""

import tempfile
from pathlib import Path

import pytest

from bench.pii import accuracy, tables
from bench.pii.made import read
from bench.pii.score import Score, leaked

SOME = {
    "dev": ("borger_sager", "skole", "bank_poster", "varer", "blandet_kontakt"),
    "held": ("journal", "kundekartotek", "wide_export", "katalog"),
}


@pytest.mark.parametrize("part", accuracy.PARTS)
def test_tables_leak_and_lose_little(part: str, tmp_path: Path) -> None:
    total = Score()
    for table in (t for t in tables.LAYOUTS if t.part == part and t.name in SOME[part]):
        for score in accuracy.scored(table, tmp_path).values():
            total += score
    assert total.leak < accuracy.LIMITS["all"]
    assert total.over < accuracy.OVER


@pytest.mark.parametrize("part", accuracy.PARTS)
@pytest.mark.parametrize("language", ["da", "en"])
def test_sentences_leak_and_lose_little(part: str, language: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        score = accuracy.scored_sentences(part, language, Path(name))
    assert score.leak < accuracy.LIMITS[language]
    assert score.words_lost < accuracy.LOST


def test_what_is_marked_is_read_with_its_place() -> None:
    assert read("Hej <p Xqua>, <x by>") == ("Hej Xqua, by", [(4, 8, "PERSON"), (10, 12, "?")])


@pytest.mark.parametrize(
    ("kind", "value", "masked", "expected"),
    [
        ("PERSON", "Xqua Holm", "[PERSON] kom", (False, False)),
        ("PERSON", "Xqua Holm", "Xqua [PERSON] kom", (False, True)),
        ("PERSON", "Xqua Holm", "xqua holm kom", (True, True)),
        ("PHONE", "20 12 34 56", "2012 3456 kom", (True, True)),
        ("PHONE", "20 12 34 56", "[PHONE] 34 56 kom", (False, False)),
        ("EMAIL", "xqua@a.example", "xqua@[EMAIL]", (False, True)),
    ],
)
def test_a_leak_is_the_value_and_a_strict_one_a_piece_of_it(
    kind: str, value: str, masked: str, expected: tuple[bool, bool]
) -> None:
    text = f"{value} kom"
    assert leaked(kind, value, text, [(0, len(value), kind)], masked) == expected


def test_both_parts_have_layouts_names_and_sentences_of_their_own() -> None:
    from bench.pii.made import lists

    dev, held = lists("dev"), lists("held")
    for key in dev:
        if key.endswith(("first", "last")):
            assert not set(dev[key]) & set(held[key]), key
    for part in accuracy.PARTS:
        assert len([t for t in tables.LAYOUTS if t.part == part]) >= 20
        assert all(len(accuracy.sentences(part, language)) >= 40 for language in ("da", "en"))
