"""The SQL models of pipelines/navigate: one file, one SELECT, one table."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from core.errors import AtlasError, BadPipeline
from core.pipeline_file import Mistake, read_text
from engine import sandbox

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Model:
    """A model: its SELECT, its first comment as description, and the datasets and models it reads."""

    name: str
    sql: str
    description: str
    inputs: tuple[str, ...]


def read(folder: Path, datasets: Collection[str]) -> tuple[dict[str, Model], list[Mistake]]:
    """The models that hold, in an order in which each comes after what it reads, and the mistakes of the others."""
    files = {path.stem: path for path in sorted(folder.glob("*.sql"))}
    found: dict[str, Model] = {}
    mistakes: list[Mistake] = []
    for name, path in files.items():
        try:
            found[name] = _model(name, path, {*datasets, *files} - {name}, datasets)
        except BadPipeline as error:
            mistakes.append(_mistake(path, error))
    mistakes += _leave_leaning(found, set(files) - set(found) - set(datasets), files)
    while True:
        try:
            order = tuple(TopologicalSorter({name: model.inputs for name, model in found.items()}).static_order())
            return {name: found[name] for name in order if name in found}, mistakes
        except CycleError as error:
            circle = list(dict.fromkeys(reversed(error.args[1])))
            words = " → ".join([*circle, circle[0]])
            for name in circle:
                mistakes.append(_mistake(files[name], BadPipeline(f"It reads itself in a circle: {words}.")))
                del found[name]
            mistakes += _leave_leaning(found, set(circle), files)


def _leave_leaning(found: dict[str, Model], gone: set[str], files: dict[str, Path]) -> list[Mistake]:
    """Takes out the models that read one of those that are gone, and those that read these."""
    wrong = []
    while leaning := [model for model in found.values() if gone.intersection(model.inputs)]:
        for model in leaning:
            lost = ", ".join(f"`{name}`" for name in model.inputs if name in gone)
            wrong.append(_mistake(files[model.name], BadPipeline(f"It reads {lost}, which cannot be built.")))
            gone.add(model.name)
            del found[model.name]
    return wrong


def downstream_of(models: dict[str, Model], dataset: str) -> list[Model]:
    """Every model that a new version of a dataset changes, in the order to build them."""
    changed = {dataset}
    for model in models.values():
        if changed.intersection(model.inputs):
            changed.add(model.name)
    return [model for model in models.values() if model.name in changed]


def _model(name: str, path: Path, known: Collection[str], datasets: Collection[str]) -> Model:
    if not NAME.fullmatch(name):
        raise BadPipeline(f"`{name}` is no name for a model: a-z, 0-9 and _, a letter first, 63 at most.")
    if name in datasets:
        raise BadPipeline(f"There is a dataset `{name}` already; a model needs a name of its own.")
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise BadPipeline(f"It cannot be read: {type(error).__name__}.") from error
    except AtlasError as error:
        raise BadPipeline(error.message, hint=error.hint) from error
    select = sandbox.check_select(text, known)
    return Model(name, select.sql, _description(text), select.inputs)


def _description(text: str) -> str:
    """The first comment: `-- …` lines or `/* … */`."""
    block = re.match(r"\s*/\*(.*?)\*/", text, re.DOTALL)
    lines = block[1].splitlines() if block else re.match(r"(?:\s*--[^\n]*\n?)*", text)[0].splitlines()  # type: ignore[index]
    return " ".join(line.strip().lstrip("-*").strip() for line in lines).strip()


def _mistake(path: Path, error: BadPipeline) -> Mistake:
    line = re.match(r"Line (\d+): (.*)", error.message, re.DOTALL)
    message = line[2] if line else error.message
    where = int(line[1]) if line else 1
    return Mistake(file=f"navigate/{path.name}", line=where, message=f"{message} {error.hint or ''}".strip())
