"""What a row says of its person in one column is masked in its texts too."""

import polars as pl
import pytest

from core.models import Verdict
from engine.personal import row_words
from engine.personal.detect import verdicts
from engine.personal.mask import Masker

PEOPLE = {
    "navn": Verdict("navn", ("PERSON",), 1, "", "hash", {}, "column"),
    "tlf": Verdict("tlf", ("PHONE",), 1, "", "hash", {}, "column"),
    "note": Verdict("note", (), 1, "", "redact", {}, "spans"),
}


def note(name: str, text: str, phone: str = "") -> str:
    frame = pl.DataFrame({"navn": [name, "Bo Byskov"], "tlf": [phone, ""], "note": [text, "intet nyt"]})
    before = frame.clone()
    cleaned, _ = row_words.mask(frame, {"note": frame["note"]}, PEOPLE)
    assert frame.equals(before)
    assert cleaned["note"][1] == "intet nyt"
    return str(cleaned["note"][0])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Xqua Zworbel", "Zworbel ringede, xqua er syg", "[PERSON] ringede, [PERSON] er syg"),
        ("Xqua Zworbel", "bilen er Xquas og hjemmet Zworbel's", "bilen er [PERSON] og hjemmet [PERSON]'s"),
        ("Xqua Zworbel", "Xqua Zworbel kom", "[PERSON] kom"),
        ("Line Zworbel", "Tegn en line, siger Line", "Tegn en line, siger [PERSON]"),
        ("Line Zworbel", "Line nummer to er kort", "Line nummer to er kort"),
        ("Xqua af Zworbel", "af hensyn til xquas", "af hensyn til [PERSON]"),
        ("Hr. Zworbel", "hr i en linje", "hr i en linje"),
        ("Xqua Zworbel", "xquadrat og zworbelhus", "xquadrat og zworbelhus"),
        ("Person Xqua", "[PERSON] og [PHONE] kom", "[PERSON] og [PHONE] kom"),
    ],
)
def test_each_word_of_the_name_goes_and_everyday_words_stay(name: str, text: str, expected: str) -> None:
    assert note(name, text) == expected


def test_a_value_goes_as_it_stands_even_where_no_pattern_knows_it() -> None:
    assert note("", "kode 77-1-2-3 virker", "77-1-2-3") == "kode [PHONE] virker"
    assert note("", "rum 12 er ledigt", "12") == "rum 12 er ledigt"


def test_a_column_of_short_texts_that_repeats_the_name_of_its_row_is_masked_there() -> None:
    names = [f"Xqu{chr(97 + n % 26)} Zwor{chr(97 + n // 26)}bel" for n in range(60)]
    lines = [f"vare {name}" if n % 9 == 0 else "til lager x" for n, name in enumerate(names)]
    frame = pl.DataFrame({"kundenavn": names, "linje": lines})
    found = verdicts(frame, {}, {}, set())
    assert "repeat what other columns" in found["linje"].reason
    masked = Masker(found, b"k")(frame)["linje"]
    assert masked.str.contains("Zwor").sum() == 0
    assert (masked == "til lager x").sum() == 53


def test_columns_that_the_pipeline_file_keeps_say_nothing_of_the_row() -> None:
    kept = {**PEOPLE, "navn": Verdict("navn", ("PERSON",), 1, "", "keep", {"decided": True}, "column")}
    frame = pl.DataFrame({"navn": ["Xqua Zworbel"], "note": ["Zworbel kom"]})
    assert row_words.mask(frame, {"note": frame["note"]}, kept)[0]["note"].to_list() == ["Zworbel kom"]
