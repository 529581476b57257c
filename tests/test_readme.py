"""The README tells the truth."""

from pathlib import Path

from docs import conversation


def test_every_line_of_the_conversation_is_what_the_program_prints(tmp_path: Path) -> None:
    printed = conversation.steady(conversation.play(tmp_path)).splitlines()
    assert printed == conversation.steady(conversation.written()).splitlines()
