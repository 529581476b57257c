"""What answers are made of: decimals, times, pages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, WithJsonSchema

from engine.chart.score import text as score_text

Decimal = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["94.1"]})]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]

Item = TypeVar("Item")


def example(**values: Any) -> ConfigDict:
    """The configuration of a shape that shows one example."""
    return ConfigDict(json_schema_extra={"examples": [values]})


def time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def score(value: float | None) -> str | None:
    return None if value is None else score_text(value)


def cut(found: Sequence[Item], limit: int) -> tuple[Sequence[Item], Item | None]:
    """A page of what was asked for with one more than `limit`, and its last item if there are more."""
    return (found[:limit], found[limit - 1]) if len(found) > limit else (found, None)
