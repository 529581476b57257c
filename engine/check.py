"""Validates pipeline files and models together: every mistake with its file and line."""

from pathlib import Path

from core import pipeline as pipeline_file
from core.pipeline import Mistake
from engine import catalog


def check(folder: Path, only: str | None = None) -> tuple[str, list[Mistake]]:
    """What was checked, in words, and the mistakes. Raises NotFound if `only` is no pipeline."""
    from engine.navigate import models

    known = catalog.files(folder)
    if only is not None and only not in known:
        raise catalog.nearest("pipeline", only, known)
    wanted = [known[only]] if only else list(known.values())
    mistakes = [mistake for path in wanted for mistake in pipeline_file.check(path)[1]]
    if only:
        return f"`{only}`", mistakes
    found, wrong = models.read(folder / "navigate", set(known))
    return f"{len(known)} pipelines and {len(found) + len(wrong)} models", mistakes + list(wrong)
