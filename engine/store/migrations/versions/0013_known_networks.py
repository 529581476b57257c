"""The networks that people have signed in from, and counts of what they were refused"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "known_network",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(length=255), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_known_network_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "network", name=op.f("pk_known_network")),
    )
    with op.batch_alter_table("known_network", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_known_network_network"), ["network"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("result", sa.String(length=255), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written", sa.Integer(), nullable=False),
        sa.Column("folded", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("who", "action", "result", "hour", name=op.f("pk_refusals")),
    )
    with op.batch_alter_table("refusals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refusals_hour"), ["hour"], unique=False)


def downgrade() -> None:
    for table, column in (("refusals", "hour"), ("known_network", "network")):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(batch_op.f(f"ix_{table}_{column}"))
        op.drop_table(table)
