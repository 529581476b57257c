"""Validates pipeline files and models together: every mistake with its file and line."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from connectors._files import FileSource
from core import parts, pipeline_file, secrets
from core.errors import BadPipeline, Misconfigured, SourceMissing, SourceUnreadable
from core.kept import Kept
from core.pipeline import Pipeline
from core.pipeline_file import Mistake
from core.roots import Roots
from engine import catalog


def check(
    folder: Path,
    only: str | None = None,
    secret: Callable[[str], Kept] | None = None,
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
        pipeline, wrong_keys = pipeline_file.check(path)
        mistakes += wrong_keys
        if pipeline:
            owners[pipeline.name] = pipeline.owner
            mistakes += _rules(path, pipeline, known)
            mistakes += _paths(path, pipeline, folder, roots or Roots((folder,)))
            mistakes += _secrets(path, pipeline, secret) if secret else []
    if only:
        return f"`{only}`", mistakes
    found, wrong = models.read(folder / "navigate", set(known))
    wrong += models.without_owner(found, owners, folder / "navigate")
    return f"{len(known)} pipelines and {len({*found, *(m.file for m in wrong)})} models", mistakes + list(wrong)


def check_text(folder: Path, name: str, text: str, roots: Roots | None = None) -> list[Mistake]:
    """The mistakes of a text that is to be the file of a pipeline; it is looked at and not kept."""
    path = Path(f"{name}.yml")
    pipeline, mistakes = pipeline_file.check(path, text)
    if pipeline:
        mistakes += _rules(path, pipeline, {name, *catalog.files(folder)}, text)
        mistakes += _paths(path, pipeline, folder, roots or Roots((folder,)), text)
    return mistakes


def _rules(path: Path, pipeline: Pipeline, known: Collection[str], text: str | None = None) -> Iterator[Mistake]:
    """What the rules of a contract say that cannot hold for any data."""
    contract = pipeline.quality

    def mistake(dimension: str, number: int, message: str) -> Mistake:
        line = pipeline_file.line_of(path, ("quality", dimension, number), text)
        return Mistake(file=path.name, line=line, message=f"quality.{dimension}.{number}: {message}")

    numbered: list[tuple[str, int, str | None, str | None]] = [
        *(("accuracy", n, rule.matches, rule.expression) for n, rule in enumerate(contract.accuracy)),
        *(("consistency", n, rule.references, rule.expression) for n, rule in enumerate(contract.consistency)),
    ]
    for dimension, number, target, expression in numbered:
        if target and target.partition(".")[0] not in known:
            yield mistake(dimension, number, f"there is no dataset `{target.partition('.')[0]}`")
        if expression:
            from engine import sandbox  # opens DuckDB and sqlglot: loaded where a rule needs them

            try:
                sandbox.check_expression(expression, None)
            except BadPipeline as error:
                yield mistake(dimension, number, error.message)
    for number, valid in enumerate(contract.validity):
        if valid.regex is not None:
            import duckdb

            with duckdb.connect() as connection:
                try:
                    connection.execute("SELECT regexp_full_match('', ?)", [valid.regex])
                except duckdb.Error:
                    yield mistake("validity", number, f"`{valid.regex}` is no regular expression (RE2)")


def _paths(path: Path, pipeline: Pipeline, folder: Path, roots: Roots, text: str | None = None) -> Iterator[Mistake]:
    """The path of a source that leads out of the folders that may be read; of a file, also what its glob finds now."""
    connector = parts.load("connector", pipeline.source["connector"])
    if not issubclass(connector.Source, FileSource):
        return
    source = connector.Source.model_validate(secrets.named(pipeline.source), context=roots)
    try:
        if text is None:
            source.files(folder)
        else:
            source.check(folder)
    except SourceMissing:
        pass  # it may come before the pipeline runs
    except SourceUnreadable as error:
        message = f"`source.path`: {error.message} {error.hint or ''}".strip()
        yield Mistake(file=path.name, line=pipeline_file.line_of(path, ("source", "path"), text), message=message)


def _secrets(path: Path, pipeline: Pipeline, secret: Callable[[str], Kept]) -> Iterator[Mistake]:
    """The secrets that a source names and may not use here: missing ones, and those for another host or use."""

    def mistake(where: secrets.Place, error: Misconfigured) -> Mistake:
        keys = ".".join(str(key + 1 if isinstance(key, int) else key) for key in where)  # people count from one
        message = f"`{keys}`: {error.message[0].lower()}{error.message[1:-1]}"
        message += f"; {error.hint[0].lower()}{error.hint[1:].removesuffix('.')}" if error.hint else ""
        return Mistake(file=path.name, line=pipeline_file.line_of(path, where), message=message)

    named = list(secrets.references(pipeline.source))
    missing = False
    for where, name in named:
        try:
            secret(name)
        except Misconfigured as error:
            missing = True
            yield mistake(where, error)
    connector = parts.load("connector", pipeline.source["connector"])
    if named and not missing and hasattr(connector, "check"):
        try:
            connector.check(connector.Source.model_validate(secrets.named(pipeline.source, secret)))
        except Misconfigured as error:
            yield mistake(named[0][0], error)
