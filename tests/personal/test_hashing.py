"""The keyed hash: its layout, and that equal values stay equal."""

import base64
import hashlib
import hmac

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.home import fingerprint
from engine.personal.actions import tokenize
from engine.personal.hashing import hashed
from engine.personal.mask import hash_column
from engine.personal.recognizers import phone

KEY = b"a key of any bytes \x00\xff"


def expected(family: str, text: str, key: bytes = KEY) -> str:
    digest = hmac.new(key.hex().encode(), family.encode() + b"\0" + text.encode(), hashlib.sha256).digest()
    return "h_" + base64.b32encode(digest).decode().lower()[:26]


@given(st.lists(st.text() | st.none(), max_size=40))
def test_a_hash_is_130_bits_of_hmac_sha256_over_family_and_text(values: list[str | None]) -> None:
    done = hashed(pl.Series("c", values, dtype=pl.String), "text", KEY).to_list()
    assert done == [None if v is None else expected("text", v) for v in values]


def test_the_vectors_of_the_documentation_hold() -> None:
    key = bytes(range(32))
    assert hash_column(pl.Series(["Ida.Holm@Example.dk "]), "EMAIL", key).item() == "h_iknjkmlmlnjutjuyye6fuzyrao"
    assert hash_column(pl.Series(["20 12 34 56"]), "PHONE", key).item() == "h_icmvd7qagt4fo2gevkndqanyyv"
    assert hash_column(pl.Series(["010203-1234"]), "CPR", key).item() == "h_75zxml4nsoplhl55ovweuoxjjm"
    assert hash_column(pl.Series([" Ida Holm"]), "PERSON", key).item() == "h_5vdt4apthl6wqabkqdrnkyjxlp"


def test_the_tokens_of_the_documentation_hold() -> None:
    key = bytes(range(32))
    assert tokenize.mask(pl.Series(["Ida.Holm@Example.dk "]), "EMAIL", {}, key).item() == "t_62rx7tk7th4cmrpp4nshlg6pmw"
    assert tokenize.mask(pl.Series([" Ida Holm"]), "PERSON", {}, key).item() == "t_b5ve4ck3q6gsa4nyvcvesl6bbt"


@pytest.mark.parametrize(
    ("type_", "spellings"),
    [
        ("EMAIL", ["bo.lind@example.dk", " Bo.Lind@EXAMPLE.dk", "bo.lind@example.dk\t"]),
        ("PHONE", ["20123456", "20 12 34 56", "+45 20123456", "0045 20 12 34 56", "+4520123456", "(+45) 2012-3456"]),
        ("PHONE", ["+44 20 7946 0018", "0044 (0)20 7946 0018", "+44 (0) 20 7946 0018", "+442079460018"]),
        ("CPR", ["010203-1234", "0102031234", "102031234", "010203 1234"]),
        ("PERSON", ["Zoë Lund", " Zoe\u0308 Lund "]),
    ],
)
def test_equal_values_in_different_spellings_join(type_: str, spellings: list[str]) -> None:
    assert hash_column(pl.Series(spellings), type_, KEY).n_unique() == 1


@settings(deadline=None)  # the first call loads the country codes
@given(st.lists(st.from_regex(r"\A(\+|00)?[0-9 ()-]{5,18}\Z"), min_size=1, max_size=20))
def test_the_fast_way_writes_phone_numbers_as_the_library_does(numbers: list[str]) -> None:
    values = pl.Series(numbers)
    fast = phone.canonical(values)
    slow = [phone._parsed(v) for v in values.str.strip_chars()]
    assert fast.to_list() == slow


def test_a_fingerprint_tells_keys_apart_and_is_stable() -> None:
    assert fingerprint(KEY) == fingerprint(KEY) != fingerprint(b"another")
    assert len(fingerprint(KEY)) == 16
