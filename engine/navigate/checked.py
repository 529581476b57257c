"""Holds models against the columns of what they read, before anything is built."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from core.errors import AtlasError, BadPipeline, QueryStopped
from core.pipeline_file import Mistake, read_text
from engine.navigate import build, looked
from engine.navigate.looked import HasColumn
from engine.navigate.models import Model

_LACKS = "`([^`]+)` has no column `([^`]+)`"
Columns = Mapping[str, Mapping[str, str]]  # name -> DuckDB type, of each published dataset


def mistakes(
    models: Iterable[Model], folder: Path, published: Columns, has: HasColumn = looked.unknown
) -> tuple[list[Mistake], dict[str, str]]:
    """The mistakes of models, in an order in which each comes after what it reads; and what each other one waits for.

    Of a model that reads another, the columns are those that the other would have by now. A model that only lacks
    columns which are new in the sources of its datasets gets a warning.
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
            new = _new(model, error, known, has)
            message = new or error.message.partition(" was not built: ")[2] or error.message
            line = _line(folder / f"{model.name}.sql", message)
            found.append(Mistake(file=f"navigate/{model.name}.sql", line=line, message=message, warning=bool(new)))
    return found, waits


def _new(model: Model, error: AtlasError, known: Columns, has: HasColumn) -> str | None:
    """What to do if all columns that a model lacks are new in the sources of what it reads; None if not."""
    columns = {name: dict(known[name]) for name in model.inputs}
    new: list[tuple[str, str]] = []
    while lacks := re.findall(_LACKS, error.message):
        unseen = [(dataset, column) for dataset, column in lacks if column not in columns.get(dataset, (column,))]
        if unseen != lacks or not all(has(dataset, column) for dataset, column in lacks):
            return None
        for dataset, column in lacks:
            columns[dataset][column] = "VARCHAR"  # its type is decided when it is published
        new += lacks
        try:
            build.planned(model, columns)
            break
        except (BadPipeline, QueryStopped) as another:  # the fault may be the type and not the column
            error = another
    return looked.new([".".join(pair) for pair in new], new[0][0]) if new else None


def _line(path: Path, message: str) -> int:
    """The first line of a file that has the column that a message is about, else what it names first."""
    named = re.search("column `([^`]+)`", message) or re.search("`([^`]+)`", message)
    if named is None:
        return 1
    word = re.compile(rf"(?<!\w){re.escape(named[1])}(?!\w)", re.IGNORECASE)
    lines = enumerate(read_text(path).splitlines(), 1)
    return next((n for n, line in lines if word.search(line) and not line.lstrip().startswith("--")), 1)
