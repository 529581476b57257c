"""Every part loads and says what it is for; the structure holds."""

import pytest

from core import parts
from core.errors import NotFound

ALL = [(kind, name) for kind in parts.FOLDERS for name in parts.names(kind)]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_part_loads_and_says_what_it_is_for(kind: str, name: str) -> None:
    text = parts.load(kind, name).__doc__
    assert text
    assert text.strip().splitlines()[0].endswith((".", "?"))


def test_there_is_a_part_of_every_kind() -> None:
    assert {kind for kind, _ in ALL} == set(parts.FOLDERS)


def test_a_part_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NotFound) as error:
        parts.load("connector", "cvs")
    assert error.value.message == "There is no connector called `cvs`."
    assert "csv" in (error.value.hint or "")
