"""Whether a model is built, why not, and what to do: correct a file, run a dataset, or run the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from core.errors import AtlasError, NotFound, QueryStopped, Refused
from engine import catalog
from engine.store import datasets, runs
from engine.store.tables import Dataset, Version

if TYPE_CHECKING:
    from engine.home import Home
    from engine.navigate.models import Model

NEWEST = 20  # the last build of a model is looked for in so many runs of each dataset that it reads


def published(home: Home, db: Session, name: str) -> tuple[Dataset, Version]:
    """The published dataset or table, with its version. Raises an AtlasError with what to do if there is none."""
    try:
        return datasets.get(db, name)
    except NotFound:
        raise unpublished(home, db, name) from None


def unpublished(home: Home, db: Session, name: str) -> AtlasError:
    """The error for a name under which nothing is published: why, and what to do."""
    pipelines = catalog.files(home.settings.pipelines)
    if name in pipelines:
        newest = runs.newest(db, name)
        if newest is None:
            return NotFound(f"`{name}` has not run yet.", hint=f"run {name}")
        if newest.state in runs.ACTIVE:
            return NotFound(f"`{name}` is not published yet: run #{newest.id} goes on.", hint=f"status {newest.id}")
        return NotFound(f"`{name}` is not published yet: run #{newest.id} {_ended(newest.state)}.",
                        hint=f"why {newest.id}")  # fmt: skip
    files = catalog.models(home.settings.pipelines)
    if name in files:
        return trouble(home, db, name) or NotFound(f"The table of `{name}` is not built yet.", hint=f"run {name}")
    return catalog.nearest("dataset or table", name, sorted({*pipelines, *files}))


def explained(home: Home, db: Session, name: str) -> tuple[str, list[str], Version | None]:
    """The headline of a model, further sentences about it, and its published version, if it has one."""
    version = datasets.current_version(db, name)
    wrong = trouble(home, db, name)
    seen = [f"People see the table that run #{version.run_id} built."] if version else ["It has no table yet."]
    if wrong is not None:
        return wrong.message, [*seen, *([wrong.hint] if wrong.hint else [])], version
    if version is None:
        return f"`{name}` is not built yet.", [f"Nothing keeps it from being built: run {name}"], None
    read = sorted(version.inputs)
    numbers = {it: datasets.version(db, number).number for it, number in version.inputs.items()}
    told = ", ".join(f"`{it}` (version {numbers[it]})" for it in read)
    return f"`{name}` was built in run #{version.run_id}.", [f"It has {version.rows:,} rows, from {told}."], version


def trouble(home: Home, db: Session, name: str) -> AtlasError | None:
    """The error that keeps a model from being built, its hint saying what to do; None if no error is known."""
    try:
        model = _model(home, name)
        schemas = _schemas(home, db, model)
        _planned(model, schemas)
    except AtlasError as error:
        return error
    failed = last_build(db, model, home)
    return Refused(str(failed["note"])) if failed and failed["state"] == "failed" else None


def buildable(home: Home, db: Session, name: str) -> Model:
    """The model, if it can be built now; no rows are read to find out. Raises the errors that `trouble` returns."""
    model = _model(home, name)
    _planned(model, _schemas(home, db, model))
    return model


def last_build(db: Session, model: Model, home: Home) -> dict[str, Any] | None:
    """How the newest run that tried to build a model ended for it: its entry in the tables of that run."""
    newest: tuple[int, dict[str, Any]] | None = None
    for name in {model.name, *above(home, model)}:
        for run in runs.page(db, pipeline=name, limit=NEWEST):
            found = next((table for table in run.tables or () if table["name"] == model.name), None)
            if found is not None:
                newest = max(newest or (0, found), (run.id, found), key=lambda pair: pair[0])
                break
    return newest[1] if newest else None


def above(home: Home, model: Model) -> set[str]:
    """The names of all datasets and models that a model reads, directly or through other models."""
    from engine.navigate import models

    known, _ = models.read(home.settings.pipelines / "navigate", set(catalog.files(home.settings.pipelines)))
    found: set[str] = set()
    queue = list(model.inputs)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += known[name].inputs if name in known else ()
    return found


def _model(home: Home, name: str) -> Model:
    """Reads the file of a model. Raises BadPipeline with the mistakes in it."""
    from engine.navigate import build, models

    folder = home.settings.pipelines / "navigate"
    known, mistakes = models.read(folder, set(catalog.files(home.settings.pipelines)))
    if name in known:
        return known[name]
    wrong = [m for m in mistakes if m.file == f"navigate/{name}.sql"]
    lines = " ".join(f"line {m.line}: {m.message}" for m in wrong)
    raise build.not_built(name, lines or "its file cannot be read.")


def _schemas(home: Home, db: Session, model: Model) -> Mapping[str, Mapping[str, str]]:
    """The columns of each dataset and model that a model reads. Raises Refused if one of them is not published."""
    inputs = datasets.tables(db, model.inputs)
    waits = [name for name in model.inputs if name not in inputs]
    if waits:
        why = unpublished(home, db, waits[0])
        raise Refused(f"`{model.name}` waits for `{waits[0]}`. {why.message}", hint=why.hint)
    return {name: table.columns for name, (table, _) in inputs.items()}


def _planned(model: Model, schemas: Mapping[str, Mapping[str, str]]) -> None:
    """Raises BadPipeline if the SQL of a model does not fit the columns of what it reads."""
    from engine.navigate import build

    try:
        build.planned(model, schemas)
    except QueryStopped:
        raise build.not_built(model.name, "its SQL takes too long to be planned.") from None


def _ended(state: str) -> str:
    return {"refused": "was refused", "cancelled": "was cancelled"}.get(state, state)
