"""Validates pipeline files and models together: every mistake with its file and line."""

import time
from collections.abc import Callable, Collection, Iterator
from functools import cache, partial
from pathlib import Path

from connectors._files import FileSource
from core import parts, pipeline_file, secrets
from core.errors import BadPipeline, Misconfigured, SourceMissing, SourceUnreadable
from core.pipeline import Pipeline
from core.pipeline_file import Mistake
from core.roots import Roots
from engine import catalog

LONGEST = 5  # seconds of computing that the rules of one file may take; waiting for a busy machine does not count


def check(
    folder: Path,
    only: str | None = None,
    secret: Callable[[str], object] | None = None,
    roots: Roots | None = None,
) -> tuple[str, list[Mistake]]:
    """What was checked, in words, and the mistakes. Raises NotFound if `only` is no pipeline.

    `secret` is `Settings.secret` where the secrets that the files name must be there; `roots` are the folders that
    sources may read files from, only the one of the pipeline files by default.
    """
    from engine.navigate import models

    known = catalog.files(folder)
    if only is not None and only not in known:
        raise catalog.nearest("pipeline", only, known)
    wanted = [known[only]] if only else list(known.values())
    mistakes: list[Mistake] = []
    owners: dict[str, str] = {}
    for path in wanted:
        found = pipeline_file.parsed(path)
        mistakes += found.mistakes
        if pipeline := found.pipeline:
            owners[pipeline.name] = pipeline.owner
            mistakes += _rules(path, found, pipeline, known)
            mistakes += _paths(path, found, pipeline, folder, roots or Roots((folder,)), there=True)
            mistakes += _secrets(path, found, pipeline, secret) if secret else []
    if only:
        return f"`{only}`", mistakes
    read, wrong = models.read(folder / "navigate", set(known))
    wrong += models.without_owner(read, owners, folder / "navigate")
    return f"{len(known)} pipelines and {len({*read, *(m.file for m in wrong)})} models", mistakes + list(wrong)


def check_text(folder: Path, name: str, text: str, roots: Roots | None = None) -> list[Mistake]:
    """The mistakes of a text that is to be the file of a pipeline; it is looked at and not kept."""
    path = Path(f"{name}.yml")
    found = pipeline_file.parsed(path, text)
    mistakes = list(found.mistakes)
    if pipeline := found.pipeline:
        mistakes += _rules(path, found, pipeline, {name, *catalog.files(folder)})
        mistakes += _paths(path, found, pipeline, folder, roots or Roots((folder,)), there=False)
    return mistakes


def _rules(path: Path, found: pipeline_file.Parsed, pipeline: Pipeline, known: Collection[str]) -> Iterator[Mistake]:
    """What the rules of a contract say that cannot hold for any data; after LONGEST what was not checked."""
    contract, ends = pipeline.quality, time.thread_time() + LONGEST
    # an alias of YAML repeats a long rule in three letters
    expression_fault, regex_fault = cache(_expression_fault), cache(_regex_fault)
    numbered: list[tuple[str, int, str | None, Callable[[], str | None]]] = [
        *(("accuracy", n, rule.matches, partial(expression_fault, rule.expression))
          for n, rule in enumerate(contract.accuracy)),
        *(("consistency", n, rule.references, partial(expression_fault, rule.expression))
          for n, rule in enumerate(contract.consistency)),
        *(("validity", n, None, partial(regex_fault, rule.regex)) for n, rule in enumerate(contract.validity)),
    ]  # fmt: skip
    for checked, (dimension, number, target, fault) in enumerate(numbered):
        where = ("quality", dimension, number)
        if time.thread_time() > ends:
            left = f"{len(numbered) - checked:,} of {len(numbered):,} rules were not checked"
            message = f"{left}: the others took longer than {LONGEST} s; make the expressions simpler"
            yield Mistake(file=path.name, line=found.line(where), message=message)
            return
        unknown = f"there is no dataset `{target.partition('.')[0]}`" if target else None
        wrong = unknown if target and target.partition(".")[0] not in known else fault()
        if wrong:
            line, name = found.line(where), f"quality.{dimension}.{number}"
            yield Mistake(file=path.name, line=line, message=f"{name}: {wrong}")


def _expression_fault(expression: str | None) -> str | None:
    """Why this can be no expression of a rule, over whatever columns."""
    if expression is None:
        return None
    from engine import sandbox  # opens DuckDB and sqlglot: loaded where a rule needs them

    try:
        sandbox.check_expression(expression, None)
    except BadPipeline as error:
        return error.message
    return None


def _regex_fault(regex: str | None) -> str | None:
    if regex is None:
        return None
    from engine import sandbox

    return None if sandbox.is_regex(regex) else f"`{regex[:80]}` is no regular expression (RE2)"


def _paths(
    path: Path, found: pipeline_file.Parsed, pipeline: Pipeline, folder: Path, roots: Roots, *, there: bool
) -> Iterator[Mistake]:
    """The path of a source that leads out of the folders that may be read; also what its glob finds, if it is `there`."""
    connector = parts.load("connector", pipeline.source["connector"])
    if not issubclass(connector.Source, FileSource):
        return
    source = connector.Source.model_validate(secrets.named(pipeline.source), context=roots)
    try:
        if there:
            source.files(folder)
        else:
            source.check(folder)
    except SourceMissing:
        pass  # it may come before the pipeline runs
    except SourceUnreadable as error:
        message = f"`source.path`: {error.message} {error.hint or ''}".strip()
        yield Mistake(file=path.name, line=found.line(("source", "path")), message=message)


def _secrets(
    path: Path, found: pipeline_file.Parsed, pipeline: Pipeline, secret: Callable[[str], object]
) -> Iterator[Mistake]:
    """The secrets that a source names and this installation does not have."""
    for where, name in secrets.references(pipeline.source):
        try:
            secret(name)
        except Misconfigured as error:
            keys = ".".join(str(key + 1 if isinstance(key, int) else key) for key in where)  # people count from one
            message = f"`{keys}`: {error.message[0].lower()}{error.message[1:-1]}"
            message += f"; {error.hint[0].lower()}{error.hint[1:-1]}" if error.hint else ""
            yield Mistake(file=path.name, line=found.line(where), message=message)
