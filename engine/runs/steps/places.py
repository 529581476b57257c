"""Where a rejected row stands, in the words of its source."""

from pathlib import Path
from typing import Any

from engine.runs.steps.job import Specs


def part_name(result: dict[str, Any], read: Specs) -> str:
    """What tells one part of the source from the others: nothing, if there is but one."""
    return Path(result["name"]).name if len({one["name"] for one in read}) > 1 else ""


def place_of(name: str, line: int) -> str:
    return f"{name}:{line}" if name else str(line)
