"""The pipelines and models that this installation has: read from their files, each time they are asked for."""

import os
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from heapq import nlargest
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from core import pipeline_file
from core.errors import NotFound
from core.pipeline import Pipeline
from core.pipeline_file import Mistake

if TYPE_CHECKING:
    from engine.home import Home


def files(folder: Path) -> dict[str, Path]:
    """The pipeline files by name. Raises NotFound if there is no such folder."""
    if not folder.is_dir():
        raise NotFound(f"There is no folder `{folder}`.", hint="ATLAS_PIPELINES says where the pipeline files are.")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".yml"))  # noqa: PTH208 (paths sort slowly)
    return {name.removesuffix(".yml"): folder / name for name in names}


def models(folder: Path) -> dict[str, Path]:
    """The files of the models by name."""
    return {path.stem: path for path in sorted((folder / "navigate").glob("*.sql"))}


def pipeline(folder: Path, name: str) -> Pipeline:
    """One pipeline. Raises NotFound with the nearest names, BadPipeline with every mistake."""
    known = files(folder)
    if name not in known and name in models(folder):
        raise NotFound(f"`{name}` is a model: it is built after each run of what it reads.", hint=f"run {name}")
    if name not in known:
        raise nearest("pipeline", name, known)
    return pipeline_file.read(known[name])


def pipelines(folder: Path, only: Iterable[Path] | None = None) -> tuple[list[Pipeline], list[Mistake]]:
    """Every pipeline that holds, of some files or all, and the mistakes of the others."""
    good, mistakes = [], []
    for path in files(folder).values() if only is None else only:
        found, wrong = pipeline_file.check(path)
        mistakes += wrong
        if found:
            good.append(found)
    return good, mistakes


def owner(home: "Home", name: str) -> str | None:
    """Who owns a dataset: as it was published, "" for nobody; before its first run, by its pipeline file."""
    from engine.store import datasets  # the database: `check` reads files alone

    with home.database.read() as db:
        published = datasets.owner(db, name)
    if published is not None:
        return published
    found = files(home.settings.pipelines).get(name)
    read = pipeline_file.check(found)[0] if found is not None else None
    return None if read is None else read.owner


MOST_COMPARED = 500  # names that a typing error is looked for in: comparing takes a millisecond for each ten
MOST_LISTED = 10
MOST_SUGGESTED = 2
MOST_READ = 50  # files that are read to list the first few: reading one takes some milliseconds


def nearest(kind: str, name: str, known: dict[str, Path] | list[str], also: Iterable[str] = ()) -> NotFound:
    """A NotFound that says what was probably meant, or a few names; `members` carries it for buttons.

    `also` are names of another kind: one is suggested only if it is nearer than every known name, and none is listed.
    """
    said = name.lower()[:60]
    others = set(also).difference(known)
    likely = nlargest(MOST_COMPARED, [*known, *others], lambda other: len(os.path.commonprefix((said, other))))  # noqa: RUF071 - text
    close = get_close_matches(said, likely, MOST_SUGGESTED + len(others), 0.6)
    if close and close[0] not in others:
        close = [other for other in close if other not in others]
    close = close[:MOST_SUGGESTED]
    shown = name if len(name) <= 60 else name[:60] + "…"
    hint = f"Did you mean {' or '.join(close)}?" if close else _there_are(known)
    error = NotFound(f"There is no {kind} `{shown}`.", hint=hint or f"There is no {kind} yet.")
    error.members = {"nearest": close}
    return error


def _there_are(known: dict[str, Path] | list[str]) -> str | None:
    """The first few that can be read, and how many more there are."""
    if isinstance(known, dict):
        looked_at = list(known.items())[:MOST_READ]
        broken = {name for name, path in looked_at if pipeline_file.check(path)[0] is None}
        known = [name for name in known if name not in broken]
    return f"There are: {listed(known)}." if known else None


def listed(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - MOST_LISTED
    return ", ".join([*islice(names, MOST_LISTED), *([f"and {more} more"] if more > 0 else [])])


def keyed_columns(pipeline: Pipeline, others: Iterable[Pipeline] = ()) -> set[str]:
    """The columns that join: keys, subjects, and both ends of every reference, also of those in other files."""
    mine = {rule.column for rule in pipeline.quality.consistency if rule.references and rule.column}
    mine |= {rule.column for rule in pipeline.quality.accuracy if rule.matches and rule.column}
    targets = [rule.references for other in others for rule in other.quality.consistency if rule.references]
    targets += [rule.matches for other in others for rule in other.quality.accuracy if rule.matches]
    pointed_at = {column for name, _, column in (t.partition(".") for t in targets) if name == pipeline.name}
    return {*pipeline.key, *pipeline.subject.values(), *mine, *pointed_at}
