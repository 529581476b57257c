"""Validates pipeline files and models together: every mistake with its file and line."""

from collections.abc import Collection, Iterator
from pathlib import Path

import duckdb

from core import pipeline_file
from core.errors import BadPipeline
from core.pipeline import Pipeline
from core.pipeline_file import Mistake
from engine import catalog, sandbox


def check(folder: Path, only: str | None = None) -> tuple[str, list[Mistake]]:
    """What was checked, in words, and the mistakes. Raises NotFound if `only` is no pipeline."""
    from engine.navigate import models

    known = catalog.files(folder)
    if only is not None and only not in known:
        raise catalog.nearest("pipeline", only, known)
    wanted = [known[only]] if only else list(known.values())
    mistakes: list[Mistake] = []
    for path in wanted:
        pipeline, wrong_keys = pipeline_file.check(path)
        mistakes += wrong_keys
        if pipeline:
            mistakes += _rules(path, pipeline, known)
    if only:
        return f"`{only}`", mistakes
    found, wrong = models.read(folder / "navigate", set(known))
    return f"{len(known)} pipelines and {len(found) + len(wrong)} models", mistakes + list(wrong)


def _rules(path: Path, pipeline: Pipeline, known: Collection[str]) -> Iterator[Mistake]:
    """What the rules of a contract say that cannot hold for any data."""
    contract = pipeline.quality

    def mistake(dimension: str, number: int, message: str) -> Mistake:
        line = pipeline_file.line_of(path, ("quality", dimension, number))
        return Mistake(file=path.name, line=line, message=f"quality.{dimension}.{number}: {message}")

    numbered: list[tuple[str, int, str | None, str | None]] = [
        *(("accuracy", n, rule.matches, rule.expression) for n, rule in enumerate(contract.accuracy)),
        *(("consistency", n, rule.references, rule.expression) for n, rule in enumerate(contract.consistency)),
    ]
    for dimension, number, target, expression in numbered:
        if target and target.partition(".")[0] not in known:
            yield mistake(dimension, number, f"there is no dataset `{target.partition('.')[0]}`")
        if expression:
            try:
                sandbox.check_expression(expression, None)
            except BadPipeline as error:
                yield mistake(dimension, number, error.message)
    for number, valid in enumerate(contract.validity):
        if valid.regex is not None:
            with duckdb.connect() as connection:
                try:
                    connection.execute("SELECT regexp_full_match('', ?)", [valid.regex])
                except duckdb.Error:
                    yield mistake("validity", number, f"`{valid.regex}` is no regular expression (RE2)")
