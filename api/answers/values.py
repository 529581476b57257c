"""What answers are made of: decimals, times, pages."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, WithJsonSchema

from engine.contract.score import text as score_text

Decimal = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["94.1"]})]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]

Item = TypeVar("Item")
Row = TypeVar("Row")
Answer = TypeVar("Answer")
log = logging.getLogger("atlas.api")


def example(**values: Any) -> ConfigDict:
    """The configuration of a shape that shows one example."""
    return ConfigDict(json_schema_extra={"examples": [values]})


def time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def score(value: float | None) -> str | None:
    return None if value is None else score_text(value)


def each(list_of: str, rows: Iterable[Row], answer: Callable[[Row], Answer]) -> list[Answer]:
    """The answer of each row; one that cannot be told is left out of the list, and the log names it."""
    told: list[Answer] = []
    broken: list[str] = []
    for row in rows:
        try:
            told.append(answer(row))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one row, the others are told
            broken.append(f"{getattr(row, 'id', None) or getattr(row, 'name', '?')} ({type(error).__name__})")
    if broken:
        log.error("%s rows are left out of the list of %s: %s", len(broken), list_of, ", ".join(broken))
    return told


def cut(found: Sequence[Item], limit: int) -> tuple[Sequence[Item], Item | None]:
    """A page of what was asked for with one more than `limit`, and its last item if there are more."""
    return (found[:limit], found[limit - 1]) if len(found) > limit else (found, None)
