"""The SQL models of pipelines/navigate: one file, one SELECT, one table, one owner."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from core.errors import AtlasError, BadPipeline
from core.pipeline_file import Mistake, read_text
from engine.sql import sandbox

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COMMENTS = re.compile(r"(?:\s*(?:--[^\n]*(?:\n|$)|/\*.*?\*/))*", re.DOTALL)  # comments at the beginning of a file
_COMMENT = re.compile(r"--([^\n]*)|/\*(.*?)\*/", re.DOTALL)
_OWNER = re.compile(r"owner\s*:(.*)", re.IGNORECASE | re.DOTALL)
LONGEST_OWNER = 64  # characters, as of a user's `owns`


@dataclass(frozen=True)
class Model:
    """A model: its SELECT, its first comment as description, the datasets and models it reads, and its owner.

    Without a declared owner it belongs to the one owner of all that it reads.
    """

    name: str
    sql: str
    description: str
    inputs: tuple[str, ...]
    owner: str | None = None


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


def told_after(mistakes: list[Mistake], folder: Path, changed: set[str]) -> list[str]:
    """The mistakes of the models that would be built from what has changed, by the names in their text; how many others
    there are."""
    words = {mistake.file: _names_in(folder / Path(mistake.file).name) for mistake in mistakes}
    names, mine = set(changed), set[str]()
    while new := {file for file in words.keys() - mine if names & words[file]}:
        mine |= new
        names |= {Path(file).stem for file in new}
    others = len(words) - len(mine)
    noun = "other model has" if others == 1 else "other models have"
    own = [str(mistake) for mistake in mistakes if mistake.file in mine]
    return [*own, *([f"{others} {noun} mistakes: atlas check"] if others else [])]


def _names_in(path: Path) -> set[str]:
    try:
        return set(re.findall(r"\w+", read_text(path).casefold()))
    except (AtlasError, UnicodeDecodeError):
        return set()  # it says nothing of what it reads


def owner(model: Model, read: Collection[str]) -> str:
    """Who owns a model, given the owners of all that it reads, directly or through other models.

    Raises BadPipeline if there are several and none is declared: who owns one input has no right to the others.
    """
    if model.owner is not None:
        return model.owner
    if len(read) != 1:
        teams = sorted(read)
        words = " and ".join([", ".join(teams[:-1]), teams[-1]] if len(teams) > 1 else teams or ["nobody"])
        raise BadPipeline(
            f"It reads data of {words}. Say who owns it:", hint=f"-- owner: {teams[0] if teams else 'TEAM'}"
        )
    return next(iter(read))


def without_owner(models: Mapping[str, Model], owners: Mapping[str, str], folder: Path) -> Iterator[Mistake]:
    """The models of which nobody knows the owner, by the owners that pipeline files name; in the order of `read`."""
    above: dict[str, set[str]] = {name: {owner} for name, owner in owners.items()}
    for model in models.values():
        above[model.name] = set[str]().union(*(above.get(name, set()) for name in model.inputs))
        try:
            if all(name in above for name in model.inputs):  # else a pipeline file is wrong, which is said there
                above[model.name].add(owner(model, above[model.name]))
        except BadPipeline as error:
            yield _mistake(folder / f"{model.name}.sql", error)


def _model(name: str, path: Path, known: Collection[str], datasets: Collection[str]) -> Model:
    if not NAME.fullmatch(name):
        raise BadPipeline(
            f"`{name}` cannot be the name of a model: use a-z, 0-9 and _, start with a letter, at most 63 characters."
        )
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise BadPipeline(f"It cannot be read: {type(error).__name__}.") from error
    except AtlasError as error:
        raise BadPipeline(error.message, hint=error.hint) from error
    if name in datasets:
        raise BadPipeline(f"There is a dataset `{name}` already; a model needs a name of its own.")
    select = sandbox.check_select(text, known)
    description, declared = _comment(text)
    return Model(name, select.sql, description, select.inputs, declared)


def _comment(text: str) -> tuple[str, str | None]:
    """The description and the declared owner, from the comments that a file begins with.

    Raises BadPipeline for an owner that is not valid, or is declared twice.
    """
    words, declared = list[str](), None
    for number, line in _lines(text):
        if (said := _OWNER.fullmatch(line)) is None:
            words.append(line)
            continue
        team = said[1].strip()
        if declared is not None:
            raise BadPipeline(f"Line {number}: the owner is declared twice.", hint="Keep one of the two lines.")
        if not team or len(team) > LONGEST_OWNER or not team.isprintable():
            raise BadPipeline(
                f"Line {number}: an owner has 1 to {LONGEST_OWNER} printable characters.", hint="-- owner: web-team"
            )
        declared = team
    return " ".join(word for word in words if word), declared


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of the comments that a file begins with, without their marks, each with its number."""
    for comment in _COMMENT.finditer(_COMMENTS.match(text)[0]):  # type: ignore[index]  # it matches nothing, too
        first = text.count("\n", 0, comment.start()) + 1
        for number, line in enumerate((comment[1] or comment[2] or "").splitlines(), first):
            yield number, line.strip().lstrip("*-").strip()


def _mistake(path: Path, error: BadPipeline) -> Mistake:
    line = re.match(r"Line (\d+): (.*)", error.message, re.DOTALL)
    message = line[2] if line else error.message
    where = int(line[1]) if line else 1
    return Mistake(file=f"navigate/{path.name}", line=where, message=f"{message} {error.hint or ''}".strip())
