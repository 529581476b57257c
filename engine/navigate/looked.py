"""Whether a source has a column, found out from its files without a run."""

from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from connectors._files import FileSource
from core import parts, pipeline_file, secrets
from core.errors import AtlasError
from core.models import LINE, Rejects, Remark, SourcePart
from core.pipeline import Pipeline
from core.roots import Roots

MOST_FILES = 20  # files of one source that are opened, the last by name: a new column is in the newest
_SOME = {"jsonl"}  # connectors whose first rows need not have every column

HasColumn = Callable[[str, str], bool | None]  # dataset, column -> None if only a run can tell


def unknown(_dataset: str, _column: str) -> None:
    """Nothing is known of any source."""


def new(columns: list[str], dataset: str) -> str:
    """A sentence on columns that are in the source but not yet in the published dataset."""
    names = " and ".join(f"`{column}`" for column in columns)
    if len(columns) == 1:
        return f"{names} is new in the source and not published yet; to publish it: run {dataset}"
    return f"{names} are new in the source and not published yet; to publish them: run {dataset}"


def in_files(known: dict[str, Path], folder: Path, roots: Roots) -> HasColumn:
    """Looks into the files of the pipelines in `known`, each source once. Databases and APIs are not asked."""

    @cache
    def columns(dataset: str) -> tuple[frozenset[str], bool]:
        pipeline = pipeline_file.check(known[dataset])[0] if dataset in known else None
        return _columns(pipeline, folder, roots) if pipeline else (frozenset(), False)

    def has(dataset: str, column: str) -> bool | None:
        there, all_of_them = columns(dataset)
        return True if column in there else False if all_of_them else None

    return has


def _columns(pipeline: Pipeline, folder: Path, roots: Roots) -> tuple[frozenset[str], bool]:
    """The columns that the files of a source begin with, and whether these are all that it has."""
    connector = parts.load("connector", pipeline.source["connector"])
    if not issubclass(connector.Source, FileSource):
        return frozenset(), False
    source = connector.Source.model_validate(secrets.named(pipeline.source), context=roots)
    found: set[str] = set()
    try:
        files = source.files(folder)
        for file in files[-MOST_FILES:]:
            found |= _begins_with(connector, source, file)
    except AtlasError:  # a run says what is wrong with it
        return frozenset(found), False
    return frozenset(found), len(files) <= MOST_FILES and pipeline.source["connector"] not in _SOME


def _begins_with(connector: Any, source: FileSource, file: SourcePart) -> set[str]:
    with closing(connector.read(source, file)) as batches:
        for batch in batches:
            if not isinstance(batch, Rejects | Remark) and set(batch.schema.names) != {LINE}:
                return set(batch.schema.names) - {LINE}
    return set()
