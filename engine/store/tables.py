"""The tables, by domain: access, catalog, runs, privacy, quality, lineage."""

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, MetaData, String, Text, TypeDecorator, UniqueConstraint, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcTime(TypeDecorator[datetime]):
    """An aware time, stored in UTC on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Names constraints, so that a migration can change them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcTime, dict[str, Any]: JSON, list[Any]: JSON, str: String(255)}  # noqa: RUF012


Words = Annotated[str, mapped_column(Text)]  # text of any length


# access


class User(Table):
    __tablename__ = "user_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    created_at: Mapped[datetime]


class Token(Table):
    """A bearer token; only its SHA-256 is kept."""

    __tablename__ = "token"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


# catalog


class Dataset(Table):
    """A charted dataset or a model's table. Readers only ever see `current_version_id`."""

    __tablename__ = "dataset"
    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  # charted, model
    owner: Mapped[str]
    description: Mapped[Words]
    current_version_id: Mapped[int | None]  # no foreign key: versions name their dataset, a circle helps nobody


class Version(Table):
    """A complete snapshot of a dataset: an ordered list of immutable files."""

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("dataset", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(ForeignKey("dataset.name"))
    number: Mapped[int]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    published_at: Mapped[datetime]
    rows: Mapped[int]
    columns: Mapped[dict[str, Any]]  # name -> DuckDB type, in order
    masked: Mapped[list[Any]]  # hashed columns
    policy_hash: Mapped[str]
    key_id: Mapped[str]
    inputs: Mapped[dict[str, Any]]  # dataset -> version id it was built from


class VersionFile(Table):
    __tablename__ = "version_file"
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[Words]
    rows: Mapped[int]


class Fact(Table):
    """What this installation must remember about itself, by name: the masking key's fingerprint."""

    __tablename__ = "fact"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Words]


# runs


class Run(Table):
    __tablename__ = "run"
    __table_args__ = (
        Index(
            "ux_run_one_active_a_pipeline",
            "pipeline",
            unique=True,
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline: Mapped[str] = mapped_column(index=True)
    definition: Mapped[dict[str, Any]]  # the pipeline file as it was at the start
    state: Mapped[str]  # queued running succeeded refused failed cancelled
    full: Mapped[bool]
    requested_by: Mapped[str]
    retry_of: Mapped[int | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    resumed: Mapped[int] = mapped_column(default=0)  # how often a dead worker's part was taken over
    rows_in: Mapped[int | None]
    rows_out: Mapped[int | None]
    rows_rejected: Mapped[int | None]
    error: Mapped[dict[str, Any] | None]
    tables: Mapped[list[Any]] = mapped_column(default=list)
    warnings: Mapped[list[Any]] = mapped_column(default=list)


class Part(Table):
    """A piece of work that one worker does under a lease. A ready part is its own wake-up call to be sent."""

    __tablename__ = "part"
    __table_args__ = (
        UniqueConstraint("run_id", "step", "ordinal"),
        Index("ix_part_state_wake_at", "state", "wake_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    step: Mapped[str]
    ordinal: Mapped[int]
    spec: Mapped[dict[str, Any]]
    state: Mapped[str]  # ready running done failed cancelled
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(default=0)  # the fence: a writer with an older one is refused
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    wake_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    rows: Mapped[int] = mapped_column(default=0)
    result: Mapped[dict[str, Any] | None]


class DeadLetters(Table):
    """Rejected rows of a run by cause; the rows themselves stay in the closed zone."""

    __tablename__ = "dead_letters"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    dataset: Mapped[str]
    cause: Mapped[Words]
    rule: Mapped[Words | None]
    column: Mapped[str | None]
    rows: Mapped[int]
    lines: Mapped[list[Any]]  # the first few, for finding them in the source


# privacy


class VerdictRow(Table):
    """What a column of a run was found to hold and what was done with it."""

    __tablename__ = "verdict"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(index=True)
    column: Mapped[str]
    types: Mapped[list[Any]]
    confidence: Mapped[float]
    reason: Mapped[Words]
    action: Mapped[str]
    scope: Mapped[str]
    options: Mapped[dict[str, Any]]
    rows: Mapped[int]
    masked: Mapped[int]
    found: Mapped[dict[str, Any]]  # kind of personal data -> cells masked


# quality


class Score(Table):
    """The scores of a run, of refused ones too. Null = not measured."""

    __tablename__ = "score"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    dataset: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    overall: Mapped[float | None]
    measured: Mapped[int]
    dimensions: Mapped[dict[str, Any]]


class Check(Table):
    __tablename__ = "check_result"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Words]
    dimension: Mapped[str]
    column: Mapped[str | None]
    failed: Mapped[float]
    tested: Mapped[float]
    weight: Mapped[float]
    note: Mapped[Words | None]
    fault: Mapped[Words]  # what is wrong with the rows that fail


# lineage


class LineageEvent(Table):
    """An OpenLineage event, saved in the transaction of what it reports; forwarded afterwards."""

    __tablename__ = "lineage_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]
    forwarded_at: Mapped[datetime | None] = mapped_column(index=True)


class Edge(Table):
    """One column's way into a dataset, as of the version that is current."""

    __tablename__ = "lineage_edge"
    id: Mapped[int] = mapped_column(primary_key=True)
    from_dataset: Mapped[str] = mapped_column(index=True)
    from_column: Mapped[str | None]
    to_dataset: Mapped[str] = mapped_column(index=True)
    to_column: Mapped[str | None]
    via: Mapped[str]
    direct: Mapped[bool]
    masked: Mapped[bool]
