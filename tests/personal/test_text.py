"""Sentences: what is replaced, and that the rest of the sentence stays."""

import polars as pl
import pytest

from engine.personal.text import in_text

SENTENCES = [
    ("Ring til Ida Holm på 20 12 34 56 i morgen.", "Ring til [PERSON] på [PHONE] i morgen."),
    ("Hej Bodil, din pakke er sendt.", "Hej [PERSON], din pakke er sendt."),
    ("Please call Margaret Ashdown at +44 20 7946 0018.", "Please call [PERSON] at [PHONE]."),
    ("Mail mig på bodil@example.dk", "Mail mig på [EMAIL]"),
    ("Kunden bor Lyngstien 14, 2. tv., 8000 Aarhus C.", "Kunden bor [ADDRESS]."),
    ("Født 01-02-1980, cpr 010280-1234.", "Født [DATE_OF_BIRTH], cpr [CPR]."),
    ("Mvh Bodil & Egon", "Mvh [PERSON] & [PERSON]"),
    ("Egen læge Dr. Quistgaard er informeret.", "Egen læge Dr. [PERSON] er informeret."),
    ("Indsæt på reg. 1234 konto 1234567890.", "Indsæt på reg. [BANK_ACCOUNT]."),
    ("User ida.holm logged in from 203.0.113.7 today.", "User [USERNAME] logged in from [IP] today."),
    ("Card 4111 1111 1111 1111 was charged twice.", "Card [CREDIT_CARD] was charged twice."),
    ("Pas nr. 123456789 er udløbet.", "Pas nr. [PASSPORT] er udløbet."),
    ("Liva Mørk lukkede sagen, 31 20 11 47.", "[PERSON] lukkede sagen, [PHONE]."),
    ("Klaget over varen (51 63 20 18).", "Klaget over varen ([PHONE])."),
]
UNTOUCHED = [
    "Ordre 20241117 er forsinket til mandag.",
    "Vores CVR er 12345678, faktura 87654321.",
    "Vi bruger version 4.12.2.26 af programmet.",
    "Leverandøren Hansen Byg ApS ringer i morgen.",
    "Mødet den 26-11-2024 kl. 12.30 er flyttet.",
    "The invoice of 1,234.50 is paid on Monday.",
    "Varen SKU KJ42726 er udsolgt i Aalborg.",
    "Please restart the Server and try again.",
    "EAN 5701234567899, antal 12, pris 99,95 kr.",
    "Sag nr. 40 88 99 11 er lukket, faktura 51 99 11 22 er betalt.",
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_personal_data_in_a_sentence_is_replaced_and_the_rest_stays(text: str, expected: str) -> None:
    masked, counts = in_text(pl.Series([text]))
    assert masked.item() == expected
    assert counts


@pytest.mark.parametrize("text", UNTOUCHED)
def test_a_sentence_without_personal_data_stays_as_it_is(text: str) -> None:
    assert in_text(pl.Series([text]))[0].item() == text


def test_every_kind_in_a_text_is_counted_and_the_texts_given_stay_as_they_are() -> None:
    given = ["Ring på +45 20 30 40 50", "mail anna@x.example", "Hilsen Peter Hansen", "ok"]
    texts = pl.Series("c", given)
    _, counts = in_text(texts, pl.Series([1, 2, 3, 4]))
    assert counts == {"PHONE": 1, "EMAIL": 2, "PERSON": 3}
    assert texts.to_list() == given
