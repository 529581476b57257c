"""Datasets and their versions: what is published, and the one transaction that publishes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.models import Table
from engine.store.tables import Dataset, Version, VersionFile


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


def publish(db: Session, snapshot: Snapshot) -> Version:
    """Makes the snapshot the dataset's current version."""
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


def get(db: Session, name: str, kind: str | None = None) -> tuple[Dataset, Version]:
    """A published dataset and its current version. Raises NotFound, with what there is."""
    query = select(Dataset, Version).join(Version, Dataset.current_version_id == Version.id)
    row = db.execute(query.where(Dataset.name == name)).first()
    if row is None or (kind is not None and row[0].kind != kind):
        noun = "model" if kind == "model" else "dataset"
        raise NotFound(f"There is no {noun} `{name}` that has been published.", hint=f"Say: {noun}s")
    return row[0], row[1]


def listed(db: Session) -> list[tuple[Dataset, Version]]:
    """All published datasets with their current versions, by name."""
    query = select(Dataset, Version).join(Version, Dataset.current_version_id == Version.id).order_by(Dataset.name)
    return [(row[0], row[1]) for row in db.execute(query)]


def versions(db: Session, dataset: str, limit: int = 50) -> list[Version]:
    """The versions of a dataset, newest first."""
    query = select(Version).where(Version.dataset == dataset).order_by(Version.number.desc()).limit(limit)
    return list(db.scalars(query))


def table(db: Session, dataset: Dataset, version: Version) -> Table:
    """A published version as a reader of its files sees it."""
    paths = db.scalars(
        select(VersionFile.path).where(VersionFile.version_id == version.id).order_by(VersionFile.ordinal)
    )
    return Table(dataset.name, tuple(map(Path, paths)), dict(version.columns), frozenset(version.masked), version.rows)


def tables(db: Session, names: Iterable[str] | None = None) -> dict[str, tuple[Table, int]]:
    """Published tables by name with the id of the version they are, of those named or all."""
    wanted = None if names is None else set(names)
    return {
        dataset.name: (table(db, dataset, version), version.id)
        for dataset, version in listed(db)
        if wanted is None or dataset.name in wanted
    }


def files_in_use(db: Session) -> set[str]:
    """The files of every version that is current."""
    query = select(VersionFile.path).join(Dataset, Dataset.current_version_id == VersionFile.version_id)
    return set(db.scalars(query))
