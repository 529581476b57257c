"""The pipelines and models that this installation has: read from their files, each time they are asked for."""

from difflib import get_close_matches
from pathlib import Path

from core import pipeline_file
from core.errors import NotFound
from core.pipeline import Pipeline
from core.pipeline_file import Mistake


def files(folder: Path) -> dict[str, Path]:
    """The pipeline files by name. Raises NotFound if there is no such folder."""
    if not folder.is_dir():
        raise NotFound(f"There is no folder `{folder}`.", hint="ATLAS_PIPELINES says where the pipeline files are.")
    return {path.stem: path for path in sorted(folder.glob("*.yml"))}


def pipeline(folder: Path, name: str) -> Pipeline:
    """One pipeline. Raises NotFound with the nearest names, BadPipeline with every mistake."""
    known = files(folder)
    if name not in known:
        raise nearest("pipeline", name, known)
    return pipeline_file.read(known[name])


def pipelines(folder: Path) -> tuple[list[Pipeline], list[Mistake]]:
    """Every pipeline that holds, and the mistakes of the others."""
    good, mistakes = [], []
    for path in files(folder).values():
        found, wrong = pipeline_file.check(path)
        mistakes += wrong
        if found:
            good.append(found)
    return good, mistakes


def nearest(kind: str, name: str, known: dict[str, Path] | list[str]) -> NotFound:
    """A NotFound that says what was probably meant; `members` carries it for buttons."""
    close = get_close_matches(name.lower(), list(known), 2, 0.6)
    shown = name if len(name) <= 60 else name[:60] + "…"
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(known)}." if known else None
    error = NotFound(f"There is no {kind} `{shown}`.", hint=hint or f"There is no {kind} yet.")
    error.members = {"nearest": close}
    return error
