"""The columns that a pipeline file names, their places in the file, and the known name nearest to a wrong one."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from itertools import islice

from core.pipeline import Pipeline

Place = tuple[str | int, ...]  # the keys and list positions that lead to a value in the file
MOST_COMPARED = 2_000  # known names that a wrong one is compared with, because comparing is slow
MOST_LISTED = 20  # names in a sentence


def columns(pipeline: Pipeline) -> Iterator[tuple[Place, str]]:
    """Yields each column of its own dataset that the file names, with its place. Expressions are not looked into."""
    contract = pipeline.quality
    for dimension in ("completeness", "validity", "accuracy", "consistency"):
        rules = getattr(contract, dimension)
        yield from ((("quality", dimension, n), rule.column) for n, rule in enumerate(rules) if rule.column)
    for n, rule in enumerate(contract.uniqueness):
        yield from ((("quality", "uniqueness", n), column) for column in rule.columns)
    if contract.timeliness:
        yield ("quality", "timeliness"), contract.timeliness.column
    yield from ((("key",), column) for column in pipeline.key)
    yield from ((("subject", kind), column) for kind, column in pipeline.subject.items())
    yield from ((("privacy", "columns", column), column) for column in pipeline.privacy.columns)
    yield from ((("columns", column), column) for column in pipeline.columns)
    if isinstance(cursor := pipeline.source.get("cursor"), str):
        yield ("source", "cursor"), cursor


def references(pipeline: Pipeline) -> Iterator[tuple[Place, str, str]]:
    """Yields the targets of `matches` and `references`: place in the file, dataset, column."""
    contract = pipeline.quality
    found = [(("quality", "accuracy", n), rule.matches) for n, rule in enumerate(contract.accuracy)]
    found += [(("quality", "consistency", n), rule.references) for n, rule in enumerate(contract.consistency)]
    for where, target in found:
        if target:
            dataset, _, column = target.partition(".")
            yield where, dataset, column


def meant(name: str, known: Collection[str]) -> str | None:
    """The known name that is nearest to a wrong one, or contains it; None if none is near."""
    said = name.casefold()
    by_form = {other.casefold(): other for other in islice(known, MOST_COMPARED)}
    close = get_close_matches(said, by_form, 1, 0.6)
    inside = [form for form in by_form if len(said) > 2 and (said in form or (len(form) > 2 and form in said))]
    found = close or sorted(inside, key=len)[:1]
    return by_form[found[0]] if found else None


def suggested(name: str, known: Collection[str]) -> str:
    """`Did you mean x?`, or the first known names if none is near."""
    if close := meant(name, known):
        return f"Did you mean `{close}`?"
    more = f" and {len(known) - MOST_LISTED} more" if len(known) > MOST_LISTED else ""
    return f"It has: {', '.join(islice(known, MOST_LISTED))}{more}." if known else ""
