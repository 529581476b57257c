"""Datasets and their versions: what is published, and the one transaction that publishes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import eq, gt
from pathlib import Path
from typing import Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import NotFound, Refused
from core.models import Table
from engine.store.tables import Dataset, Score, Version, VersionFile
from engine.store.tolerant import unread


@dataclass(frozen=True)
class Snapshot:
    """A version that is written but that no reader sees yet."""

    dataset: str
    kind: str
    owner: str
    description: str
    run: int
    files: list[tuple[str, int]]  # path, rows
    columns: dict[str, str]
    masked: list[str] = field(default_factory=list)
    policy_hash: str = ""
    key_id: str = ""
    inputs: dict[str, int] = field(default_factory=dict)
    base: int | None = None  # the version it builds upon
    cursor: dict[str, Any] | None = None  # how far the source was read
    marks: dict[str, Any] | None = None  # marks: which rows fail which rule


def publish(db: Session, snapshot: Snapshot) -> Version:
    """Makes the snapshot the dataset's current version, and its owner the owner of the dataset from now on."""
    dataset = hold(db, snapshot.dataset, snapshot.kind)
    dataset.kind, dataset.owner, dataset.description = snapshot.kind, snapshot.owner, snapshot.description
    db.flush()
    last = db.scalar(select(func.max(Version.number)).where(Version.dataset == snapshot.dataset))
    version = Version(
        dataset=snapshot.dataset,
        number=(last or 0) + 1,
        run_id=snapshot.run,
        published_at=datetime.now(UTC),
        rows=sum(rows for _, rows in snapshot.files),
        columns=snapshot.columns,
        masked=snapshot.masked,
        policy_hash=snapshot.policy_hash,
        key_id=snapshot.key_id,
        inputs=snapshot.inputs,
        base_id=snapshot.base,
        cursor=snapshot.cursor,
        marks=snapshot.marks,
    )
    db.add(version)
    db.flush()
    db.add_all(
        VersionFile(version_id=version.id, ordinal=n, path=path, rows=rows)
        for n, (path, rows) in enumerate(snapshot.files)
    )
    dataset.current_version_id = version.id
    return version


def hold(db: Session, name: str, kind: str) -> Dataset:
    """The dataset's row, made if it is new, and nobody else's to publish until this transaction ends."""
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    empty = {"name": name, "kind": kind, "owner": "", "description": ""}
    db.execute(insert(Dataset).values(**empty).on_conflict_do_nothing())
    query = select(Dataset).where(Dataset.name == name).with_for_update().execution_options(populate_existing=True)
    return db.scalars(query).one()


def would_go_back(db: Session, dataset: str, inputs: dict[str, int]) -> bool:
    """Whether the current version was built from a newer version of some input than these. Hold the dataset first."""
    current = current_version(db, dataset)
    return current is not None and any(current.inputs.get(name, 0) > version for name, version in inputs.items())


def current_version(db: Session, dataset: str) -> Version | None:
    query = select(Version).join(Dataset, Dataset.current_version_id == Version.id).where(Dataset.name == dataset)
    return db.scalar(query)


def version(db: Session, number: int) -> Version:
    """A version by its id, current or not."""
    return db.get_one(Version, number)


def withdraw(db: Session, name: str) -> None:
    """Takes a dataset away from its readers until it is published again."""
    db.execute(update(Dataset).where(Dataset.name == name).values(current_version_id=None))


def get(db: Session, name: str, kind: str | None = None) -> tuple[Dataset, Version]:
    """A published dataset and its current version. Raises NotFound, with what there is."""
    query = select(Dataset, Version).join(Version, Dataset.current_version_id == Version.id)
    row = db.execute(query.where(Dataset.name == name)).first()
    if row is None or (kind is not None and row[0].kind != kind):
        noun = "model" if kind == "model" else "dataset"
        raise NotFound(f"There is no {noun} `{name}` that has been published.", hint=f"Say: {noun}s")
    if not _readable(row[1]):
        raise Refused(f"`{name}` is not shown: what is kept about its version cannot be read.", hint=f"run {name}")
    return row[0], row[1]


def _readable(version: Version) -> bool:
    """Whether all can be read that says what a version holds, hides and was built from."""
    return not unread(version.columns, version.masked, version.inputs)


def kind(db: Session, name: str) -> str | None:
    """Whether a name is that of a charted dataset, of a model's table or of none."""
    return db.scalar(select(Dataset.kind).where(Dataset.name == name))


def current(db: Session, names: Iterable[str] | None = None) -> list[tuple[Dataset, Version]]:
    """Published datasets, those named or all, with their current versions, by name; none that cannot be read."""
    query = select(Dataset, Version).join(Version, Dataset.current_version_id == Version.id).order_by(Dataset.name)
    if names is not None:
        query = query.where(Dataset.name.in_(list(names)))
    return [(row[0], row[1]) for row in db.execute(query) if _readable(row[1])]


def owner(db: Session, name: str) -> str | None:
    """Who owns a published dataset, "" for nobody; None if it is not published."""
    return db.scalar(select(Dataset.owner).where(Dataset.name == name, Dataset.current_version_id.is_not(None)))


def owners(db: Session, versions: Iterable[int]) -> set[str]:
    """The owners of all that some versions were built from, and of the versions themselves."""
    found, seen, wanted = set[str](), set[int](), set(versions)
    while wanted:
        query = select(Version.inputs, Dataset.owner).join(Dataset, Dataset.name == Version.dataset)
        rows = db.execute(query.where(Version.id.in_(wanted))).all()
        if any(unread(row.inputs) for row in rows):
            raise Refused("Its owners are not known: what a version was built from cannot be read.")
        found |= {row.owner for row in rows}
        seen |= wanted
        wanted = {number for row in rows for number in row.inputs.values()} - seen
    return found - {""}


_LISTED = (  # asked often: put together once
    select(
        Dataset.name, Dataset.kind, Dataset.owner, Dataset.description, Version.number, Version.rows,
        Version.published_at, Score.overall,
    )
    .join(Version, Dataset.current_version_id == Version.id)
    .outerjoin(Score, and_(Score.run_id == Version.run_id, Dataset.kind == "charted"))
    .order_by(Dataset.name)
)  # fmt: skip


def listed(
    db: Session,
    *,
    among: set[str] | None = None,
    kind: str | None = None,
    owner: str | None = None,
    after: str | None = None,
    limit: int,
) -> Sequence[Any]:
    """What lists tell about published datasets, of those named `among` or all, by name."""
    query = _LISTED.limit(limit)
    for holds, column, value in ((eq, Dataset.kind, kind), (eq, Dataset.owner, owner), (gt, Dataset.name, after)):
        if value is not None:
            query = query.where(holds(column, value))
    if among is not None:
        query = query.where(Dataset.name.in_(among))
    return db.execute(query).all()


def versions(db: Session, dataset: str, before: int | None = None, *, limit: int) -> Sequence[Any]:
    """The versions of a dataset, newest first."""
    query = select(Version.id, Version.number, Version.run_id, Version.rows, Version.published_at)
    query = query.where(Version.dataset == dataset).order_by(Version.number.desc()).limit(limit)
    return db.execute(query if before is None else query.where(Version.number < before)).all()


def merged_rows(db: Session, dataset: str, run: int) -> int | None:
    """How many rows the version has that a run published by merging into another one."""
    query = select(Version.rows).where(Version.run_id == run, Version.dataset == dataset, Version.base_id.is_not(None))
    return db.scalar(query)


def runs_merged(db: Session, dataset: str) -> set[int]:
    """The runs whose rows the current version holds, back to the last that read everything."""
    newest = select(Version.id, Version.run_id, Version.base_id).join(Dataset, Dataset.current_version_id == Version.id)
    chain = newest.where(Dataset.name == dataset).cte(recursive=True)
    before = select(Version.id, Version.run_id, Version.base_id).join(chain, Version.id == chain.c.base_id)
    chain = chain.union_all(before)
    return set(db.scalars(select(chain.c.run_id)))


def rows_of(db: Session, dataset: str, run: int) -> int | None:
    """How many rows the version has that a run has published."""
    return db.scalar(select(Version.rows).where(Version.run_id == run, Version.dataset == dataset))


def version_of(db: Session, dataset: str, run: int) -> int | None:
    """The number of the version that a run has published."""
    return db.scalar(select(Version.number).where(Version.run_id == run, Version.dataset == dataset))


def files(db: Session, version: int) -> list[tuple[str, int]]:
    """The files of a version with their rows, in order."""
    query = select(VersionFile.path, VersionFile.rows).where(VersionFile.version_id == version)
    return [(row.path, row.rows) for row in db.execute(query.order_by(VersionFile.ordinal))]


def table(db: Session, dataset: Dataset, version: Version) -> Table:
    """A published version as a reader of its files sees it."""
    paths = db.scalars(
        select(VersionFile.path).where(VersionFile.version_id == version.id).order_by(VersionFile.ordinal)
    )
    return Table(dataset.name, tuple(map(Path, paths)), dict(version.columns), frozenset(version.masked), version.rows)


def tables(db: Session, names: Iterable[str] | None = None) -> dict[str, tuple[Table, int]]:
    """Published tables by name with the id of the version they are, of those named or all."""
    return {dataset.name: (table(db, dataset, version), version.id) for dataset, version in current(db, names)}


def columns(db: Session) -> dict[str, dict[str, str]]:
    """The columns of everything that is published, with their types."""
    return {dataset.name: dict(version.columns) for dataset, version in current(db)}


def files_in_use(db: Session) -> set[str]:
    """The files of every version that is current."""
    query = select(VersionFile.path).join(Dataset, Dataset.current_version_id == VersionFile.version_id)
    marks = select(Version.marks).join(Dataset, Dataset.current_version_id == Version.id)
    beside = {path for kept in db.scalars(marks) if kept for path in kept["files"]}
    return set(db.scalars(query)) | beside


def of_files(db: Session, paths: Iterable[str]) -> dict[str, int]:
    """The version that lists a file, by path, of files that any lists."""
    query = select(VersionFile.path, VersionFile.version_id).where(VersionFile.path.in_(list(paths)))
    return {row.path: row.version_id for row in db.execute(query)}


def built_from(db: Session, names: Iterable[str]) -> set[str]:
    """The models of which some version was built from one of these, or from another such model."""
    query = select(Version.dataset, Version.inputs).join(Dataset, Dataset.name == Version.dataset)
    built = [(row.dataset, set(row.inputs)) for row in db.execute(query.where(Dataset.kind == "model"))]
    found, known = set[str](), set(names)
    while more := {model for model, inputs in built if inputs & (known | found)} - found:
        found |= more
    return found
