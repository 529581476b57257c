"""The vault of tokens"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "vault",
        sa.Column("token", sa.String(length=255), nullable=False),
        sa.Column("dataset", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", "dataset", name=op.f("pk_vault")),
    )
    with op.batch_alter_table("vault", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vault_dataset"), ["dataset"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("vault", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vault_dataset"))

    op.drop_table("vault")
