"""One JSON object a line, whatever a message holds, and no message of an exception."""

import logging
from pathlib import Path

import pytest
from structlog.contextvars import bound_contextvars

from tests.conftest import Lines

CANARY = "canary-010190-1234"


def fails() -> None:
    raise ValueError(CANARY)


def test_a_line_tells_what_it_belongs_to_and_its_facts(lines: Lines) -> None:
    with bound_contextvars(request="r" * 8, run=12, part=34, task="t1", secret=CANARY):
        logging.getLogger("atlas.worker").info("worked", extra={"step": "chart", "ms": 1.5, "data": CANARY})
    (line,) = lines()
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "INFO", "logger": "atlas.worker", "message": "worked", "request": "r" * 8, "run": 12, "part": 34,
        "task": "t1", "step": "chart", "ms": 1.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    "said", ["a\nb", 'a\r\n{"level": "ERROR"}', "a\u2028b\u2029c", "a\x85b\x1b[2Jc\x9b", "\udc80", '"}\n{"', "Åse"]
)
def test_what_is_said_stays_in_one_line_and_comes_back_as_it_was(lines: Lines, tmp_path: Path, said: str) -> None:
    logging.getLogger("atlas.api").warning("no pipeline `%s`", said)
    (line,) = lines()
    assert line["message"] == f"no pipeline `{said}`"
    text = (tmp_path / "log" / "atlas.log").read_text(encoding="utf-8")
    assert text.splitlines() == [text.removesuffix("\n")]
    assert all(sign.isprintable() for sign in text.removesuffix("\n"))


def test_the_message_of_an_exception_is_never_written(lines: Lines, tmp_path: Path) -> None:
    for logger in (logging.getLogger("atlas.api"), logging.getLogger("a.library")):
        try:
            fails()
        except ValueError as error:
            logger.exception("it broke", stack_info=True)
            if logger.name == "a.library":
                logger.error("it broke: %s\nmore of it", error)
                logger.error(f"it broke\n{error!r}", exc_info=True)  # as asyncio does
    assert [line["message"] for line in lines()] == [
        "it broke", "it broke (ValueError)", "it broke: %s (ValueError)", "it broke (ValueError)"
    ]  # fmt: skip
    assert CANARY not in (tmp_path / "log" / "atlas.log").read_text(encoding="utf-8")


def test_libraries_are_silent_unless_something_is_wrong(lines: Lines) -> None:
    logging.getLogger("a.library").warning("careful")
    logging.getLogger("opsdroid.core").error("lost a message")
    logging.getLogger("a.library").error("lost %d of them", 2)
    logging.getLogger("atlas.bot").debug("not at this level")
    assert [line["message"] for line in lines()] == ["lost 2 of them"]
