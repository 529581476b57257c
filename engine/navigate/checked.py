"""Holds models against the columns of what they read, before anything is built."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from core.errors import BadPipeline, QueryStopped
from core.pipeline_file import Mistake, read_text
from engine.navigate import build
from engine.navigate.models import Model

Columns = Mapping[str, Mapping[str, str]]  # name -> DuckDB type, of each published dataset


def mistakes(models: Iterable[Model], folder: Path, published: Columns) -> tuple[list[Mistake], dict[str, str]]:
    """The mistakes of models, in an order in which each comes after what it reads; and what each other one waits for.

    Of a model that reads another, the columns are those that the other would have by now.
    """
    known, found, waits = dict(published), list[Mistake](), dict[str, str]()
    for model in models:
        known.pop(model.name, None)
        missing = next((name for name in model.inputs if name not in known), None)
        if missing is not None:
            waits[model.name] = missing
            continue
        try:
            known[model.name] = build.planned(model, {name: known[name] for name in model.inputs})
        except (BadPipeline, QueryStopped) as error:
            message = error.message.partition(" was not built: ")[2] or error.message
            line = _line(folder / f"{model.name}.sql", message)
            found.append(Mistake(file=f"navigate/{model.name}.sql", line=line, message=message))
    return found, waits


def _line(path: Path, message: str) -> int:
    """The first line of a file that has the column that a message is about, else what it names first."""
    named = re.search("column `([^`]+)`", message) or re.search("`([^`]+)`", message)
    if named is None:
        return 1
    word = re.compile(rf"(?<!\w){re.escape(named[1])}(?!\w)", re.IGNORECASE)
    lines = enumerate(read_text(path).splitlines(), 1)
    return next((n for n, line in lines if word.search(line) and not line.lstrip().startswith("--")), 1)
