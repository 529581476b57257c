"""The tables, by domain: access, catalog, runs, privacy, quality, lineage, compliance."""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
    true,
)  # fmt: skip
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from engine.store.tolerant import KeptDict, KeptList, KeptNames, Number, UtcTime, name_columns


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
    type_annotation_map = {  # noqa: RUF012
        datetime: UtcTime,
        dict[str, Any]: KeptDict,
        list[Any]: KeptList,
        list[str]: KeptNames,
        float: Number,
        str: String(255),
    }


Words = Annotated[str, mapped_column(Text)]  # text of any length


# access


class User(Table):
    __tablename__ = "user_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    created_at: Mapped[datetime]
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    password: Mapped[Words | None]  # its argon2 hash; without one nobody signs in with a password
    generation: Mapped[int] = mapped_column(default=0, server_default="0")  # raised to end all access tokens
    owns: Mapped[list[str]] = mapped_column(default=list, server_default="[]")  # names of owners this person is one of


class Token(Table):
    """A bearer token for a script or a bot; only its SHA-256 is kept."""

    __tablename__ = "token"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(default="", server_default="")
    scopes: Mapped[list[str] | None]  # rights; null = all that the user has
    datasets: Mapped[list[str] | None]  # null = all
    last_used_at: Mapped[datetime | None]
    created_by: Mapped[str] = mapped_column(default="", server_default="")
    # the sign-in that the chain of tokens began with, which ends them all; null = it began on the server
    sign_in_id: Mapped[int | None] = mapped_column(ForeignKey("sign_in.id"), index=True)
    made_from: Mapped[int | None] = mapped_column(index=True)  # the token it was made with; ended ones are cleared away


class SignIn(Table):
    """A sign-in with a password. Its refresh tokens end with it; what ends it for safety ends its tokens too."""

    __tablename__ = "sign_in"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]


class RefreshToken(Table):
    """Good for one exchange; only its SHA-256 is kept. A second use ends the sign-in."""

    __tablename__ = "refresh_token"
    id: Mapped[int] = mapped_column(primary_key=True)
    sign_in_id: Mapped[int] = mapped_column(ForeignKey("sign_in.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Attempts(Table):
    """Failed sign-ins from a network, of a name, or of a name from a network; only a hash of these is kept."""

    __tablename__ = "attempts"
    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    blocked_until: Mapped[datetime | None]


class KnownNetwork(Table):
    """A network that a user has signed in from. Only a hash of it is kept."""

    __tablename__ = "known_network"
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)
    network: Mapped[str] = mapped_column(primary_key=True, index=True)
    last_at: Mapped[datetime]


class Grant(Table):
    """A role that somebody has on one dataset, given by its owner."""

    __tablename__ = "dataset_grant"
    __table_args__ = (UniqueConstraint("user_id", "dataset"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    dataset: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]
    granted_by: Mapped[str]
    granted_at: Mapped[datetime]


class Link(Table):
    """Who a person on a chat platform is here."""

    __tablename__ = "link"
    __table_args__ = (UniqueConstraint("platform", "tenant", "person"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[str]
    tenant: Mapped[str]  # the team or tenant
    person: Mapped[str]  # the platform's id of the person, never a name that can be changed
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    linked_at: Mapped[datetime]
    linked_by: Mapped[str]


class LinkCode(Table):
    """A one-time code that a chat identity asked for; only its SHA-256 is kept."""

    __tablename__ = "link_code"
    hash: Mapped[str] = mapped_column(primary_key=True)
    platform: Mapped[str]
    tenant: Mapped[str]
    person: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Idempotent(Table):
    """A write that was asked for under a key, and what was answered: asked again, it is answered, not done."""

    __tablename__ = "idempotent"
    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)  # SHA-256
    request: Mapped[str]  # SHA-256 of method, path and body
    at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]  # null = done, but the answer is not known
    answer: Mapped[dict[str, Any] | None]


class Said(Table):
    """What somebody said in a chat, kept from before the platform is told that it arrived until it is answered."""

    __tablename__ = "inbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)  # the platform's id of the message: said twice, it is one
    person: Mapped[str]  # platform:tenant:person
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # the words and the place, encrypted; null = answered
    at: Mapped[datetime]
    tries: Mapped[int]  # fences: who holds an earlier one writes nothing any more
    held_until: Mapped[datetime]
    done_at: Mapped[datetime | None] = mapped_column(index=True)


class Remembered(Table):
    """What a chat platform has to know again after a restart; only the bot reads it."""

    __tablename__ = "memory"
    key: Mapped[str] = mapped_column(primary_key=True)  # SHA-256, in hex, of what it is about
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    forget_at: Mapped[datetime | None] = mapped_column(index=True)


class SharedFile(Table):
    """A file that whoever has its link may fetch for a few minutes; the link's token is known by its hash alone."""

    __tablename__ = "shared_file"
    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[str]  # its media type
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
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
    masked: Mapped[list[str]]  # hashed columns
    policy_hash: Mapped[str]
    key_id: Mapped[str]
    inputs: Mapped[dict[str, Any]]  # dataset -> version id it was built from
    base_id: Mapped[int | None]  # the version of the same dataset that it builds upon; null = it stands alone
    cursor: Mapped[dict[str, Any] | None] = mapped_column(KeptDict(none_as_null=True))  # how far its source was read
    # for merged versions: the files of marks (which rows fail which rule), and their key
    marks: Mapped[dict[str, Any] | None] = mapped_column(KeptDict(none_as_null=True))


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


class Process(Table):
    """A process of this installation, as it last said that it lives."""

    __tablename__ = "process"
    id: Mapped[str] = mapped_column(primary_key=True)
    does: Mapped[str]  # worker scheduler client
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    reason: Mapped[Words | None]  # why it does no work; null = it works
    failing: Mapped[dict[str, Any]]  # duty -> since when, and the kinds of error
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)

    @property
    def works(self) -> bool:
        """Whether it works on runs."""
        return self.does == "worker" and self.reason is None


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
        Index("ix_run_pipeline_id", "pipeline", "id"),
        Index("ix_run_pipeline_state_id", "pipeline", "state", "id"),
        Index("ix_run_state_id", "state", "id"),
        Index("ix_run_requested_by_id", "requested_by", "id"),
        Index("ix_run_created_at", "created_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline: Mapped[str]
    definition: Mapped[dict[str, Any]]  # the pipeline file as it was at the start
    state: Mapped[str]  # queued running succeeded refused failed cancelled
    full: Mapped[bool]
    requested_by: Mapped[str]
    retry_of: Mapped[int | None]
    request_id: Mapped[str | None]  # id of the request that started it; its log lines have the same
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

    @property
    def rebuilds(self) -> bool:
        """Whether it only builds a model: it has a source in no file."""
        return not self.definition.get("source")


class Part(Table):
    """A piece of work that one worker does under a lease. A ready part is its own wake-up call to be sent."""

    __tablename__ = "part"
    __table_args__ = (
        UniqueConstraint("run_id", "step", "ordinal"),
        Index("ix_part_state_wake_at", "state", "wake_at"),
        Index("ix_part_lane_state", "lane", "state"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    step: Mapped[str]
    ordinal: Mapped[int]
    # strict: a run must not go on without a piece of its own work
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    lane: Mapped[str | None]  # the source, if only so many of its parts may be worked on at once
    state: Mapped[str]  # ready running done failed cancelled
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(default=0)  # the fence: a writer with an older one is refused
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    wake_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    rows: Mapped[int] = mapped_column(default=0)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class FollowUp(Table):
    """What should have followed the end of a run and failed. It is tried again until it is done."""

    __tablename__ = "follow_up"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    error: Mapped[str]  # its kind
    since: Mapped[datetime]


class Schedule(Table):
    """When a pipeline runs by itself. The one who moves `next_at` on starts the run, in the same transaction."""

    __tablename__ = "schedule"
    pipeline: Mapped[str] = mapped_column(primary_key=True)
    cron: Mapped[str]
    timezone: Mapped[str]
    set_by: Mapped[str | None]  # null = the pipeline's file
    next_at: Mapped[datetime] = mapped_column(index=True)
    last_at: Mapped[datetime | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))  # that it started or joined the last time
    note: Mapped[Words | None]  # what was unusual about the last firing


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
    samples: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")  # [value, rows] that many rows share
    others: Mapped[int] = mapped_column(default=0, server_default="0")  # how many more there are


# privacy


class VerdictRow(Table):
    """What a column of a run was found to hold and what was done with it."""

    __tablename__ = "verdict"
    __table_args__ = (Index("ix_verdict_dataset_run_id", "dataset", "run_id"),)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str]
    column: Mapped[str]
    types: Mapped[list[str]]
    confidence: Mapped[float]
    reason: Mapped[Words]
    action: Mapped[str]
    scope: Mapped[str]
    options: Mapped[dict[str, Any]]
    rows: Mapped[int]
    masked: Mapped[int]
    found: Mapped[dict[str, Any]]  # kind of personal data -> cells masked


class Secret(Table):
    """What a token of a dataset stands for, encrypted with a key that is made of the masking key."""

    __tablename__ = "vault"
    token: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(primary_key=True, index=True)
    type: Mapped[str]  # "" = none
    value: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class Ruling(Table):
    """A person's word on what a column holds; it beats what is found. The newest that was not withdrawn holds."""

    __tablename__ = "ruling"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(index=True)
    column: Mapped[str]
    type: Mapped[str | None]  # null = not personal
    because: Mapped[Words]
    by: Mapped[str]
    at: Mapped[datetime]
    withdrawn_by: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]


# quality


class Score(Table):
    """The scores of a run, of refused ones too. Null = not measured."""

    __tablename__ = "score"
    __table_args__ = (Index("ix_score_dataset_run_id", "dataset", "run_id"),)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    dataset: Mapped[str]
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
    fault: Mapped[Words]  # the fault of the rows that fail
    newest: Mapped[float | None]  # the newest time that a check of times has seen, in seconds since 1970


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


# compliance


class AuditEntry(Table):
    """Who did or saw what, and how it ended. Each row holds the hash of the row before; none is changed or deleted."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str | None] = mapped_column(index=True)  # a user's name; null = nobody we know
    through: Mapped[str]  # sign-in, token NAME, slack T1:U2, command line
    action: Mapped[str]  # run.start, user.add, rows.read …
    about: Mapped[str]  # the thing: run 12, dataset customers, user anna
    result: Mapped[str]  # done, or the code of the error
    request_id: Mapped[str | None]
    previous: Mapped[str]
    hash: Mapped[str]


class Refusals(Table):
    """How often a person was refused the same thing in one hour, until the audit log has the sum."""

    __tablename__ = "refusals"
    who: Mapped[str] = mapped_column(primary_key=True)  # a user's name; empty = nobody we know
    action: Mapped[str] = mapped_column(primary_key=True)
    result: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True, index=True)  # its beginning
    written: Mapped[int] = mapped_column(default=0)  # refusals with a row of their own in the audit log
    folded: Mapped[int] = mapped_column(default=0)  # the others


class Alert(Table):
    """A problem that somebody should look at. One that has not ended a fingerprint: it counts how often it was seen."""

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "ux_alert_one_live_a_fingerprint",
            "fingerprint",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_alert_fingerprint_ended_at", "fingerprint", "ended_at"),
        Index("ix_alert_ended_at_dataset", "ended_at", "dataset"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]  # SHA-256 of rule, dataset and what
    rule: Mapped[str]
    dataset: Mapped[str]
    what: Mapped[str]  # that the rule tells apart: a column, or nothing
    owner: Mapped[str]
    severity: Mapped[str]  # high, low
    spreads: Mapped[bool]  # the same downstream may come of it
    title: Mapped[Words]
    cause: Mapped[Words]
    detail: Mapped[dict[str, Any]]  # notes of the rule for its next look
    next: Mapped[list[str]]  # commands that help
    state: Mapped[str]  # open acknowledged assigned snoozed resolved closed
    count: Mapped[int]
    run_id: Mapped[int]  # that showed it last; no foreign key: it would wait for whoever ends that run, and they for us
    opened_at: Mapped[datetime]
    last_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None] = mapped_column(index=True)
    assignee: Mapped[str | None]
    changed_by: Mapped[str | None]  # the last person who did something about it
    changed_at: Mapped[datetime | None]
    root_id: Mapped[int | None] = mapped_column(ForeignKey("alert.id"), index=True)  # upstream of it: it is told there
    revision: Mapped[int] = mapped_column(default=1)  # goes up whenever what is told about it changes


class Subscription(Table):
    """Somebody who wants to hear of the alerts about a dataset."""

    __tablename__ = "subscription"
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    dataset: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]


class Notice(Table):
    """One message about an alert in one place. It is due when the alert has changed since it was sent last."""

    __tablename__ = "notice"
    __table_args__ = (UniqueConstraint("alert_id", "place"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"))
    place: Mapped[str]  # the first of its ways, or the user
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    ways: Mapped[list[str]]  # platform:tenant:id, tried one after the other
    way: Mapped[int] = mapped_column(default=0)  # that is tried now
    ref: Mapped[Words | None]  # the platform's name of the message
    shown: Mapped[int] = mapped_column(default=0)  # the alert's revision that it shows
    due_at: Mapped[datetime | None] = mapped_column(index=True)  # null = it shows what there is
    wanted_at: Mapped[datetime | None]  # since when it should show something else
    sent_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    token: Mapped[int] = mapped_column(default=0)  # the fence: a bot with an older one is refused
    failures: Mapped[int] = mapped_column(default=0)  # since it was sent last
    error: Mapped[str | None]  # the reason's code


for _table in Table.metadata.tables.values():
    name_columns(_table)
