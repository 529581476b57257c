"""What each recognizer takes, what it leaves, and that nothing makes one slow."""

import time

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from presidio_analyzer import RecognizerRegistry

from core import parts
from core.models import PERSONAL_TYPES
from engine.personal import names
from engine.personal.presidio import EntityOf
from engine.personal.recognizer import recognizer, recognizers
from engine.personal.recognizers import national_id
from engine.personal.text import in_text

FOUND = {
    "EMAIL": ["søren.ø@blåbær.dk", "a+b@example.co.uk", "x_y@sub.example.museum"],
    "CPR": ["010203-1234", "311299-4321", "610203-1234"],
    "IBAN": ["DK50 0040 0440 1162 43", "DE89370400440532013000"],
    "CREDIT_CARD": ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"],
    "IP": ["203.0.113.195", "2001:db8::ff00:42:8329"],
    "MAC": ["00:1b:44:11:3a:b7", "00-1B-44-11-3A-B7"],
    "PHONE": ["+45 20 12 34 56", "20 12 34 56", "(212) 555-0123", "+44 20 7946 0018"],
    "NATIONAL_ID": ["QQ123456C".replace("QQ", "AB"), "131052-308T", "078-05-1120"],
    "PROFILE_URL": ["https://www.linkedin.com/in/ida-holm-12", "github.com/idaholm"],
    "ADDRESS": ["Lyngstien 14, 2. tv.", "12 Baker Street", "Rue de la Paix 8", "Ulmenallee 3"],
    "PERSON": ["Ida Holm", "Holm, Ida", "Dr. Holm", "Jens-Peter Møller Andersen"],
}
LEFT = [
    "2024-11-26", "26.11.2024 12:30", "1.234,50", "12.5", "5701234567899", "SKU-1182", "94032090", "KJ42726",
    "4.12.2.26", "100", "Red chair", "Hansen Byg ApS", "Aalborg", "DKK", "ORD-2024-00017", "JJD000390007882", "true",
    "1Z999AA10123456784", "00057000811804915112", "LOT20240117A", "5790001330552", "9403 20 80",
    "8471.30.00", "v2.4.1", "2.10.3.1",
    "4.500,00 kr.", "EUR 12,50", "12 %", "Q3 2024", "uge 42", "3. februar 2025", "Kaffemaskine, sort",
     "iPhone 15 Pro", "Nordfalster Smede A/S",
    "Smith & Wesson Inc", "Tivoli Gardens GmbH", "KT-44512", "55.67594", "A4 80 g", "3 x 400 V", "B-2041/7",
]  # fmt: skip


def test_every_kind_has_one_recognizer_in_a_file_of_its_own() -> None:
    assert {r.type for r in recognizers()} == {*PERSONAL_TYPES, "CVR"}
    assert len(parts.names("recognizer")) == len(recognizers())


@pytest.mark.parametrize("type_", FOUND)
def test_a_typical_cell_is_found_without_knowing_the_column(type_: str) -> None:
    scores = recognizer(type_).score(pl.Series(FOUND[type_]))
    assert min(scores) >= 0.6, dict(zip(FOUND[type_], scores, strict=True))


@pytest.mark.parametrize("type_", sorted(PERSONAL_TYPES))
def test_codes_dates_amounts_products_and_companies_are_no_personal_data_by_themselves(type_: str) -> None:
    scores = recognizer(type_).score(pl.Series(LEFT))
    assert max(scores) < 0.6, LEFT[scores.arg_max() or 0]


def test_words_after_an_iban_are_no_part_of_it() -> None:
    text = "fra SE45 5000 0000 0583 9825 7466 til os"
    assert in_text(pl.Series([text]), models={})[0].item() == "fra [IBAN] til os"


def test_a_cpr_that_fails_modulus_11_is_still_one() -> None:
    assert recognizer("CPR").score(pl.Series(["010210-1111"])).item() >= 0.6
    assert recognizer("CPR").score(pl.Series(["450210-1111", "011310-1111"])).to_list() == [0, 0]


@pytest.mark.parametrize("type_", sorted(PERSONAL_TYPES))
def test_digits_of_other_scripts_break_no_arithmetic(type_: str) -> None:
    digits = ["٤١١١ ١١١١ ١١١١ ١١١١", "０１０２０３-１２３４", "𞋶£ì", "DK५० 0040 0440 1162 43", "²³¹⁴ ½"]
    assert len(recognizer(type_).score(pl.Series(digits))) == len(digits)


def test_presidio_gets_the_same_finds_with_their_places() -> None:
    text = "Skriv til ida@example.dk nu"
    (found,) = EntityOf(recognizer("EMAIL")).analyze(text, ["EMAIL"])
    assert text[found.start : found.end] == "ida@example.dk"
    assert [r.entity_type for r in EntityOf(recognizer("PERSON")).analyze("Mvh Ida Holm", [])] == ["PERSON"]
    registry = RecognizerRegistry([EntityOf(ours) for ours in recognizers()])
    assert {"CPR", "PERSON", "EMAIL"} <= {*registry.get_supported_entities(["en"])}


ADVERSARIAL = [
    "1",
    "1 ",
    "a.",
    "a@",
    "@a.",
    "1-",
    "A",
    "Aa ",
    "ab:",
    "[EMAIL] ",
    "Vej 1 ",
    "0045 ",
    "1.1.1.1.",
    "æ-",
    "(",
    "Hansen, ",
    "Ida ",
    "hej ida ",
    "\n- ",
    "SE45 ",
    "rue de ",
    "og ",
]


SLOW = 20  # seconds: backtracking takes minutes, a busy machine does not


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(st.sampled_from(ADVERSARIAL), min_size=1, max_size=4), st.text(max_size=3))
def test_no_cell_of_100_kB_makes_a_pattern_slow(pieces: list[str], end: str) -> None:
    cell = ("".join(pieces) * 100_000)[:100_000] + end
    for r in recognizers():
        started = time.perf_counter()
        r.score(pl.Series([cell]))
        if r.span:
            r.find(cell)
        assert time.perf_counter() - started < SLOW, r.type
    started = time.perf_counter()
    names.find(cell)
    assert time.perf_counter() - started < SLOW


@settings(deadline=None)  # the first call loads the word lists
@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    masked, _ = in_text(pl.Series([text]), models={})
    assert len(masked) == 1


def test_a_finnish_number_holds_by_its_last_letter_alone() -> None:
    numbers = pl.Series(["131052-308T", "131052-308t", " 131052-308T ", "131052-308U"])
    assert national_id.checked(numbers).to_list() == [True, True, False, False]
