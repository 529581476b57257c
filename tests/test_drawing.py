"""Texts in pictures: as much as fits, whatever their length."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.scorecard import draw
from engine.drawing import fit, plain, width


@given(st.text(max_size=80), st.floats(0, 400), st.sampled_from([10.5, 12, 13, 19]), st.booleans())
def test_as_much_of_a_text_is_drawn_as_has_room(text: str, room: float, size: float, bold: bool) -> None:
    shown, whole = fit(text, room, size, bold=bold), plain(text)
    if shown != whole:
        assert shown.endswith("…")
        assert whole.startswith(shown[:-1])
        assert width(shown, size, bold=bold) <= max(room, width("…", size, bold=bold)) + 1e-6
        more = whole[: len(shown[:-1]) + 1] + "…"
        assert whole[len(shown) - 1 :].startswith(" ") or width(more, size, bold=bold) > room - 1e-6


@pytest.mark.parametrize("letters", [8_000, 100_000])
def test_a_long_name_takes_no_longer_to_draw_than_it_has_letters(letters: int) -> None:
    began = time.process_time()
    assert len(fit("x" * letters, 350, 13)) < 100
    name = "n" * letters
    check = {"check": f"{name} is filled in", "column": name, "dimension": "validity", "failed": 1, "tested": 2}
    assert draw({"dataset": name, "score": 50, "worst": [check] * 5, "note": name}).startswith(b"\x89PNG")
    assert time.process_time() - began < 2
