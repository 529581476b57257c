import os
import re
import subprocess
import sys
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from core.pipeline import Privacy
from engine.compliance.record import Activity, record
from engine.compliance.report import pages, pdf
from tests.compliance.test_record import CONTROLLER, CUSTOMERS, NOW, cells, finding
from tests.pictures import ink, size


def read(made: dict[str, Any]) -> tuple[PdfReader, str]:
    """The document and its text without line breaks."""
    reader = PdfReader(BytesIO(pdf(made)))
    return reader, re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages)).replace("\u200b", "")


@pytest.fixture(scope="module")
def text() -> str:
    return read(record([CUSTOMERS], CONTROLLER, NOW, measures=["access by role"]))[1]


@pytest.mark.parametrize(
    "fact",
    [
        "Record of processing activities",
        "Eksempel Handel A/S",
        "Ærøgade 1, 5970 Ærøskøbing",
        "dpo@example.dk",
        "Order handling",
        "contract, Art. 6(1)(b)",
        "the parcel carrier",
        "730 days (2 years); declared, not yet enforced",
        "Danish civil registration numbers (CPR)",
        "pseudonymisation (Art. 4(5)) of 2 columns",
        "access by role",
        "hashed with a key",
        "99 %",
        "Read from customers.csv. Used by customers_by_country.",
        "94.1 of 100: completeness 91.0. Not measured: accuracy.",
        "Version 7 of run #12, published 23 November 2026, 05:19, 100 rows",
        "23 November 2026, 05:19 (Europe/Copenhagen)",
        "not anonymisation",
        "No direct identifiers were found in 1 other column: id",
        "Page 1 of 2",
    ],
)
def test_the_document_contains_the_facts(text: str, fact: str) -> None:
    assert fact in text


def test_what_a_person_has_ruled_is_not_told_as_found_by_atlas() -> None:
    said = {**finding("by"), "reason": "ruled not personal by kim on 2026-11-27: towns alone", "ruled": True,
            "found": ["PERSON"]}  # fmt: skip
    _, text = read(record([Activity("members", verdicts=[finding("id"), finding("email", "EMAIL"), said])], {}, NOW))
    assert "No direct identifiers were found in 1 other column: id." in text
    assert "by: ruled not personal by kim on 2026-11-27: towns alone." in text
    assert "members: by looks like names and is ruled not personal by kim on 2026-11-27: towns alone." in text


def test_how_sure_a_verdict_is_and_what_was_masked_are_told_as_in_the_chat() -> None:
    told = [
        {**finding("mail", "EMAIL", action="hash", masked=1200), "confidence": 1.0},
        {**finding("born", "DATE_OF_BIRTH", action="hash", masked=1), "confidence": 0.99, "ruled": True},
        {**finding("note", "PERSON", action="redact", masked=12), "confidence": 0.855, "scope": "spans"},
    ]
    made = record([Activity("members", verdicts=told)], CONTROLLER, NOW)
    assert [(c["sure"], c["masked_words"]) for c in made["activities"][0]["columns"]] == [
        ("99 %", "1,200 values"), ("ruled", "1 value"), ("86 %", "12 places"),
    ]  # fmt: skip
    _, text = read(made)
    assert "100 %" not in text
    assert "Values masked" not in text
    assert all(words in text for words in ("1,200 values", "1 value", "12 places", "ruled"))


def test_rows_that_a_number_links_to_persons_are_told_as_personal() -> None:
    orders = Activity("orders", verdicts=[finding("id"), finding("customer_id")], subjects=["customer_id"])
    made = record([orders], CONTROLLER, NOW)
    told = cells(made)["Categories of personal data"]["value"]
    assert told == "none found; its rows are linked to persons by customer_id"
    assert cells(made)["Purpose"]["needed"]


def test_the_document_never_says_compliant(text: str) -> None:
    assert "complian" not in text.lower()


def test_what_is_missing_comes_first() -> None:
    made = record([Activity("people", verdicts=[finding("name", "PERSON")])], {}, NOW)
    _, text = read(made)
    assert text.index("To be filled in") < text.index("Needs attention") < text.index("How to read this record")
    assert "10 entries are missing" in text
    assert "people: personal and not masked: name." in text


def test_every_page_is_a4_and_numbered() -> None:
    activities = [Activity(f"dataset_{i}", verdicts=[finding(f"c{j}", "EMAIL") for j in range(30)]) for i in range(6)]
    reader, _ = read(record(activities, CONTROLLER, NOW))
    assert len(reader.pages) > 6
    for number, page in enumerate(reader.pages, 1):
        assert (round(float(page.mediabox.width)), round(float(page.mediabox.height))) == (595, 842)
        assert f"Page {number} of {len(reader.pages)}" in page.extract_text()


HOSTILE = '#panic("x") $ \\frac $ @ref *b* _i_ [c] <d> `e` ~ // /* = - + \\ #set page(width: 1pt) "q" {e}'


def test_hostile_names_print_as_they_are() -> None:
    hostile = Activity(
        "people", HOSTILE, HOSTILE, Privacy(purpose=HOSTILE, persons=[HOSTILE]), [finding(HOSTILE, "EMAIL")],
        sources=[HOSTILE], tables=[HOSTILE],
    )  # fmt: skip
    reader, text = read(record([hostile], {"name": HOSTILE}, NOW, measures=[HOSTILE]))
    squeezed = re.sub(r"\s", "", text)
    assert squeezed.count(re.sub(r"\s", "", HOSTILE)) >= 8
    assert round(float(reader.pages[0].mediabox.width)) == 595


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=80), st.lists(st.text(max_size=30), max_size=3))
def test_no_name_breaks_the_document(name: str, names: list[str]) -> None:
    privacy = Privacy(purpose=name, persons=names)
    odd = Activity("people", name, name, privacy, [finding(n, "EMAIL", action="hash") for n in names], sources=names)
    assert pdf(record([odd], {"name": name}, NOW)).startswith(b"%PDF")


def test_an_empty_record_is_a_document() -> None:
    _, text = read(record([], {}, NOW))
    assert "Record of processing activities" in text


def test_a_long_report_of_odd_numbers_is_made() -> None:
    activity = Activity(
        "numbers",
        verdicts=[finding("a", "EMAIL", action="hash", masked=1234567890)],
        quality={"score": 100, "dimensions": {"completeness": 100, "validity": 99.999, "accuracy": 0}},
        version={"number": 1, "run": 1, "rows": 10_000_000, "published_at": NOW - timedelta(days=400)},
    )
    _, text = read(record([activity], {}, NOW))
    assert "100.0 of 100: completeness 100.0, validity 99.9, accuracy 0.0" in text
    assert "1,234,567,890" in text
    assert "10,000,000 rows" in text


def test_the_same_record_makes_the_same_document() -> None:
    made = record([CUSTOMERS], CONTROLLER, NOW)
    assert pdf(made) == pdf(made)


def test_pages_can_be_seen() -> None:
    drawn = pages(record([CUSTOMERS], CONTROLLER, NOW), ppi=72)
    assert size(drawn[0]) == (595, 842)
    assert all(ink(page) > 10_000 for page in drawn)


def test_nothing_is_written_and_no_home_is_needed(tmp_path: Path) -> None:
    code = (
        "from tests.compliance.test_record import *\n"
        "from engine.compliance.report import pdf\n"
        "assert pdf(record([CUSTOMERS], CONTROLLER, NOW)).startswith(b'%PDF')\n"
    )
    home = str(tmp_path / "home")
    environment = {**os.environ, "HOME": home, "XDG_CACHE_HOME": home, "XDG_DATA_HOME": home, "TMPDIR": str(tmp_path)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)
    assert list(tmp_path.rglob("*")) == []
