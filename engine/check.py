"""Validates pipeline files and models together: every mistake with its file and line."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from connectors._files import FileSource
from core import parts, pipeline_file, secrets
from core.errors import Misconfigured, SourceMissing, SourceUnreadable
from core.kept import Kept
from core.pipeline import Pipeline
from core.pipeline_file import Mistake
from core.roots import Roots
from engine import catalog, named
from engine.navigate import looked
from engine.navigate.looked import HasColumn

Published = Mapping[str, Mapping[str, str]]  # dataset -> column -> type
_LACKS = re.compile('names `"?([^`"]+)"?`, which is no column')
LONGEST = 5  # seconds of computing that the rules of one file may take; waiting for a busy machine does not count


def check(
    folder: Path,
    only: str | None = None,
    secret: Callable[[str], Kept] | None = None,
    roots: Roots | None = None,
    published: Published | None = None,
) -> tuple[str, list[Mistake]]:
    """What was checked, in words, and the mistakes. Raises NotFound if `only` is no pipeline and no model.

    `published` are the columns of what is published, by dataset: names in the files and models are looked for among
    them. A column that is new in the files of a source, or may be in a database or an API, is a warning.

    `secret` is `Settings.secret` where the secrets that the files name must be there; `roots` are the folders that
    sources may read files from, only the one of the pipeline files by default.
    """
    from engine.navigate import models

    known = catalog.files(folder)
    model = only if only not in known and only in catalog.models(folder) else None
    if only is not None and only not in known and not model:
        raise catalog.nearest("pipeline", only, known, catalog.models(folder))
    wanted = [] if model else [known[only]] if only else list(known.values())
    roots = roots or Roots((folder,))
    has = looked.in_files(known, folder, roots)
    mistakes: list[Mistake] = []
    owners: dict[str, str] = {}
    for path in wanted:
        found = pipeline_file.parsed(path)
        mistakes += found.mistakes
        if pipeline := found.pipeline:
            owners[pipeline.name] = pipeline.owner
            mistakes += _rules(path, found, pipeline, {*known, *(published or {})}, published or {}, has)
            mistakes += _paths(path, found, pipeline, folder, roots, there=True)
            mistakes += _secrets(path, found, pipeline, secret) if secret else []
    if only and not model:
        return f"`{only}`", mistakes
    read, wrong = models.read(folder / "navigate", set(known))
    if not model:
        wrong += models.without_owner(read, owners, folder / "navigate")
    told = (
        f"`{model}`" if model else f"{_many(len(known), 'pipeline')} and {_many(len(catalog.models(folder)), 'model')}"
    )
    if published is not None:
        from engine.navigate import checked

        lacking, waits = checked.mistakes(read.values(), folder / "navigate", published, has)
        wrong += lacking
        if waiting := sorted({name: it for name, it in waits.items() if model in (None, name)}):
            first = waits[waiting[0]]
            told += f" (columns not checked of {catalog.listed(waiting)}: {first} is not published)"
    return told, mistakes + [m for m in wrong if model is None or m.file == f"navigate/{model}.sql"]


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def check_text(
    folder: Path, name: str, text: str, roots: Roots | None = None, published: Published | None = None
) -> list[Mistake]:
    """The mistakes of a text that is to be the file of a pipeline; it is looked at and not kept."""
    path = Path(f"{name}.yml")
    found = pipeline_file.parsed(path, text)
    mistakes = list(found.mistakes)
    if pipeline := found.pipeline:
        known = {name, *catalog.files(folder), *(published or {})}
        mistakes += _rules(path, found, pipeline, known, published or {}, looked.unknown)
        mistakes += _paths(path, found, pipeline, folder, roots or Roots((folder,)), there=False)
    return mistakes


def _rules(
    path: Path, found: pipeline_file.Parsed, pipeline: Pipeline, known: Collection[str], published: Published,
    has: HasColumn,
) -> Iterator[Mistake]:  # fmt: skip
    """What cannot hold for any data, or not for what is published; after LONGEST what was not checked."""

    def mistake(where: named.Place, wrong: str, *, warning: bool = False) -> Mistake:
        keys = ".".join(str(key + 1 if isinstance(key, int) else key) for key in where)  # people count from one
        return Mistake(file=path.name, line=found.line(where), message=f"`{keys}`: {wrong}", warning=warning)

    own = published.get(pipeline.name)
    only_a_run = f"Whether its source has it is only known after a run: run {pipeline.name}"
    for where, column in named.columns(pipeline):
        if not own or column in own:
            continue
        there = has(pipeline.name, column)
        if there:
            yield mistake(where, looked.new([column], pipeline.name), warning=True)
            continue
        lacks = f"`{pipeline.name}` was published without a column `{column}`"
        if there is None:
            near = named.meant(column, own)
            close = f"; did you mean `{near}`?" if near else "."
            yield mistake(where, f"{lacks}{close} {only_a_run}", warning=True)
        else:
            yield mistake(where, f"{lacks}, and its source has none. {named.suggested(column, own)}")
    for where, dataset, column in named.references(pipeline):
        columns = published.get(dataset, {})
        if dataset not in known:
            near = named.meant(dataset, known)
            yield mistake(where, f"there is no dataset `{dataset}`{f'; did you mean `{near}`?' if near else ''}")
        elif columns and column not in columns and has(dataset, column):
            yield mistake(where, looked.new([f"{dataset}.{column}"], dataset), warning=True)
        elif columns and column not in columns:
            yield mistake(where, f"`{dataset}` has no column `{column}`. {named.suggested(column, columns)}")
    from engine.sql import sandbox  # opens DuckDB and sqlglot: loaded where a rule needs them

    contract = pipeline.quality
    numbered: list[tuple[str, int, tuple[str, str | None]]] = [
        *(("accuracy", n, ("expression", rule.expression)) for n, rule in enumerate(contract.accuracy)),
        *(("consistency", n, ("expression", rule.expression)) for n, rule in enumerate(contract.consistency)),
        *(("validity", n, ("regex", rule.regex)) for n, rule in enumerate(contract.validity)),
    ]
    # an alias of YAML repeats a long rule in three letters
    asked = list(dict.fromkeys((kind, text) for *_, (kind, text) in numbered if text is not None))
    faults: dict[tuple[str, str | None], str | None] = {}
    if asked:
        faults.update(zip(asked, sandbox.rule_faults(asked, LONGEST, own), strict=False))
    for checked, (dimension, number, rule) in enumerate(numbered):
        where = ("quality", dimension, number)
        if rule[1] is not None and rule not in faults:
            left = f"{len(numbered) - checked:,} of {len(numbered):,} rules were not checked"
            message = f"{left}: the others took longer than {LONGEST} s; make the expressions simpler"
            yield Mistake(file=path.name, line=found.line(where), message=message)
            return
        wrong, new = faults.get(rule), list[str]()
        while own and wrong and (it := _LACKS.search(wrong)) and has(pipeline.name, it[1]):
            new.append(it[1])
            wrong = next(iter(sandbox.rule_faults([(rule[0], str(rule[1]))], LONGEST, [*own, *new])), None)
        if wrong and own and (it := _LACKS.search(wrong)) and has(pipeline.name, it[1]) is None:
            yield mistake(where, f"{wrong} {only_a_run}", warning=True)
        elif wrong:
            yield mistake(where, wrong)
        elif new:
            yield mistake(where, looked.new(new, pipeline.name), warning=True)


def _paths(
    path: Path, found: pipeline_file.Parsed, pipeline: Pipeline, folder: Path, roots: Roots, *, there: bool
) -> Iterator[Mistake]:
    """The path of a source that leads out of the folders that may be read, and what its glob finds if it is `there`."""
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
    path: Path, found: pipeline_file.Parsed, pipeline: Pipeline, secret: Callable[[str], Kept]
) -> Iterator[Mistake]:
    """The secrets that a source names and may not use here: missing ones, and those for another host or use."""

    def mistake(where: secrets.Place, error: Misconfigured) -> Mistake:
        keys = ".".join(str(key + 1 if isinstance(key, int) else key) for key in where)  # people count from one
        message = f"`{keys}`: {error.message[0].lower()}{error.message[1:-1]}"
        message += f"; {error.hint[0].lower()}{error.hint[1:].removesuffix('.')}" if error.hint else ""
        return Mistake(file=path.name, line=found.line(where), message=message)

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
