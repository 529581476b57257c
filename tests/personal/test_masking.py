"""Verdicts of whole tables, and what the masker makes of them."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import LINE, ColumnType, Verdict
from core.pipeline import ColumnPolicy
from engine.personal.detect import verdicts
from engine.personal.mask import Masker

KEY = b"k" * 32
FIRST = ["Ida", "Bodil", "Egon", "Jan", "Luísa", "Wojciech", "Priya", "Jürgen"]
LAST = ["Holm", "Quist", "Madsen", "Nguyen", "Gonçalves", "Kowalska", "Sharma", "Köhler"]


def table(rows: int = 64) -> pl.DataFrame:
    n = range(rows)
    return pl.DataFrame(
        {
            "customer_id": [str(1000 + i) for i in n],
            "first_name": [FIRST[i % 8] for i in n],
            "last_name": [LAST[(i * 3) % 8] for i in n],
            "company": ["Hansen Byg ApS" if i % 3 else None for i in n],
            "address": [f"Lyngstien {i + 1}, {i % 5}. tv." for i in n],
            "city": [["Aalborg", "Lyon", "Brno", "Recife"][i % 4] for i in n],
            "country": [["Denmark", "France", "Czech Republic", "Brazil"][i % 4] for i in n],
            "postal_code": [str(1000 + 37 * i) for i in n],
            "phone": [f"+45 20 12 {i % 90 + 10} 56" for i in n],
            "email": [f"{FIRST[i % 8].lower()}{i}@example.dk" for i in n],
            "birth_date": [f"{1950 + i % 50}-0{i % 9 + 1}-1{i % 9}" for i in n],
            "hire_date": [f"{2010 + i % 10}-0{i % 9 + 1}-1{i % 9}" for i in n],
            "f3": [f"{13 + i % 15}0{i % 9 + 1}{32 + i % 60}-{1000 + 17 * i}" for i in n],
            "total": [f"{i}.50" for i in n],
            "notes": [f"Kunden ringede om ordre {4000 + i}." for i in n],
        },
        schema_overrides={"company": pl.String},
    )


PERSONAL = {
    "first_name": "PERSON", "last_name": "PERSON", "address": "ADDRESS", "phone": "PHONE", "email": "EMAIL",
    "birth_date": "DATE_OF_BIRTH", "f3": "CPR",
}  # fmt: skip


def test_a_table_of_customers_is_understood_column_by_column() -> None:
    found = verdicts(table(), {}, {}, {"customer_id"})
    assert {c: v.types[0] for c, v in found.items() if v.types} == PERSONAL
    assert all(v.scope == "column" for c, v in found.items() if c in PERSONAL)
    assert found["birth_date"].action == "generalize"
    assert {v.action for c, v in found.items() if c in PERSONAL and c != "birth_date"} == {"hash"}
    assert 'the header "f3" says nothing' in found["f3"].reason
    assert "modulus 11" in found["f3"].reason


def test_a_masked_table_keeps_everything_that_is_not_personal() -> None:
    before = table()
    masker = Masker(verdicts(before, {}, {}, set()), KEY)
    after = masker(before)
    kept = [c for c in before.columns if c not in PERSONAL]
    assert after.select(kept).equals(before.select(kept))
    for column in PERSONAL:
        assert not set(after[column]) & set(before[column])
    assert masker.found["email"] == {"EMAIL": 64}
    assert after["birth_date"].str.contains(r"^(19|20)\d\d$").all()


def test_what_the_pipeline_file_decides_holds_whatever_is_found() -> None:
    decided = {"email": ColumnPolicy(action="keep"), "city": ColumnPolicy(action="redact")}
    frame = table()
    after = Masker(verdicts(frame, {}, decided, set()), KEY)(frame)
    assert after["email"].equals(frame["email"])
    assert set(after["city"]) == {"[REDACTED]"}


def test_a_personal_key_is_hashed_and_a_number_for_a_key_is_left() -> None:
    frame = pl.DataFrame(
        {"customer_id": ["1", "2", "3"], "email": ["a@x.dk", "b@x.dk", "c@x.dk"], "dob": ["1980-01-02"] * 3}
    )
    found = verdicts(frame, {"customer_id": ColumnType("integer")}, {}, {"customer_id", "email", "dob"})
    assert (found["customer_id"].action, found["email"].action, found["dob"].action) == ("keep", "hash", "hash")


def test_a_rare_email_in_a_column_of_something_else_is_masked_there_and_counted() -> None:
    frame = pl.DataFrame({"status": ["open"] * 500})
    masker = Masker(verdicts(frame, {}, {}, set()), KEY)
    late = pl.DataFrame({"status": ["closed", "spørg ida@example.dk", None], LINE: [1, 2, 3]})
    assert masker(late)["status"].to_list() == ["closed", "spørg [EMAIL]", None]
    assert masker.found == {"status": {"EMAIL": 1}}


def test_persons_among_companies_are_masked_cell_by_cell() -> None:
    cells = [
        "Ida Holm",
        "Hansen Byg ApS",
        "Bodil Quist",
        "Nordjysk Transport A/S",
        "Egon Madsen",
        "Lyngby Kommune",
    ] * 10
    frame = pl.DataFrame({"kunde": cells})
    after = Masker(verdicts(frame, {}, {}, set()), KEY)(frame)["kunde"]
    assert set(after) & set(cells) == {"Hansen Byg ApS", "Nordjysk Transport A/S", "Lyngby Kommune"}


def test_a_few_names_of_everyday_words_in_a_column_called_name_are_masked_with_the_others() -> None:
    usual = ["Peter Møller", "Anna Nielsen", "Søren Ågård", "Mette Kjær", "Jens Hansen", "Lise Holm", "Pia Strøm"] * 8
    frame = pl.DataFrame({"navn": [*usual, *["Lærke Øst", "Maj Skov", "Tróndur í Gøtu", "Bo By"] * 2]})
    after = Masker(verdicts(frame, {}, {}, set()), KEY)(frame)["navn"]
    assert after.str.starts_with("h_").all()


def test_products_named_after_people_stay() -> None:
    frame = pl.DataFrame({"sku": ["A1", "A2", "A3"] * 9, "name": ["Ida stol", "Egon lampe", "Bodil sofabord"] * 9})
    assert Masker(verdicts(frame, {}, {}, set()), KEY)(frame).equals(frame)


def test_towns_under_a_danish_header_are_no_names_and_names_under_an_english_one_are() -> None:
    towns = ["København Ø", "Aarhus C", "Odense C", "Aalborg", "Esbjerg", "Køge"] * 20
    people = ["Åse Kjær", "Bo Lund", "Ida Holm", "Per Dahl", "Søren Bak", "Mette Skov"] * 20
    frame = pl.DataFrame({"Navn": people, "By": towns, "by": people, "entered by": people})
    found = verdicts(frame, {}, {}, set())
    assert {name: found[name].types for name in frame.columns} == {
        "Navn": ("PERSON",), "By": (), "by": ("PERSON",), "entered by": ("PERSON",),
    }  # fmt: skip


def test_empty_tables_and_empty_columns_are_no_trouble() -> None:
    frame = pl.DataFrame({"email": [], "x": []}, schema={"email": pl.String, "x": pl.String})
    found = verdicts(frame, {}, {}, set())
    assert found["email"].types == ("EMAIL",)
    assert Masker(found, KEY)(frame).equals(frame)


@settings(max_examples=4, deadline=None)
@given(st.integers(7, 64))
def test_the_same_rows_come_out_whatever_the_batches(size: int) -> None:
    frame = table()
    found = verdicts(frame, {}, {}, set())
    whole = Masker(found, KEY)(frame)
    assert pl.concat([Masker(found, KEY)(part) for part in frame.iter_slices(size)]).equals(whole)
    assert verdicts(frame.sample(fraction=1, shuffle=True, seed=size), {}, {}, set()) == found


@pytest.mark.parametrize(
    ("action", "options", "type_", "cell", "expected"),
    [
        ("redact", {}, "EMAIL", "a@b.dk", "[EMAIL]"),
        ("partial", {}, "CREDIT_CARD", "4111 1111 1111 1111", "**** **** **** 1111"),
        ("partial", {}, "EMAIL", "ida@example.dk", "***@example.dk"),
        ("partial", {}, "CPR", "010203-1234", "010203-****"),
        ("partial", {}, "PERSON", "Ida Holm", "I. H."),
        ("partial", {}, "PERSON", "Ida\nHolm", "I.\nH."),
        ("partial", {}, "PERSON", "I.", "[PERSON]"),
        ("partial", {}, "EMAIL", "ida@a.example; bo@b.example", "***@a.example; ***@b.example"),
        ("partial", {}, "CPR", "0102031234, 010203 1234", "010203****, 010203****"),
        ("partial", {}, "CPR", "unclear", "[CPR]"),
        ("partial", {}, "IP", "10.0.0.1:8080", "10.*.*.*"),
        ("partial", {}, "IP", "2001:db8::8a2e:370", "2001.*.*"),
        ("partial", {}, "PHONE", "+45 20 30 40 50", "+** ** ** ** 50"),
        ("partial", {}, "ADDRESS", "Lyngstien 1\n2100 Byen", "L***"),
        ("partial", {}, None, "x", "[REDACTED]"),
        ("generalize", {"to": "year"}, "DATE_OF_BIRTH", "03-04-1980", "1980"),
        ("generalize", {"to": "month"}, "DATE_OF_BIRTH", "3.4.1980", "1980-04"),
        ("generalize", {"to": "decade"}, "DATE_OF_BIRTH", "1987-04-03 00:00:00", "1980"),
        ("generalize", {"to": "year", "format": "%d/%m/%y"}, "DATE_OF_BIRTH", "03/04/80", "1980"),
        ("generalize", {"to": "year"}, "DATE_OF_BIRTH", "unclear", "[DATE_OF_BIRTH]"),
        ("generalize", {"to": "district"}, None, "2100", "2xxx"),
        ("keep", {}, "EMAIL", "a@b.dk", "a@b.dk"),
    ],
)
def test_each_action_does_what_it_says(
    action: str, options: dict[str, str], type_: str | None, cell: str, expected: str
) -> None:
    verdict = Verdict("c", (type_,) if type_ else (), 1, "", action, {**options, "decided": True}, "column")
    frame = pl.DataFrame({"c": [cell, None]})
    assert Masker({"c": verdict}, KEY)(frame)["c"].to_list() == [expected, None]


def test_nothing_is_written_outside_and_nothing_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    frame = table()
    Masker(verdicts(frame, {}, {}, set()), KEY)(frame)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("every", [2, 3, 5, 10, 15])
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("kontakt", "anne{0}@mail.example"),
        ("reference", "bo{0}@firma.example"),
        ("felt", "+45 {0:08d}"),
        ("felt", "0102{0:02d}-1{0:03d}"),
        ("felt", "20 30 40 {0:02d}"),
        ("felt", "192.168.200.{0}"),
        ("felt", "BC 12 3{0}"),
    ],
)
def test_personal_cells_among_others_are_masked_however_many_they_are(header: str, value: str, every: int) -> None:
    cells = [value.format(n % 80 + 10) if n % every == 0 else f"kode {n}" for n in range(600)]
    sample = pl.DataFrame({header: cells})
    verdict = verdicts(sample, {header: ColumnType()}, {}, set())
    masked = Masker(verdict, KEY)(sample)[header].to_list()
    assert [n for n, cell in enumerate(masked) if n % every == 0 and cell == cells[n]] == []


def test_an_address_among_company_numbers_is_masked() -> None:
    cells = [f"ida{n}@mail.example" if n % 8 == 0 else f"{10103940 + 37 * n}" for n in range(400)]
    frame = pl.DataFrame({"cvr": cells})
    masked = Masker(verdicts(frame, {}, {}, set()), KEY)(frame)["cvr"]
    assert not masked.str.contains("@").any()


@pytest.mark.parametrize(("header", "value"), [("firmware", "10.200.3.{0}"), ("varenr", "40000000000000{0:02d}")])
def test_shapes_that_the_name_or_the_check_digits_refute_stay(header: str, value: str) -> None:
    frame = pl.DataFrame({header: [value.format(n % 90 + 10) for n in range(300)]})
    assert Masker(verdicts(frame, {}, {}, set()), KEY)(frame).equals(frame)


def test_a_person_may_be_called_nat_or_nil_and_only_blanks_are_left() -> None:
    verdict = Verdict("first_name", ("PERSON",), 1, "", "hash", {}, "column")
    cells = ["Nat", "Na", "Nan", "Nil", "Null", "ukendt", " ", "-", "???", None]
    masked = Masker({"first_name": verdict}, KEY)(pl.DataFrame({"first_name": cells}))["first_name"].to_list()
    assert all(cell.startswith("h_") for cell in masked[:6])
    assert masked[6:] == cells[6:]


@pytest.mark.parametrize("name", ["n", "c", "m", "value", "row", "piece", "len"])
def test_a_column_of_sentences_may_have_any_name(name: str) -> None:
    frame = pl.DataFrame({name: ["Ida Holm ringede om fakturaen i går"] * 3})
    masked = Masker({name: Verdict(name, ("PERSON",), 1, "", "redact", {}, "spans")}, KEY)(frame)
    assert masked[name].to_list() == ["[PERSON] ringede om fakturaen i går"] * 3
    assert verdicts(frame, {}, {}, set())[name].scope == "spans"


@pytest.mark.parametrize(
    ("type_", "cell"),
    [
        ("ADDRESS", "Nørregade 1\n2100 Byen"),
        ("EMAIL", "anna@x.example; bo@y.example"),
        ("EMAIL", "Bo Byen <anna@x.example>"),
        ("EMAIL", "Nørregade"),
        ("IP", "10.0.0.1:8080"),
        ("IP", "10.0.0.1 (Byen)"),
        ("CPR", "010203-1234 Byen"),
        ("CPR", "010203-1234 og 010203-bo@"),
        ("CREDIT_CARD", "4111 1111 1111 1111 Byen"),
        ("PHONE", "+45 20 30 40 50 Byen"),
        ("PERSON", "B\nByen"),
        ("PERSON", "Ida bo@x.example"),
    ],
)
def test_what_is_shortened_keeps_no_second_line_and_no_second_value(type_: str, cell: str) -> None:
    verdict = Verdict("c", (type_,), 1, "", "partial", {"decided": True}, "column")
    (masked,) = Masker({"c": verdict}, KEY)(pl.DataFrame({"c": [cell]}))["c"]
    assert not any(word in masked for word in ("Byen", "bo@", ".1:8080", "Nørregade"))


PEOPLE = [
    f"{f} {w}"
    for f in ("Ida", "Bodil", "Egon", "Priya", "Jürgen", "Anna")
    for w in ("Holm", "Madsen", "Sharma", "Quist", "Toft")
]


@pytest.mark.parametrize(
    ("header", "cells", "kept"),
    [
        ("kontakt", [f"b{n}@mail.example" if n % 2 else f"20 30 4{n % 10} {n:02d}" for n in range(60)], 0),
        ("modpart konto", [f"7040 {n:010d}" if n % 3 else "DK50 0040 0440 1162 43" for n in range(60)], 0),
        ("x1", [f"{PEOPLE[n % 30]} / 20 30 4{n % 10} {n:02d}" for n in range(60)], 0),
        ("tekst", [f"MobilePay {PEOPLE[n % 30]}" if n % 2 else f"Gebyr {n}" for n in range(60)], 30),
        ("data", [f'{{"user": "{PEOPLE[n % 30]}", "plan": "pro"}}' for n in range(60)], 0),
        ("bil", [f"{'ABCDE'[n % 5]}X{10000 + 731 * n}" for n in range(60)], 0),
        (
            "hvem",
            [f"{PEOPLE[n % 30].split()[0][0].lower()}{PEOPLE[n % 30].split()[1].lower()}{n}" for n in range(60)],
            0,
        ),
        ("arkiv", [f"{(n * 7919 + 130000) % 1000000:06d}-{1000 + n}" for n in range(60)], 60),
        ("tal", [*[str(100 + n) for n in range(400)], "4111111111111111"], 400),
        ("ejer", ["Ida Holm", "Hr. & fru Holm", "HOLM, IDA", "I. Holm"] * 15, 0),
    ],
)
def test_columns_of_every_mixture_are_understood(header: str, cells: list[str], kept: int) -> None:
    frame = pl.DataFrame({header: cells})
    masked = Masker(verdicts(frame, {}, {}, set()), KEY)(frame)[header]
    assert sum(a == b for a, b in zip(masked, cells, strict=True)) == kept


def test_beside_people_old_dates_far_apart_are_dates_of_birth_and_those_of_trade_are_not() -> None:
    frame = pl.DataFrame(
        {
            "navn": [PEOPLE[n % 30] for n in range(60)],
            "a": [f"{1 + n % 28:02d}-{1 + n % 12:02d}-{1935 + n}" for n in range(60)],
            "b": [f"{1 + n % 28:02d}{1 + n % 12:02d}{(35 + n) % 100:02d}" for n in range(60)],
            "c": [f"{1 + n % 28:02d}-{1 + n % 12:02d}-{1985 + n % 40}" for n in range(60)],
            "d": [f"{10 + n}.{70 + n % 20}.{40 + n % 30}" for n in range(60)],
        }
    )
    found = verdicts(frame, {}, {}, set())
    assert {c for c, v in found.items() if "DATE_OF_BIRTH" in v.types} == {"a", "b"}
    assert "beside other data of people" in found["a"].reason


INSIDE = {
    '{"Ida Holm","Bo Lund"}': '{"[PERSON]","[PERSON]"}', '{NULL,"Mette Krog"}': '{NULL,"[PERSON]"}',
    '("Ida Holm",20123456)': '("[PERSON]",[PHONE])', "{ida@firma.dk,bo@firma.dk}": "{[EMAIL],[EMAIL]}",
    '"name"=>"Ida Holm", "tlf"=>"20123456"': '"name"=>"[PERSON]", "tlf"=>"[PHONE]"',
    "<p><name>Ida Holm</name></p>": "<p><name>[PERSON]</name></p>", '["Ida Holm"]': '["[PERSON]"]',
}  # fmt: skip


@pytest.mark.parametrize("cell", INSIDE)
def test_what_stands_inside_arrays_and_rows_of_postgresql_is_seen(cell: str) -> None:
    empty = ["{}" if cell[0] == "{" else "[]"] * 9  # most are empty
    frame = pl.DataFrame({"members": [cell, *empty]})
    found = verdicts(frame, {"members": ColumnType()}, {}, set())
    assert Masker(found, KEY)(frame)["members"].to_list() == [INSIDE[cell], *empty]


@pytest.mark.parametrize(
    "cell", ["{20123456,42334455}", "(1,2)", "[2024-01-01,2024-02-01)", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
             "{red,green}", "empty", "<(0,0),1>"],
)  # fmt: skip
def test_arrays_of_numbers_ranges_and_points_stay(cell: str) -> None:
    frame = pl.DataFrame({"c": [cell] * 5})
    assert Masker(verdicts(frame, {"c": ColumnType()}, {}, set()), KEY)(frame).equals(frame)
