"""Who may do what, and who did it"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempts")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempts_last_at"), ["last_at"], unique=False)

    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=255), nullable=True),
        sa.Column("through", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("result", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=True),
        sa.Column("previous", sa.String(length=255), nullable=False),
        sa.Column("hash", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_who"), ["who"], unique=False)

    op.create_table(
        "idempotent",
        sa.Column("caller", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request", sa.String(length=255), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_idempotent")),
    )
    with op.batch_alter_table("idempotent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotent_at"), ["at"], unique=False)

    op.create_table(
        "link_code",
        sa.Column("hash", sa.String(length=255), nullable=False),
        sa.Column("platform", sa.String(length=255), nullable=False),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("person", sa.String(length=255), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_link_code")),
    )
    with op.batch_alter_table("link_code", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_link_code_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "ruling",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(length=255), nullable=False),
        sa.Column("column", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.String(length=255), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruling")),
    )
    with op.batch_alter_table("ruling", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ruling_dataset"), ["dataset"], unique=False)

    op.create_table(
        "dataset_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.Column("granted_by", sa.String(length=255), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_dataset_grant_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_grant")),
        sa.UniqueConstraint("user_id", "dataset", name=op.f("uq_dataset_grant_user_id_dataset")),
    )
    with op.batch_alter_table("dataset_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dataset_grant_dataset"), ["dataset"], unique=False)

    op.create_table(
        "link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(length=255), nullable=False),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("person", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_link_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint("platform", "tenant", "person", name=op.f("uq_link_platform_tenant_person")),
    )
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_link_user_id"), ["user_id"], unique=False)

    op.create_table(
        "sign_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_sign_in_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
    )
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_user_id"), ["user_id"], unique=False)

    op.create_table(
        "refresh_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sign_in_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["sign_in_id"],
            ["sign_in.id"],
            name=op.f("fk_refresh_token_sign_in_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_refresh_token_hash")),
    )
    with op.batch_alter_table("refresh_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refresh_token_sign_in_id"), ["sign_in_id"], unique=False)

    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("request_id", sa.String(length=255), nullable=True))
        batch_op.drop_index(batch_op.f("ix_run_pipeline"))
        batch_op.create_index("ix_run_created_at", ["created_at"], unique=False)
        batch_op.create_index("ix_run_pipeline_id", ["pipeline", "id"], unique=False)
        batch_op.create_index("ix_run_pipeline_state_id", ["pipeline", "state", "id"], unique=False)
        batch_op.create_index("ix_run_requested_by_id", ["requested_by", "id"], unique=False)
        batch_op.create_index("ix_run_state_id", ["state", "id"], unique=False)

    with op.batch_alter_table("score", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_score_dataset"))
        batch_op.create_index("ix_score_dataset_run_id", ["dataset", "run_id"], unique=False)

    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.String(length=255), server_default="", nullable=False))
        batch_op.add_column(sa.Column("scopes", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("datasets", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("created_by", sa.String(length=255), server_default="", nullable=False))

    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("password", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("generation", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("owns", sa.JSON(), server_default="[]", nullable=False))

    with op.batch_alter_table("verdict", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_verdict_dataset"))
        batch_op.create_index("ix_verdict_dataset_run_id", ["dataset", "run_id"], unique=False)
    _append_only()


def downgrade() -> None:
    _no_longer_append_only()
    with op.batch_alter_table("verdict", schema=None) as batch_op:
        batch_op.drop_index("ix_verdict_dataset_run_id")
        batch_op.create_index(batch_op.f("ix_verdict_dataset"), ["dataset"], unique=False)

    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.drop_column("owns")
        batch_op.drop_column("generation")
        batch_op.drop_column("password")
        batch_op.drop_column("active")

    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_column("created_by")
        batch_op.drop_column("last_used_at")
        batch_op.drop_column("datasets")
        batch_op.drop_column("scopes")
        batch_op.drop_column("name")

    with op.batch_alter_table("score", schema=None) as batch_op:
        batch_op.drop_index("ix_score_dataset_run_id")
        batch_op.create_index(batch_op.f("ix_score_dataset"), ["dataset"], unique=False)

    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index("ix_run_state_id")
        batch_op.drop_index("ix_run_requested_by_id")
        batch_op.drop_index("ix_run_pipeline_state_id")
        batch_op.drop_index("ix_run_pipeline_id")
        batch_op.drop_index("ix_run_created_at")
        batch_op.create_index(batch_op.f("ix_run_pipeline"), ["pipeline"], unique=False)
        batch_op.drop_column("request_id")

    with op.batch_alter_table("refresh_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refresh_token_sign_in_id"))

    op.drop_table("refresh_token")
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_user_id"))
        batch_op.drop_index(batch_op.f("ix_sign_in_expires_at"))

    op.drop_table("sign_in")
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_link_user_id"))

    op.drop_table("link")
    with op.batch_alter_table("dataset_grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dataset_grant_dataset"))

    op.drop_table("dataset_grant")
    with op.batch_alter_table("ruling", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ruling_dataset"))

    op.drop_table("ruling")
    with op.batch_alter_table("link_code", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_link_code_expires_at"))

    op.drop_table("link_code")
    with op.batch_alter_table("idempotent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotent_at"))

    op.drop_table("idempotent")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_who"))
        batch_op.drop_index(batch_op.f("ix_audit_at"))

    op.drop_table("audit")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attempts_last_at"))

    op.drop_table("attempts")


REFUSE = "the audit log is append-only"


def _append_only() -> None:
    """No row of the audit log is changed or deleted, by nobody's mistake and by no statement of this program."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{act.lower()} BEFORE {act} ON audit"
                f" BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN RAISE EXCEPTION '{REFUSE}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )


def _no_longer_append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_update")
        op.execute("DROP TRIGGER audit_no_delete")
    else:
        op.execute("DROP TRIGGER audit_append_only ON audit")
        op.execute("DROP FUNCTION audit_refuse()")
