"""What rulings change in what is published: which columns must hide more, who sees them until then, which files go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from sqlalchemy.orm import Session

from core import pipeline_stored
from core.errors import BadInput, NotFound, Refused
from core.models import PERSONAL_TYPES, ColumnType, Verdict
from core.pipeline import Pipeline
from engine import catalog
from engine.store import datasets, privacy, rulings, runs
from engine.store.tables import Ruling, Run, Version
from engine.store.tolerant import unread

TYPES = (*PERSONAL_TYPES, "CVR")  # CVR is found and not personal

Effect = Literal["being masked", "holds already", "from the next run"]
Verdicts = dict[str, Verdict]
Types = dict[str, ColumnType]


@dataclass(frozen=True)
class Outcome:
    """A ruling that was made or withdrawn, what follows from it for what is published, and the run that does it."""

    ruling: Ruling
    effect: Effect
    verdict: Verdict  # as the column is to be treated from now on
    run: Run | None


def rule(db: Session, dataset: str, column: str, type_: str | None, because: str, by: str) -> Outcome:
    """A person says what a column holds. Raises NotFound or BadInput with the nearest names."""
    version = _held(db, dataset)
    known = _known(column, version)
    kind = None if type_ is None else _type(type_)
    if kind not in PERSONAL_TYPES and not because.strip():
        hint = f"pii {dataset}.{known} is not pii because …"
        raise BadInput(f"Say why `{dataset}.{known}` holds no personal data: the reason is kept.", hint=hint)
    return _outcome(db, rulings.add(db, dataset, known, kind, because.strip(), by), version)


def withdraw(db: Session, dataset: str, number: int, by: str) -> Outcome:
    """A ruling holds no longer: an older one does, or what is found. Raises NotFound, Refused."""
    version = _held(db, dataset)
    return _outcome(db, rulings.withdraw(db, dataset, number, by), version)


def columns_of(db: Session, dataset: str) -> list[str]:
    """The columns that can be ruled on. Raises NotFound, Refused."""
    return list(_charted(db, dataset).columns)


def _charted(db: Session, dataset: str) -> Version:
    found, version = datasets.get(db, dataset)
    if found.kind != "charted":
        message = f"`{dataset}` is a model: a ruling is on a column of a dataset."
        raise Refused(message, hint=f"lineage {dataset}")
    return version


def _held(db: Session, dataset: str) -> Version:
    """The current version, which nobody else replaces until this transaction ends. Raises NotFound, Refused."""
    _charted(db, dataset)
    datasets.hold(db, dataset, "charted")
    return _charted(db, dataset)


def _known(column: str, version: Version) -> str:
    if column in version.columns:
        return column
    folded = {name.casefold(): name for name in version.columns}
    if column.casefold() in folded:
        return folded[column.casefold()]
    raise _nearest(NotFound, f"`{version.dataset}` has no column", column, folded, "It has")


def _type(type_: str) -> str:
    folded = {name.casefold(): name for name in TYPES}
    wanted = type_.strip().replace(" ", "_").casefold()
    if wanted in folded:
        return folded[wanted]
    raise _nearest(BadInput, "There is no type", type_, folded, "There are")


def _nearest(
    error: type[NotFound | BadInput], message: str, name: str, known: Mapping[str, str], there_are: str
) -> NotFound | BadInput:
    close = [known[name] for name in get_close_matches(name.casefold(), known, 2, 0.6)]
    hint = f"Did you mean {' or '.join(close)}?" if close else f"{there_are} {', '.join(list(known.values())[:20])}."
    shown = name if len(name) <= 60 else name[:60] + "…"
    raised = error(f"{message} `{shown}`.", hint=hint)
    raised.members = {"nearest": close}
    return raised


def _outcome(db: Session, ruling: Ruling, version: Version) -> Outcome:
    published, types = _published(db, version)
    verdict = published.get(ruling.column, Verdict(ruling.column))
    wanted = _wanted(db, version, {ruling.column: verdict}, types)[ruling.column]
    same = (wanted.action, wanted.scope, wanted.types) == (verdict.action, verdict.scope, verdict.types)
    tighter = _tighter(db, version.dataset, {ruling.column: verdict}, types, _definition(db, version))
    if (tighter or same) and (run := mask_again(db, version.dataset)):
        return Outcome(ruling, "being masked", wanted, run)
    return Outcome(ruling, "holds already" if same else "from the next run", wanted, None)


def tightened(db: Session, version: Version) -> Verdicts:
    """The columns of a version that hide less than is ruled, as they are to be."""
    if not rulings.listed(db, version.dataset):
        return {}
    published, types = _published(db, version)
    return _tighter(db, version.dataset, published, types, _definition(db, version))


def would_show(db: Session, pipeline: Pipeline, verdicts: Verdicts, types: Types) -> bool:
    """Whether a version made by these verdicts would hide less than is ruled by now. Hold the dataset first."""
    return bool(_tighter(db, pipeline.name, verdicts, types, pipeline))


def _tighter(db: Session, dataset: str, verdicts: Verdicts, types: Types, pipeline: Pipeline) -> Verdicts:
    held = rulings.in_force(db, dataset)
    changed = {
        column: verdict
        for column, verdict in verdicts.items()
        if verdict.options.get("ruling") != (held[column].id if column in held else None)
    }
    if not changed:
        return {}
    from engine.personal import ruled  # Presidio: loaded when there is something to weigh

    wanted = under_rulings(db, pipeline, changed, types, _others(db))
    return {
        column: ruled.without_raw_rows(changed[column], verdict, types.get(column, ColumnType()))
        for column, verdict in wanted.items()
        if ruled.tightens(changed[column], verdict, types.get(column, ColumnType()))
    }


def under_rulings(
    db: Session, pipeline: Pipeline, verdicts: Verdicts, types: Types, others: Iterable[Pipeline], zone: str = "UTC"
) -> Verdicts:
    """The verdicts as the rulings in force make them."""
    held = rulings.in_force(db, pipeline.name)
    if not held and not any("ruling" in verdict.options for verdict in verdicts.values()):
        return verdicts
    from engine.personal import ruled

    keyed, policies = catalog.keyed_columns(pipeline, others), pipeline.privacy.columns
    return {
        column: ruled.ruled(
            verdict, held.get(column), policies.get(column), column in keyed, types.get(column, ColumnType()), zone
        )
        for column, verdict in verdicts.items()
    }


def _wanted(db: Session, version: Version, verdicts: Verdicts, types: Types) -> Verdicts:
    return under_rulings(db, _definition(db, version), verdicts, types, _others(db))


def _definition(db: Session, version: Version) -> Pipeline:
    return pipeline_stored.read(version.dataset, runs.get(db, version.run_id).definition)


def _others(db: Session) -> list[Pipeline]:
    return [pipeline_stored.read(*kept) for kept in runs.newest_definitions(db).items()]


def _published(db: Session, version: Version) -> tuple[Verdicts, Types]:
    """The verdicts by which a version was made, and the types of its columns."""
    verdicts = {row.column: privacy.verdict(row) for row in privacy.verdicts(db, version.run_id)}
    return verdicts, decided_types(db, version.run_id)


def decided_types(db: Session, run: int) -> Types:
    """The types of the columns of the version that a run made."""
    results = runs.results(db, run, "remask") or runs.results(db, run, "verdicts")
    return {column: ColumnType(**kind) for result in results for column, kind in result.get("types", {}).items()}


def mask_again(db: Session, dataset: str) -> Run | None:
    """The run that masks what is published, and what was built from it, by the rulings as they are now, if one must.

    If another run of the dataset is active, that one: it will not publish less than is ruled, and where it ends
    without publishing, this is called again.
    """
    version = datasets.current_version(db, dataset)
    if version is None or not (tightened(db, version) or left_open(db, dataset)):
        return None
    active = runs.newest(db, dataset, *runs.ACTIVE)
    if active:
        return active
    by = rulings.listed(db, dataset)[0]
    run = runs.start(db, _definition(db, version), by.withdrawn_by or by.by, "remask")[0]
    run.definition = runs.get(db, version.run_id).definition  # with the keys that this version does not know
    return run


def is_masking(db: Session, run: Run) -> bool:
    """Whether this run only masks what is published."""
    return bool(runs.parts(db, run.id, "remask"))


def too_open(db: Session, versions: Iterable[int]) -> set[str]:
    """The columns, as `people.notes`, that versions or what they were built from hide less than is ruled."""
    if not rulings.datasets(db):
        return set()
    return _too_open(db, list(versions), {})


def _too_open(db: Session, versions: list[int], known: dict[int, set[str]]) -> set[str]:
    for number in versions:
        if number not in known:
            version = datasets.version(db, number)
            known[number] = _hides_less(db, version) | _too_open(db, list(version.inputs.values()), known)
    return {column for number in versions for column in known[number]}


def _hides_less(db: Session, version: Version) -> set[str]:
    """The columns of a version that hide less than is ruled: all, if what is kept about it cannot be read."""
    try:
        columns = ["*"] if unread(version.inputs) else list(tightened(db, version))
    except (Refused, ValueError):
        columns = ["*"]
    return {f"{version.dataset}.{column}" for column in columns}


def must_not_be_shown(db: Session, name: str, version: Version) -> None:
    """Raises Refused if a table holds what a ruling hides, until it is built again."""
    columns = sorted(too_open(db, [version.id]))
    if not columns:
        return
    dataset = columns[0].partition(".")[0]
    if columns[0].endswith(".*"):
        raise Refused(f"`{name}` is not shown: what is kept about `{dataset}` cannot be read.", hint=f"run {dataset}")
    last = runs.newest(db, dataset)
    if last is None or last.state in runs.ACTIVE:
        hint = f"status {dataset}"
    else:
        hint = f"retry {last.id}" if last.state != "succeeded" else f"run {dataset}"
    named = ", ".join(f"`{column}`" for column in columns[:5])
    raise Refused(f"`{name}` is not shown: {named} is being re-masked, as it was ruled.", hint=hint)


def left_open(db: Session, dataset: str) -> list[str]:
    """The models that still hold unmasked what a dataset's current version hides."""
    if dataset not in rulings.datasets(db):
        return []
    current = datasets.current_version(db, dataset)
    if current is None or tightened(db, current):
        return []  # the run that will mask it builds them
    known: dict[int, set[str]] = {}
    return [
        model.name
        for model, version in datasets.current(db)
        if model.kind == "model"
        and any(column.startswith(f"{dataset}.") for column in _too_open(db, [version.id], known))
    ]


def changes(db: Session, dataset: str, verdicts: Verdicts) -> list[str]:
    """In words, where verdicts are others than those of the version that is published."""
    version = datasets.current_version(db, dataset)
    if version is None:
        return []
    before = {row.column: privacy.verdict(row) for row in privacy.verdicts(db, version.run_id)}
    told = []
    for column, now in verdicts.items():
        was = before.get(column)
        same = was and (set(was.types), was.action, was.scope) == (set(now.types), now.action, now.scope)
        if was and not same and _words(was) != _words(now):  # a ruling may say of nothing that it is nothing
            told.append(_changed(column, was, now))
    return told


def _changed(column: str, was: Verdict, now: Verdict) -> str:
    """`email used to be hashed and is now replaced by tokens.`"""
    if set(was.types) == set(now.types):
        before, after = (_words(it).rpartition(", ")[2] for it in (was, now))
        if before != after:
            return f"Changed: `{column}` used to be {before} and is now {after}."
    return f"Changed: `{column}` was {_words(was)}; now it is {_words(now)}."


def _words(verdict: Verdict) -> str:
    from engine.personal.kinds import many

    done: Mapping[str, Any] = {
        "hash": "hashed", "redact": "redacted", "partial": "shortened", "generalize": "made coarser",
        "tokenize": "replaced by tokens", "keep": "kept",
    }  # fmt: skip
    held = " and ".join(map(many, verdict.types)) or "not personal"
    where = "" if verdict.scope == "column" or verdict.action == "keep" else " where found"
    return f"{held}, {done[verdict.action]}{where}"
